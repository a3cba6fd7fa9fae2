"""One parallel map over jobs: a bounded window of work, and a poisonous job loses only itself.

Results are tiny; state lies in files and never in the engine.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """What became of one job: a result, or None and the number of workers it killed."""

    job: Job
    result: Result | None
    killed_workers: int = 0


def map_jobs(function: Callable[[Job], Result], jobs: Iterable[Job], num_workers: int) -> Iterator[Done[Job, Result]]:
    """Apply `function` to every job; results come in the order in which they end.

    Parameters
    ----------
    function : callable
        A module-level function; with workers it and its jobs are pickled.
    jobs : iterable
        Taken lazily: at most twice as many as workers are in flight.
    num_workers : int
        Worker processes (spawned); 0 runs everything in this process.

    Yields
    ------
    Done
        One per job. When a worker dies, the jobs in flight are run again one by one, and the one that kills its
        worker three times is given up with `result` None.

    Raises
    ------
    Exception
        Whatever `function` raises: its own errors are its business, a dying process is ours.
    """
    if num_workers == 0:
        for job in jobs:
            yield Done(job, function(job))
        return
    waiting = iter(jobs)
    while True:
        suspects = yield from _run_window(function, waiting, num_workers)
        if not suspects:
            return
        for job in suspects:
            yield _run_alone(function, job)


def _run_window(
    function: Callable[[Job], Result], jobs: Iterator[Job], num_workers: int
) -> Generator[Done[Job, Result], None, list[Job]]:
    """Run jobs until there are none or a worker dies; return the jobs that were in flight then."""
    with _pool(num_workers) as pool:
        flying: dict[Future[Result], Job] = {}
        landed: deque[Done[Job, Result]] = deque()
        try:
            while True:
                for job in jobs:
                    try:
                        flying[pool.submit(function, job)] = job
                    except BrokenProcessPool:
                        return [*flying.values(), job]
                    if len(flying) >= 2 * num_workers:
                        break
                if not flying:
                    return []
                finished, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in finished:
                    if isinstance(future.exception(), BrokenProcessPool):
                        continue
                    landed.append(Done(flying.pop(future), future.result()))
                while landed:
                    yield landed.popleft()
                if any(future.done() for future in flying if future in finished):
                    return list(flying.values())
        finally:
            for future in flying:
                future.cancel()


def _run_alone(function: Callable[[Job], Result], job: Job) -> Done[Job, Result]:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with _pool(1) as pool:
            try:
                return Done(job, pool.submit(function, job).result(), killed_workers=attempt - 1)
            except BrokenProcessPool:
                continue
    return Done(job, None, killed_workers=MAX_ATTEMPTS)


def _pool(num_workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"), initializer=_prepare_worker)


def _prepare_worker() -> None:
    """Leave interrupts to the parent, and never outlive it: an orphan could write into a later run's folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()


def _exit_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
