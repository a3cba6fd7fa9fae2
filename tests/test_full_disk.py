"""A full disk: refused in one line before the work or a merge; the same command goes on once there is room."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.stages import build

ROOT = Path(__file__).resolve().parent.parent


def may_mount() -> bool:
    """Whether a small disk in memory can be had, in a namespace of its own; root is not needed on most systems."""
    if shutil.which("unshare") is None:
        return False
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=4, minutes=2, seed=5, num_workers=0)
    return folder / "waveforms"


@pytest.mark.skipif(not may_mount(), reason="no small disk can be mounted here (unshare is absent or not allowed)")
def test_a_full_disk_costs_nothing_that_was_finished(waveforms: Path, tmp_path: Path) -> None:
    small = tmp_path / "small disk"
    small.mkdir()
    words = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "tests.full_disk_scenario"]
    run = subprocess.run(
        [*words, str(waveforms), str(small), str(tmp_path / "whole")],
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_file_that_may_not_grow_is_one_line_and_the_next_run_goes_on(waveforms: Path, tmp_path: Path) -> None:
    chosen = Settings(waveforms_dir=str(waveforms), num_workers=0, min_segments_per_patient=2)
    whole, layout = OutputLayout(tmp_path / "whole"), OutputLayout(tmp_path / "out")
    build.run(chosen, whole)
    n_bytes = whole.dataset.stat().st_size * 3 // 4
    words = [
        sys.executable, "production_pipeline.py", "--build-dataset", "--waveforms", str(waveforms),
        "--output-dir", str(layout.root), "--num-workers", "0", "--set", "min_segments_per_patient=2",
    ]  # fmt: skip
    stopped = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes)),
    )  # fmt: skip
    assert stopped.returncode == 1
    assert "Traceback" not in stopped.stderr
    (said,) = [line for line in stopped.stderr.splitlines() if line.startswith("ecgppg: ")]
    assert "File too large" in said
    assert not list(layout.root.rglob(".*.tmp"))
    assert len(list(layout.parts.glob("*.h5.done.json"))) == 4
    build.run(chosen, layout)
    assert content_hash(layout) == content_hash(whole)


def content_hash(layout: OutputLayout) -> str:
    from ecgppg.store.reader import open_dataset

    with open_dataset(layout.dataset) as dataset:
        return dataset.content_hash()
