"""Interrupts that wait for the end of a step, so that what is saved is never half a step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ecgppg.config.errors import Terminated


class Interruption:
    """Remembers a signal until the work is at a place where it can be saved."""

    def __init__(self) -> None:
        self.pending: type[BaseException] | None = None

    def check(self) -> None:
        """Raise what has arrived: Terminated for SIGTERM, KeyboardInterrupt for SIGINT."""
        if self.pending is not None:
            arrived, self.pending = self.pending, None
            raise arrived

    def note(self, number: int, frame: FrameType | None) -> None:
        """Signal handler. Ctrl-C again does not wait: the last saved state is then what is left.

        A repeated SIGTERM does wait: a scheduler that ends a whole group of processes reaches one twice, by itself and
        through what started it.
        """
        if self.pending is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.pending = self.pending or (Terminated if number == signal.SIGTERM else KeyboardInterrupt)


@contextmanager
def interrupts_deferred() -> Iterator[Interruption]:
    """Hold SIGTERM and SIGINT back in the block, for `check()` to raise; outside the main thread nothing changes."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, interruption.note) for number in numbers]
    try:
        yield interruption
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
