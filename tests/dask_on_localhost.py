"""A Dask scheduler and its workers as a user starts them: processes of their own, found by an address."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Nanny

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120.0


class DaskCluster:
    """Processes of one cluster.

    Parameters
    ----------
    folder : Path
        For the scheduler's file and its log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._file = folder, folder / "scheduler.json"
        self._log = (folder / "dask.log").open("w")
        self.scheduler = self._run("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        deadline_s = time.monotonic() + START_SECONDS
        while not self._file.exists() or not self._file.read_text().strip():
            assert self.scheduler.poll() is None, (folder / "dask.log").read_text()
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        self.address: str = json.loads(self._file.read_text())["address"]
        self.workers: list[subprocess.Popen[bytes]] = []
        self._n_workers = 0

    def start_workers(self, n: int) -> None:
        """Start workers of one thread, each under a nanny that starts it again once it has seen it run."""
        words = ("--nworkers", str(n), "--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder))
        self.workers.append(self._run("dask_worker", *words))
        # A nanny whose worker dies before that ends, and all the others of its command with it.
        self._wait_for_nannies(n)

    def _wait_for_nannies(self, n_more: int) -> None:
        from distributed import Client

        self._n_workers += n_more
        deadline_s = time.monotonic() + START_SECONDS
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(self._n_workers, timeout=START_SECONDS)
            while set(client.run(_status, nanny=True).values()) != {"running"}:
                assert time.monotonic() < deadline_s
                time.sleep(0.05)

    def stop(self) -> None:
        """End everything."""
        for process in [*self.workers, self.scheduler]:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._log.close()

    def _run(self, command: str, *words: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", f"distributed.cli.{command}", "--scheduler-file", str(self._file), *words]
        return subprocess.Popen(
            line, cwd=ROOT, stdout=self._log, stderr=self._log, start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip


def _status(dask_worker: "Nanny") -> str:
    return str(dask_worker.status.name)


@contextmanager
def dask_on_localhost(folder: Path, n_workers: int) -> Iterator[DaskCluster]:
    """A cluster that ends with the block."""
    cluster = DaskCluster(folder)
    try:
        cluster.start_workers(n_workers)
        yield cluster
    finally:
        cluster.stop()
