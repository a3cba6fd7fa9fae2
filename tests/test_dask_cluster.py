"""A Dask cluster that someone else started: found by its address, lost in mid-run, left as it was."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("distributed", reason="Dask is not installed")

from ecgppg.config.errors import ConfigError, RunError
from ecgppg.core.engine import Engine
from ecgppg.core.parallel import map_jobs
from tests.dask_on_localhost import DaskCluster, dask_on_localhost
from tests.engine_jobs import square, square_or_die, wait_for_file, worker_pid


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_on_localhost(tmp_path_factory.mktemp("dask"), n_workers=2) as running:
        yield running


def at(cluster: DaskCluster, **changes: object) -> Engine:
    return Engine("dask", cluster.address, **changes)


@pytest.mark.slow
def test_a_poisonous_job_loses_only_itself_whatever_the_scheduler_allows(cluster: DaskCluster, tmp_path: Path) -> None:
    at(cluster).check(num_workers=0)
    jobs = [(n, "never") for n in range(8)]
    jobs[2] = (2, "always")
    jobs[5] = (5, str(tmp_path / "died once"))
    done = list(map_jobs(square_or_die, jobs, 0, at(cluster)))
    assert {d.job[0]: d.result for d in done} == {n: n * n if n != 2 else None for n in range(8)}
    assert next(d for d in done if d.result is None).killed_workers >= 3


def test_a_worker_killed_from_outside_loses_nothing(cluster: DaskCluster, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    results = map_jobs(worker_pid, [str(pid_file)], 0, at(cluster))

    def kill_then_release() -> None:
        wait_for_file(str(pid_file))
        while not pid_file.read_text():
            time.sleep(0.01)
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        Path(f"{pid_file}.never").touch()

    killer = Thread(target=kill_then_release)
    killer.start()
    assert [done.result for done in results] == [0]
    killer.join()


def test_every_machine_must_see_the_same_files(cluster: DaskCluster, tmp_path: Path) -> None:
    recordings = tmp_path / "waveforms"
    recordings.mkdir()
    (recordings / "RECORDS").touch()
    output = tmp_path / "out" / "build"
    engine = at(cluster, inputs=(recordings,), output=output)
    assert [done.result for done in map_jobs(square, [3], 0, engine)] == [9]
    assert list(output.iterdir()) == []


def test_our_tasks_leave_a_cluster_that_is_not_ours(cluster: DaskCluster, tmp_path: Path) -> None:
    import distributed

    results = map_jobs(wait_for_file, ["", *(str(tmp_path / "late") for _ in range(6))], 0, at(cluster))
    next(results)
    results.close()
    (tmp_path / "late").touch()
    with distributed.Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=120)
        assert client.submit(square, 4).result(timeout=60) == 16
        assert not [key for key in client.who_has() if "ecgppg" in str(key)]


def test_a_cluster_lost_in_mid_run_is_one_line_and_no_wait(tmp_path: Path) -> None:
    with dask_on_localhost(tmp_path, n_workers=1) as cluster:
        results = map_jobs(wait_for_file, ["", *[str(tmp_path / "never")] * 3], 0, at(cluster))
        assert next(results).result == ""
        cluster.scheduler.kill()
        with pytest.raises(RunError, match="scheduler is lost; what was finished is saved"):
            next(results)
    with pytest.raises(ConfigError, match=r"--dask-address tcp://.*: no Dask scheduler answers"):
        at(cluster).check(num_workers=0)


@pytest.mark.slow
def test_a_cluster_without_workers_is_given_up(tmp_path: Path) -> None:
    with dask_on_localhost(tmp_path, n_workers=1) as cluster:
        results = map_jobs(wait_for_file, ["", str(tmp_path / "never")], 0, at(cluster, patience_s=5.0))
        next(results)
        os.killpg(cluster.workers[0].pid, signal.SIGKILL)
        with pytest.raises(RunError, match="no Dask worker for 5 s"):
            next(results)
