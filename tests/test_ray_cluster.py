"""A Ray cluster that someone else started: found by its address, lost in mid-run, left as it was."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("psutil", reason="psutil, which Dask brings, is not installed")

from ecgppg.config.errors import RunError
from ecgppg.core.engine import Engine
from ecgppg.core.parallel import map_jobs
from tests.engine_jobs import square_or_die, wait_for_file
from tests.processes import kill_session

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """(address, process id) of a head node with two processors, open to those who know its token."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["start", "--head", "--block", "--port", str(port), "--num-cpus", "2"]
    quiet = ["--include-dashboard", "false", "--disable-usage-stats", "--object-store-memory", "80000000"]
    with (tmp_path / "ray.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", *words, *quiet],
            cwd=ROOT, stdout=log, stderr=log, start_new_session=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    address = f"127.0.0.1:{port}"
    try:
        wait_for_line(tmp_path / "ray.log", "Ray runtime started", process)
        yield address, process.pid
    finally:
        kill_session(process.pid)
        process.wait()


def wait_for_line(log: Path, words: str, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + 120
    while words not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.1)


def test_a_running_cluster_is_used_and_left(head: tuple[str, int], tmp_path: Path) -> None:
    recordings, output = tmp_path / "waveforms", tmp_path / "out"
    recordings.mkdir()
    (recordings / "RECORDS").touch()
    engine = Engine("ray", head[0], (recordings,), output)
    engine.check(num_workers=0)
    jobs = [(n, "never") for n in range(6)]
    jobs[2] = (2, "always")
    done = list(map_jobs(square_or_die, jobs, 0, engine))
    assert {d.job[0]: d.result for d in done} == {n: n * n if n != 2 else None for n in range(6)}
    assert next(d for d in done if d.result is None).killed_workers == 3
    assert list(output.iterdir()) == []
    engine.check(num_workers=0)


def test_a_cluster_lost_in_mid_run_is_one_line(head: tuple[str, int], tmp_path: Path) -> None:
    results = map_jobs(wait_for_file, ["", *[str(tmp_path / "never")] * 3], 0, Engine("ray", head[0], patience_s=5))
    assert next(results).result == ""
    kill_session(head[1])
    with pytest.raises(RunError, match=r"the Ray cluster is lost.*; what was finished is saved"):
        next(results)
