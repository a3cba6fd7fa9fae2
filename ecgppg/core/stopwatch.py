"""Where the time of a piece of work goes, step by step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds by step; a step that is taken several times counts together.

    Attributes
    ----------
    seconds : dict of str to float
        Wall-clock seconds of every step, in the order in which they were first taken.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began_s = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time of the block, however it ends."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began_s

    @property
    def total_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began_s
