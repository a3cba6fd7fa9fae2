"""Workers of Dask: a cluster at an address, or one started on this machine. Futures only; no data lie in it."""

import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from ecgppg.config.errors import RunError
from ecgppg.core.addresses import CONNECT_SECONDS, refuse_silent
from ecgppg.core.jobs import Landing
from ecgppg.core.local_engine import interrupts_withheld

LOOK_SECONDS = 2.0
SCHEDULER_LOST = "the Dask scheduler is lost; what was finished is saved, the same command continues"

log = logging.getLogger("ecgppg.parallel")


class DaskWorkers:
    """Futures on a Dask cluster, one task a patient.

    Parameters
    ----------
    address : str or None
        tcp://host:port of the scheduler; None starts workers here.
    num_workers : int
        Workers to start here.
    patience_s : float
        How long there may be no worker at all.
    """

    def __init__(self, address: str | None, num_workers: int, patience_s: float) -> None:
        import distributed

        # Its messages of several lines would bury ours; what matters of them comes back as an exception.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._address, self._patience_s = address, patience_s
        self._landed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._flying: dict[Any, int] = {}
        if address:
            refuse_silent(address, "Dask scheduler")
        self._cluster = None if address else _local_cluster(num_workers)
        try:
            self._client = distributed.Client(
                address or self._cluster, timeout=CONNECT_SECONDS, set_as_default=False, name="ecgppg"
            )
        except (OSError, ValueError) as error:
            if self._cluster is not None:
                self._cluster.close()
            raise RunError(f"{address}: is no Dask scheduler ({str(error).splitlines()[0]})") from error
        self._seen_s = self._looked_s = time.monotonic()
        self._n_threads = self._count_threads()
        if not self._n_threads:
            log.warning("%s: has no worker yet; waiting up to %.0f s for one", address, patience_s)

    def capacity(self) -> int:
        """Two jobs a thread, so that no worker waits for us; it follows the cluster as that grows or shrinks."""
        self._look()
        return 2 * max(self._n_threads, 1)

    def submit(self, ticket: int, function: Callable[[Any], Any], job: Any) -> None:
        """Send a job to the scheduler."""
        future = self._client.submit(function, job, key=f"ecgppg-{id(self):x}-{ticket}", pure=False, retries=0)
        self._flying[future] = ticket
        future.add_done_callback(self._landed.put)

    def landed(self) -> list[Landing]:
        """Wait for futures to end, with an eye on the cluster."""
        futures: list[Any] = []
        while not futures:
            try:
                futures.append(self._landed.get(timeout=LOOK_SECONDS))
                while True:
                    futures.append(self._landed.get_nowait())
            except queue.Empty:
                self._look()
        return [self._land(future) for future in futures]

    def close(self) -> None:
        """Leave a cluster that is not ours without our tasks; end the one that is."""
        if self._client.status == "running" and self._flying:
            self._client.cancel(list(self._flying), force=True)
        self._flying.clear()
        self._client.close(timeout=CONNECT_SECONDS)
        if self._cluster is not None:
            self._cluster.close(timeout=CONNECT_SECONDS)

    def _land(self, future: Any) -> Landing:
        from distributed.scheduler import KilledWorker

        ticket = self._flying.pop(future)
        if future.cancelled():
            raise RunError(SCHEDULER_LOST)
        try:
            error = future.exception(timeout=self._patience_s)
            if isinstance(error, KilledWorker):
                return Landing(ticket, killed_workers=error.allowed_failures + 1)
            return Landing(ticket, None, error) if error else Landing(ticket, future.result(timeout=self._patience_s))
        except KilledWorker as killed:
            # The worker that held the finished result has died, and so did the one that ran the job again.
            return Landing(ticket, killed_workers=killed.allowed_failures + 1)
        except (OSError, TimeoutError, CancelledError) as lost:
            raise RunError(SCHEDULER_LOST) from lost
        finally:
            future.release()

    def _look(self) -> None:
        """Note how many threads there are; give up a cluster that is gone or stays without a worker."""
        now_s = time.monotonic()
        if self._client.status != "running":
            raise RunError(SCHEDULER_LOST)
        if now_s - self._looked_s < LOOK_SECONDS:
            return
        self._looked_s = now_s
        self._n_threads = self._count_threads()
        if self._n_threads:
            self._seen_s = now_s
        elif now_s - self._seen_s > self._patience_s:
            raise RunError(
                f"{self._address}: no Dask worker for {self._patience_s:.0f} s; "
                "what was finished is saved, the same command continues"
            )

    def _count_threads(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except (OSError, TimeoutError) as error:
            raise RunError(SCHEDULER_LOST) from error


def _local_cluster(num_workers: int) -> Any:
    import dask
    import distributed

    # A job whose worker dies is for us to judge, so the scheduler must not run it again; and Dask's own care for
    # memory has nothing to do where results are a few counts.
    with interrupts_withheld(), dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        return distributed.LocalCluster(
            n_workers=num_workers, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=0,
            dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False}, silence_logs=logging.CRITICAL,
        )  # fmt: skip
