"""The parallel map: every job once, and a job that kills its worker loses only itself."""

import os
from pathlib import Path

import pytest

from ecgppg.core.parallel import map_jobs


def square(x: int) -> int:
    return x * x


def square_or_die(job: tuple[int, str]) -> int:
    number, fate = job
    if fate == "always":
        os._exit(9)
    if fate != "never" and not Path(fate).exists():
        Path(fate).touch()
        os._exit(9)
    return number * number


def raise_on_three(x: int) -> int:
    if x == 3:
        raise ValueError("three")
    return x


@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_job_is_done_once(num_workers: int) -> None:
    results = {done.job: done.result for done in map_jobs(square, range(20), num_workers)}
    assert results == {x: x * x for x in range(20)}


def test_a_poisonous_job_loses_only_itself(tmp_path: Path) -> None:
    jobs = [(n, "never") for n in range(8)]
    jobs[2] = (2, "always")
    jobs[5] = (5, str(tmp_path / "died once"))
    done = list(map_jobs(square_or_die, jobs, 2))
    assert len(done) == 8
    assert {d.job[0] for d in done if d.result is None} == {2}
    assert {d.job[0]: d.result for d in done if d.result is not None} == {n: n * n for n in range(8) if n != 2}
    assert next(d for d in done if d.result is None).killed_workers == 3


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_exception_of_the_function_reaches_the_caller(num_workers: int) -> None:
    with pytest.raises(ValueError, match="three"):
        list(map_jobs(raise_on_three, range(10), num_workers))
