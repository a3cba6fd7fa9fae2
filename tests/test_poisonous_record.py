"""A record that kills its worker each time is left out alone, by name, for good; everyone else is as without it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, read_json
from ecgppg.stages import build as stage
from tests.watched_build import build_watched

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {"max_segments_per_patient": 12, "min_segments_per_patient": 2}


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=3, minutes=2, seed=5, num_workers=0)
    return folder / "waveforms"


def build_here(waveforms: Path, layout: OutputLayout) -> None:
    """Without workers, in this process, where nothing is poisonous."""
    stage.run(Settings(waveforms_dir=str(waveforms), num_workers=0, **LIMITS), layout)


def build(waveforms: Path, out: Path, poison: str, **more: int) -> subprocess.CompletedProcess[str]:
    words = [
        sys.executable, "-m", "tests.poisoned_pipeline", "--build-dataset", "--waveforms", str(waveforms),
        "--output-dir", str(out), "--num-workers", "1",
        *(word for key, value in {**LIMITS, **more}.items() for word in ("--set", f"{key}={value}")),
    ]  # fmt: skip
    environment = {**os.environ, "POISON": poison}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


def records_of(waveforms: Path) -> dict[str, list[str]]:
    """Record paths by patient."""
    by_patient: dict[str, list[str]] = {}
    for header in sorted(waveforms.rglob("p*-*-*-*-*-*.hea")):
        if not header.stem.endswith("n"):
            record = header.relative_to(waveforms).with_suffix("").as_posix()
            by_patient.setdefault(header.parent.name, []).append(record)
    return by_patient


def signal_files(waveforms: Path, record: str) -> list[str]:
    """Names of the .dat files of a record, through its master header and those of its segments."""
    folder = (waveforms / record).parent
    segments = [
        line.split()[0] for line in (waveforms / f"{record}.hea").read_text().splitlines()[1:] if line[0] != "~"
    ]
    names = set()
    for segment in segments:
        header = folder / f"{segment}.hea"
        lines = header.read_text().splitlines()[1:] if header.exists() else []
        names |= {line.split()[0] for line in lines if line and not line.startswith(("#", "~"))}
    return sorted(names)


def content_hash(layout: OutputLayout) -> str:
    from ecgppg.store.reader import open_dataset

    with open_dataset(layout.dataset) as dataset:
        return dataset.content_hash()


def test_exactly_the_poisonous_record_is_left_out_and_named(waveforms: Path, tmp_path: Path) -> None:
    patient, records = max(records_of(waveforms).items(), key=lambda item: len(item[1]))
    assert len(records) > 1
    poisonous, others = records[0], records[1:]
    poison = ":".join(signal_files(waveforms, poisonous))
    assert poison

    healthy = tmp_path / "healthy"
    shutil.copytree(waveforms, healthy)
    for path in healthy.rglob(f"{Path(poisonous).name}*"):
        path.unlink()
    expected = OutputLayout(tmp_path / "expected")
    build_here(healthy, expected)

    layout = OutputLayout(tmp_path / "out")
    run = build(waveforms, layout.root, poison)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    assert (
        f"record {poisonous} killed its worker 3 times and is left out; patient {patient} keeps the others"
        in run.stderr
    )
    assert content_hash(layout) == content_hash(expected)

    record = read_completion(layout.dataset, verify=True)
    assert record is not None
    assert list(record["quarantined"]) == [poisonous]
    assert record["counts"]["record:worker_died"] == 1
    assert "patients_quarantined" not in record["counts"]
    card = read_json(layout.card_json)
    assert list(card["records_quarantined"]) == [poisonous]
    assert poisonous in layout.card_markdown.read_text()
    assert not any(other in layout.card_markdown.read_text() for other in others)

    build_here(waveforms, layout)
    assert read_completion(layout.dataset) == record


def test_a_shard_whose_merging_kills_its_worker_ends_the_run_and_costs_nothing(waveforms: Path, tmp_path: Path) -> None:
    layout, whole = OutputLayout(tmp_path / "out"), OutputLayout(tmp_path / "whole")
    build_here(waveforms, whole)
    stopped = build(waveforms, layout.root, layout.shard(0).name, chunk_size=1)
    assert stopped.returncode == 1
    (said,) = [line for line in stopped.stderr.splitlines() if line.startswith("ecgppg: ")]
    assert f"{layout.shard(0)}: merging it killed its worker 3 times" in said
    assert "Traceback" not in stopped.stderr
    left = sorted([*layout.parts.glob("*.h5"), *layout.shards.glob("*.h5")])
    finished = {path for path in left if read_completion(path, verify=True)}
    assert len(finished) == 3, "two parts, and the shard of the third patient"
    rerun = build_watched(Settings(waveforms_dir=str(waveforms), num_workers=0, chunk_size=1, **LIMITS), layout.root)
    assert rerun.exit_code == 0
    assert not [step for step in rerun.renames("build/*/*.h5") if layout.root / step in finished]
    assert content_hash(layout) == content_hash(whole)
