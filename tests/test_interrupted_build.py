"""A build stopped at any moment loses nothing that was done, and continues to the same dataset."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecgppg.config.errors import ConfigError
from ecgppg.config.schema import OutputLayout, is_label
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from ecgppg.stages import build

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {"max_segments_per_patient": 30, "min_segments_per_patient": 2, "chunk_size": 4}


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=8, minutes=3, seed=11, num_workers=0)
    return folder / "waveforms"


@pytest.fixture(scope="module")
def uninterrupted(waveforms: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return built(settings(waveforms), OutputLayout(tmp_path_factory.mktemp("whole")))


def settings(waveforms: Path, **changes: object) -> Settings:
    return Settings(**{"waveforms_dir": str(waveforms), "num_workers": 0, **LIMITS, **changes})


def built(chosen: Settings, layout: OutputLayout) -> str:
    """Build and return the content hash."""
    from ecgppg.store.reader import open_dataset

    build.run(chosen, layout)
    assert not layout.build.exists()
    with open_dataset(layout.dataset) as dataset:
        assert dataset.attributes["content_hash"] == dataset.content_hash()
        return dataset.content_hash()


def start(waveforms: Path, out: Path) -> subprocess.Popen[str]:
    limits = [word for key, value in LIMITS.items() for word in ("--set", f"{key}={value}")]
    words = ["--build-dataset", "--waveforms", waveforms, "--output-dir", out, "--num-workers", "1", *limits]
    return subprocess.Popen(
        [sys.executable, "production_pipeline.py", *map(str, words)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def wait_for_parts(process: subprocess.Popen[str], layout: OutputLayout, n: int) -> None:
    deadline_s = time.monotonic() + 120
    while len(list(layout.parts.glob("*.h5.done.json"))) + len(list(layout.shards.glob("*.done.json"))) < n:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_stopped_build_continues_to_the_same_dataset(
    number: signal.Signals, code: int, waveforms: Path, uninterrupted: str, tmp_path: Path
) -> None:
    layout = OutputLayout(tmp_path / "out")
    process = start(waveforms, layout.root)
    wait_for_parts(process, layout, 2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert not layout.dataset.exists()
    kept = {path: path.stat().st_mtime_ns for path in layout.build.rglob("*.h5")}
    assert kept
    assert built(settings(waveforms), layout) == uninterrupted


def test_finished_parts_are_not_built_again(waveforms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = OutputLayout(tmp_path)
    chosen = settings(waveforms, chunk_size=500)
    merge = build.merge_segments

    def full_disk(*args: object, **kwargs: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "merge_segments", full_disk)
    with pytest.raises(OSError, match="No space left"):
        build.run(chosen, layout)
    parts = {path: path.stat().st_mtime_ns for path in layout.parts.glob("*.h5")}
    assert len(parts) > 4

    def merge_and_look(sources: list[Path], *args: object, **kwargs: object) -> int:
        assert {path: path.stat().st_mtime_ns for path in sources} == parts
        return merge(sources, *args, **kwargs)

    monkeypatch.setattr(build, "merge_segments", merge_and_look)
    build.run(chosen, layout)
    assert read_completion(layout.dataset, verify=True) is not None


def test_more_patients_later_build_only_what_is_new(waveforms: Path, uninterrupted: str, tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    first = built(settings(waveforms, max_patients=3), layout)
    record = read_completion(layout.dataset)
    assert record is not None
    assert len(record["subjects"]) == 3
    assert first != uninterrupted
    assert built(settings(waveforms), layout) == uninterrupted


def test_a_grown_dataset_counts_as_if_built_at_once(waveforms: Path, tmp_path: Path) -> None:
    clinical = str(waveforms.parent / "clinical")
    once, grown = OutputLayout(tmp_path / "once"), OutputLayout(tmp_path / "grown")
    build.run(settings(waveforms, clinical_dir=clinical), once)
    build.run(settings(waveforms, clinical_dir=clinical, max_patients=3), grown)
    build.run(settings(waveforms, clinical_dir=clinical), grown)
    counts = [(read_completion(layout.dataset) or {})["counts"] for layout in (once, grown)]
    assert counts[0] == counts[1]
    assert sum(n for key, n in counts[0].items() if key.startswith("linked:")) > 0


def test_the_number_of_workers_and_the_chunks_change_nothing(
    waveforms: Path, uninterrupted: str, tmp_path: Path
) -> None:
    assert built(settings(waveforms, num_workers=2, chunk_size=500), OutputLayout(tmp_path)) == uninterrupted


def test_without_clinical_tables_every_label_is_there_and_unknown(waveforms: Path, tmp_path: Path) -> None:
    import pandas as pd

    layout = OutputLayout(tmp_path)
    built(settings(waveforms, max_patients=2), layout)
    metadata = pd.read_parquet(layout.metadata)
    labels = [name for name in metadata if is_label(name)]
    assert {"stroke_this", "af_before", "death_90d"} <= set(labels)
    assert (metadata[labels] == -1).all(axis=None)


def test_a_raised_limit_is_refused_by_name(waveforms: Path, tmp_path: Path) -> None:
    from ecgppg.config.errors import RefusedError

    layout = OutputLayout(tmp_path)
    built(settings(waveforms, max_patients=2), layout)
    with pytest.raises(RefusedError, match="max_segments_per_patient: 30 -> 40"):
        build.run(settings(waveforms, max_patients=2, max_segments_per_patient=40), layout)


def test_a_build_without_waveforms_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="waveforms"):
        build.run(Settings(), OutputLayout(tmp_path))
