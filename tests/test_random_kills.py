"""SIGKILL at moments drawn by chance: of the parent and of a worker, ten times each."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from tests.watched_build import Finished, build_watched, kill, workers_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
N_KILLS = 10


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=8, minutes=4, seed=3, num_workers=0)
    return Settings(
        waveforms_dir=str(folder / "waveforms"), num_workers=0, chunk_size=3, max_segments_per_patient=None,
        min_segments_per_patient=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(chosen: Settings, tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    layout = OutputLayout(tmp_path_factory.mktemp("whole") / "out")
    assert build_watched(chosen, layout.root).exit_code == 0
    return layout


def start(chosen: Settings, out: Path) -> subprocess.Popen[str]:
    """The command with two workers; returns when it begins to build."""
    words = [
        "--build-dataset", "--waveforms", str(chosen.waveforms_dir), "--output-dir", str(out), "--num-workers", "2",
        "--set", "chunk_size=3", "--set", "max_segments_per_patient=null", "--set", "min_segments_per_patient=2",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "production_pipeline.py", *words], cwd=ROOT, text=True, stderr=subprocess.PIPE
    )
    while process.poll() is None and not (out / "build" / "parts").exists():
        time.sleep(0.005)
    return process


def measured_s(chosen: Settings, out: Path) -> float:
    """Seconds from there to the end."""
    process = start(chosen, out)
    began_s = time.monotonic()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return time.monotonic() - began_s


def content_hash(layout: OutputLayout) -> str:
    from ecgppg.store.reader import open_dataset

    with open_dataset(layout.dataset) as dataset:
        return dataset.content_hash()


def test_the_parent_killed_at_random_moments(chosen: Settings, whole: OutputLayout, tmp_path: Path) -> None:
    lasts_s, draw = measured_s(chosen, tmp_path / "measured"), random.Random(1)
    wanted, landed = frozenset((read_completion(whole.dataset) or {})["subjects"]), []
    for attempt in range(3 * N_KILLS):
        layout = OutputLayout(tmp_path / str(attempt) / "out")
        layout.root.parent.mkdir()
        process = start(chosen, layout.root)
        time.sleep(draw.uniform(0, lasts_s))
        was_there = kill(process.pid) if process.poll() is None else False
        process.communicate(timeout=60)
        if not was_there or process.returncode != -9:
            continue
        finished = Finished.of(layout)
        rerun = build_watched(chosen, layout.root)
        assert rerun.exit_code == 0
        assert finished.redone_by(rerun, wanted) == []
        assert content_hash(layout) == content_hash(whole)
        landed.append(len(finished.patients))
        if len(landed) == N_KILLS:
            break
    print(f"finished patients at the {len(landed)} kills: {landed}")
    assert len(landed) == N_KILLS
    assert len(set(landed)) > 1


def test_a_worker_killed_at_random_moments(chosen: Settings, whole: OutputLayout, tmp_path: Path) -> None:
    lasts_s, draw = measured_s(chosen, tmp_path / "measured"), random.Random(2)
    landed = []
    for attempt in range(3 * N_KILLS):
        layout = OutputLayout(tmp_path / str(attempt) / "out")
        process = start(chosen, layout.root)
        time.sleep(draw.uniform(0, lasts_s))
        workers = workers_of(process.pid) if process.poll() is None else []
        killed = bool(workers) and kill(draw.choice(workers))
        n_finished = len(Finished.of(layout).patients) if killed else 0
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        record = read_completion(layout.dataset, verify=True)
        assert record is not None
        assert record["quarantined"] == {}
        assert content_hash(layout) == content_hash(whole)
        landed += [n_finished] if killed else []
        if len(landed) == N_KILLS:
            break
    print(f"finished patients at the {len(landed)} kills: {landed}")
    assert len(landed) == N_KILLS
