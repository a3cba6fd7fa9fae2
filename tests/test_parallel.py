"""The parallel map on its three engines: every job once, and a job that kills its worker loses only itself."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from ecgppg.config.errors import RunError
from ecgppg.core.engine import Engine
from ecgppg.core.parallel import map_jobs
from tests.engine_jobs import die, interrupts_self, raise_on_three, square, square_or_die, wait_for_file

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
ENGINES = [
    Engine("local"),
    pytest.param(Engine("dask"), marks=needs_dask),
    pytest.param(Engine("ray"), marks=needs_ray),
]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_job_is_done_once(num_workers: int) -> None:
    results = {done.job: done.result for done in map_jobs(square, range(20), num_workers)}
    assert results == {x: x * x for x in range(20)}


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.backend)
def test_a_poisonous_job_loses_only_itself(engine: Engine, tmp_path: Path) -> None:
    jobs = [(n, "never") for n in range(8)]
    jobs[2] = (2, "always")
    jobs[5] = (5, str(tmp_path / "died once"))
    done = list(map_jobs(square_or_die, jobs, 2, engine))
    assert len(done) == 8
    assert {d.job[0] for d in done if d.result is None} == {2}
    assert {d.job[0]: d.result for d in done if d.result is not None} == {n: n * n for n in range(8) if n != 2}
    assert next(d for d in done if d.result is None).killed_workers == 3
    assert (tmp_path / "died once").exists()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_exception_of_the_function_reaches_the_caller(num_workers: int) -> None:
    with pytest.raises(ValueError, match="three"):
        list(map_jobs(raise_on_three, range(10), num_workers))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES[1:], ids=lambda engine: engine.backend)
def test_an_exception_on_a_cluster_reaches_the_caller(engine: Engine) -> None:
    with pytest.raises(ValueError, match="three"):
        list(map_jobs(raise_on_three, range(10), 2, engine))


def test_an_exception_tells_where_in_the_worker_it_arose() -> None:
    with pytest.raises(ValueError) as caught:
        list(map_jobs(raise_on_three, [3], 1))
    assert "in raise_on_three" in caught.value.__notes__[0]


def test_jobs_are_taken_lazily() -> None:
    taken = []
    jobs = (taken.append(x) or x for x in range(100))
    results = map_jobs(square, jobs, 2)
    next(results)
    assert len(taken) <= 4
    results.close()


def test_when_every_worker_dies_the_fault_is_not_in_the_jobs() -> None:
    with pytest.raises(RunError, match="16 of 16 jobs ended with the death of their worker"):
        list(map_jobs(die, range(100), 2))


def test_a_worker_killed_while_idle_costs_nothing() -> None:
    results = map_jobs(_pid, range(3), 1)
    first = next(results)
    assert first.result is not None
    os.kill(first.result, signal.SIGKILL)
    rest = list(results)
    assert sorted(done.job for done in rest) == [1, 2]
    assert all(done.result not in (None, first.result) for done in rest)


def test_an_interrupt_reaches_no_worker() -> None:
    results = map_jobs(interrupts_self, [1, 2], 2)
    assert sorted(done.result for done in results if done.result is not None) == [1, 2]


def test_workers_end_with_the_map(tmp_path: Path) -> None:
    results = map_jobs(_pid_or_wait, ["", str(tmp_path / "never")], 2)
    first = next(results)
    results.close()
    assert first.result is not None
    with pytest.raises(ProcessLookupError):
        os.kill(first.result, 0)


def _pid(x: int) -> int:
    return os.getpid()


def _pid_or_wait(path: str) -> int:
    wait_for_file(path)
    return os.getpid()
