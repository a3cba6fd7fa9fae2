"""Workers on this machine: one spawned process each, so that a death tells which job it was."""

import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from ecgppg.config.errors import RunError
from ecgppg.core.jobs import Landing

GRACE_SECONDS = 10.0


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    ticket: int | None = None


class LocalWorkers:
    """Spawned processes that take one job after the other.

    Parameters
    ----------
    num_workers : int
        Processes, at least 1.
    """

    def __init__(self, num_workers: int) -> None:
        self._workers: list[_Worker] = []
        for _ in range(num_workers):
            self._workers.append(_start())

    def capacity(self) -> int:
        """One job a process."""
        return len(self._workers)

    def submit(self, ticket: int, function: Callable[[Any], Any], job: Any) -> None:
        """Hand a job to an idle process; one that died idle is replaced."""
        at = next(i for i, worker in enumerate(self._workers) if worker.ticket is None)
        for _ in range(2):
            try:
                self._workers[at].pipe.send((function, job))
                break
            except OSError:
                self._replace(at)
        else:
            raise RunError("worker processes end as soon as they are started")
        self._workers[at].ticket = ticket

    def landed(self) -> list[Landing]:
        """Wait for answers or deaths."""
        busy = [worker for worker in self._workers if worker.ticket is not None]
        ready = set(connection.wait([end for w in busy for end in (w.pipe, w.process.sentinel)]))
        landings = []
        for at, worker in enumerate(self._workers):
            if worker.ticket is None or not {worker.pipe, worker.process.sentinel} & ready:
                continue
            ticket, worker.ticket = worker.ticket, None
            try:
                # An answer may lie in the pipe of a process that has died since.
                if not worker.pipe.poll():
                    raise EOFError
                result, error = worker.pipe.recv()
                landings.append(Landing(ticket, result, error))
            except (EOFError, OSError):
                self._replace(at)
                landings.append(Landing(ticket, killed_workers=1))
        return landings

    def close(self) -> None:
        """End every process: the idle ones by themselves, the others at once."""
        for worker in self._workers:
            worker.pipe.close()
            if worker.ticket is not None:
                worker.process.kill()
        for worker in self._workers:
            end_process(worker.process)
        self._workers = []

    def _replace(self, at: int) -> None:
        self._workers[at].pipe.close()
        end_process(self._workers[at].process)
        self._workers[at] = _start()


def end_process(process: SpawnProcess, grace_seconds: float = GRACE_SECONDS) -> None:
    """Wait for a process that was told to end, and kill it when it does not."""
    process.join(grace_seconds)
    if process.is_alive():
        process.kill()
        process.join()
    process.close()


@contextmanager
def interrupts_withheld() -> Iterator[None]:
    """Processes and threads started in the block never see Ctrl-C; one that comes meanwhile waits for its end."""
    # Python starts this helper with the first process, and lets Ctrl-C through again when it has.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent(delay_seconds: float = 0.0) -> None:
    """Never outlive the parent: an orphan could write into a later run's folder."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel, delay_seconds), daemon=True).start()


def portable(error: Exception) -> Exception:
    """An exception that survives the way to another process, with its traceback as a note."""
    error.add_note(f"in a worker:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RunError(f"{type(error).__name__}: {error}")
    return error


def _start() -> _Worker:
    ours, theirs = connection.Pipe()
    process = get_context("spawn").Process(target=_work, args=(theirs,), daemon=True)
    with interrupts_withheld():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection) -> None:
    die_with_parent()
    while True:
        try:
            function, job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[Any, Exception | None] = (function(job), None)
        except Exception as error:
            answer = (None, portable(error))
        try:
            pipe.send(answer)
        except OSError:
            return  # the parent has ended and wants no answer


def _exit_after(sentinel: int, delay_seconds: float) -> None:
    connection.wait([sentinel])
    time.sleep(delay_seconds)
    os._exit(1)
