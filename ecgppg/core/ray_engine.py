"""Workers of Ray: a cluster at an address, or one started on this machine. Core tasks only; no data lie in it.

Ray lives in a process of its own (`ray_driver`): it takes over signal handlers, writes to the terminal, and ends its
process when its cluster is lost. None of that may reach the run.
"""

import time
from collections.abc import Callable
from multiprocessing import connection, get_context
from typing import Any

from ecgppg.config.errors import RunError
from ecgppg.core.addresses import refuse_silent
from ecgppg.core.jobs import Landing
from ecgppg.core.local_engine import end_process, interrupts_withheld
from ecgppg.core.ray_driver import drive

START_SECONDS = 120.0
LOST = "the Ray cluster is lost{}; what was finished is saved, the same command continues"


class RayWorkers:
    """Tasks on a Ray cluster, one a patient.

    Parameters
    ----------
    address : str or None
        host:port of the head node, or auto for the cluster that this machine is part of; None starts workers here.
    num_workers : int
        Workers to start here.
    patience_s : float
        How long there may be no processor at all.
    """

    def __init__(self, address: str | None, num_workers: int, patience_s: float) -> None:
        if address and address != "auto":
            refuse_silent(address, "Ray head node")
        self._pipe, theirs = connection.Pipe()
        self._process = get_context("spawn").Process(
            target=drive, args=(theirs, address, num_workers, patience_s), daemon=False
        )
        with interrupts_withheld():
            self._process.start()
        theirs.close()
        self._n_slots = 0
        deadline_s = time.monotonic() + START_SECONDS
        try:
            while not self._n_slots:
                if not self._pipe.poll(max(deadline_s - time.monotonic(), 0)):
                    raise RunError(f"{address or 'ray'}: does not start within {START_SECONDS:.0f} s")
                self._receive()
        except BaseException:
            self.close()
            raise

    def capacity(self) -> int:
        """Two jobs a processor, so that none waits for us; it follows the cluster as that grows or shrinks."""
        return 2 * self._n_slots

    def submit(self, ticket: int, function: Callable[[Any], Any], job: Any) -> None:
        """Hand a job to Ray."""
        try:
            self._pipe.send((ticket, function, job))
        except OSError as error:
            raise RunError(LOST.format("")) from error

    def landed(self) -> list[Landing]:
        """Wait for tasks to end."""
        while True:
            landings = self._receive()
            if landings:
                return landings

    def close(self) -> None:
        """End Ray's process: of a cluster that is not ours it takes back our tasks, the one that is it ends."""
        self._pipe.close()
        end_process(self._process)

    def _receive(self) -> list[Landing]:
        """One message of the driver: how many slots there are, that it is lost, or what has landed."""
        try:
            n_slots, lost, landings = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise RunError(LOST.format("")) from error
        if lost:
            raise RunError(lost if not self._n_slots else LOST.format(f" ({lost})"))
        self._n_slots = n_slots
        return list(landings)
