"""A build on any engine gives one dataset, also when its workers are killed; and its workers end with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("psutil", reason="psutil, which Dask brings, is not installed")

import psutil

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from ecgppg.stages import build
from tests.dask_on_localhost import dask_on_localhost
from tests.processes import kill_session, living_of_session

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {"max_segments_per_patient": 10, "min_segments_per_patient": 2, "chunk_size": 3}
PATIENCE_S = 180.0
needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
BACKENDS = ["local", pytest.param("dask", marks=needs_dask), pytest.param("ray", marks=needs_ray)]


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=7, minutes=2, seed=5, num_workers=0)
    return folder / "waveforms"


@pytest.fixture(scope="module")
def expected(waveforms: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int]:
    layout = OutputLayout(tmp_path_factory.mktemp("whole"))
    build.run(settings(waveforms, num_workers=0), layout)
    return dataset(layout)


def settings(waveforms: Path, **changes: object) -> Settings:
    return Settings(**{"waveforms_dir": str(waveforms), **LIMITS, **changes})


def dataset(layout: OutputLayout) -> tuple[str, int]:
    """Content hash of a finished dataset, and how many patients it left out."""
    from ecgppg.store.reader import open_dataset

    record = read_completion(layout.dataset, verify=True)
    assert record is not None
    assert not layout.build.exists()
    with open_dataset(layout.dataset) as opened:
        return opened.content_hash(), record["counts"].get("patients_quarantined", 0)


@pytest.fixture
def started(waveforms: Path, tmp_path: Path) -> Iterator["Started"]:
    running = Started(waveforms, OutputLayout(tmp_path / "out"))
    yield running
    running.end()


class Started:
    """A build as a user starts it, leader of a session of its own."""

    def __init__(self, waveforms: Path, layout: OutputLayout) -> None:
        self.waveforms, self.layout = waveforms, layout

    def start(self, backend: str) -> None:
        limits = [word for key, value in LIMITS.items() for word in ("--set", f"{key}={value}")]
        words = ["--build-dataset", "--waveforms", self.waveforms, "--output-dir", self.layout.root,
                 "--num-workers", "2", "--backend", backend, *limits]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "production_pipeline.py", *map(str, words)], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def wait_for_a_part(self) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not [*self.layout.parts.glob("*.done.json"), *self.layout.shards.glob("*.done.json")]:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline_s
            time.sleep(0.005)

    def workers(self) -> list[int]:
        """Processes that run jobs: of Ray those it names so, of the others what was spawned."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        ray = [p.pid for p in found if p.name().startswith(("ray::IDLE", "ray::_call"))]
        return ray or [p.pid for p in found if any("spawn_main" in word for word in p.cmdline())]

    def end(self) -> None:
        kill_session(self.process.pid)
        self.process.communicate()

    def wait_until_all_have_ended(self) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while left := living_of_session(self.process.pid):
            assert time.monotonic() < deadline_s, [psutil.Process(pid).cmdline() for pid in left]
            time.sleep(0.05)


@needs_dask
def test_a_cluster_elsewhere_gives_the_same_dataset_though_its_workers_are_killed(
    waveforms: Path, expected: tuple[str, int], tmp_path: Path
) -> None:
    layout = OutputLayout(tmp_path / "out")
    with dask_on_localhost(tmp_path, n_workers=2) as cluster:
        killed: list[int] = []

        def kill_workers() -> None:
            deadline_s = time.monotonic() + PATIENCE_S
            while not list(layout.parts.glob("*.done.json")) and time.monotonic() < deadline_s:
                time.sleep(0.005)
            for worker in psutil.Process(cluster.workers[0].pid).children(recursive=True):
                if any("spawn_main" in word for word in worker.cmdline()):
                    worker.kill()
                    killed.append(worker.pid)

        killer = Thread(target=kill_workers)
        killer.start()
        build.run(settings(waveforms, backend="dask", dask_address=cluster.address), layout)
        killer.join()
    assert len(killed) == 2
    assert dataset(layout) == expected == (expected[0], 0)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_workers_killed_in_mid_build_change_nothing(backend: str, started: Started, expected: tuple[str, int]) -> None:
    started.start(backend)
    started.wait_for_a_part()
    killed = started.workers()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    _, errors = started.process.communicate(timeout=PATIENCE_S)
    assert started.process.returncode == 0, errors
    assert len(killed) >= 2
    assert dataset(started.layout) == expected


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_build_takes_its_workers_along_and_continues(
    backend: str, number: signal.Signals, code: int, started: Started, expected: tuple[str, int]
) -> None:
    started.start(backend)
    started.wait_for_a_part()
    if number == signal.SIGINT:
        # A terminal sends Ctrl-C to the whole group, workers among it.
        os.killpg(started.process.pid, number)
    else:
        started.process.send_signal(number)
    _, errors = started.process.communicate(timeout=PATIENCE_S)
    assert started.process.returncode == code, errors
    assert "Traceback" not in errors
    assert number == signal.SIGKILL or len(errors.splitlines()) < 10, errors
    started.wait_until_all_have_ended()
    build.run(settings(started.waveforms, num_workers=0), started.layout)
    assert dataset(started.layout) == expected
