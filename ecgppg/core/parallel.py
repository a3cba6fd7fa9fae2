"""One parallel map over jobs, three engines behind it; a poisonous job loses only itself.

Results are tiny; state lies in files and never in the engine.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice

from ecgppg.config.errors import RunError
from ecgppg.core.engine import LOCAL, Engine
from ecgppg.core.jobs import Done, Job, Result, Workers

MAX_ATTEMPTS = 3
HOPELESS_DEATHS = 16
"""So many jobs that end with their worker, and none that ends well: the fault is not in the jobs."""

log = logging.getLogger("ecgppg.parallel")


def map_jobs(
    function: Callable[[Job], Result], jobs: Iterable[Job], num_workers: int, engine: Engine = LOCAL
) -> Iterator[Done[Job, Result]]:
    """Apply `function` to every job; results come in the order in which they end.

    Parameters
    ----------
    function : callable
        A module-level function; with workers it and its jobs are pickled.
    jobs : iterable
        Taken lazily: at most twice as many as workers are in flight.
    num_workers : int
        Worker processes that are started on this machine; 0 runs everything in this process. A cluster that
        `engine` names by its address brings its own workers.
    engine : Engine
        Where the jobs run.

    Yields
    ------
    Done
        One per job. A job whose worker dies is a suspect: when the others are done, the suspects are run again one
        by one, and the one that kills its workers three times more is given up with `result` None.

    Raises
    ------
    ConfigError
        The engine is not installed, or cannot be had with no workers.
    RunError
        A cluster does not answer or is lost, or workers die whatever the job.
    Exception
        Whatever `function` raises: its own errors are its business, a dying process is ours.
    """
    if engine.backend == "local" and num_workers == 0:
        for job in jobs:
            yield Done(job, function(job))
        return
    with engine.started(function, num_workers) as (workers, call):
        yield from _map_bounded(workers, call, iter(jobs))


def _map_bounded(
    workers: Workers, function: Callable[[Job], Result], jobs: Iterator[Job]
) -> Iterator[Done[Job, Result]]:
    tickets = count()
    flying: dict[int, Job] = {}
    suspects: list[Job] = []
    n_done = 0
    while True:
        for job in islice(jobs, max(workers.capacity() - len(flying), 0)):
            ticket = next(tickets)
            workers.submit(ticket, function, job)
            flying[ticket] = job
        if not flying:
            break
        for landing in workers.landed():
            job = flying.pop(landing.ticket)
            if landing.error is not None:
                raise landing.error
            if landing.killed_workers:
                suspects.append(job)
                continue
            n_done += 1
            yield Done(job, landing.result)
        if len(suspects) >= HOPELESS_DEATHS and not n_done:
            raise RunError(f"{len(suspects)} of {len(suspects)} jobs ended with the death of their worker: stopped")
    if suspects:
        log.warning("%d jobs were in hand when their worker died; they are run again, one by one", len(suspects))
    for job in suspects:
        yield _run_alone(workers, function, job, tickets)


def _run_alone(
    workers: Workers, function: Callable[[Job], Result], job: Job, tickets: Iterator[int]
) -> Done[Job, Result]:
    killed = 0
    while killed < MAX_ATTEMPTS:
        workers.submit(next(tickets), function, job)
        (landing,) = workers.landed()
        if landing.error is not None:
            raise landing.error
        if not landing.killed_workers:
            return Done(job, landing.result, killed)
        killed += landing.killed_workers
    return Done(job, None, killed)
