"""Where the time of a build goes: steps of the process that leads it, and of its workers together."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager

from ecgppg.core.stopwatch import Stopwatch

PARTS = "parts"
"""The step in which workers build and the leading process waits."""


class BuildTimes:
    """Seconds of one run."""

    def __init__(self) -> None:
        self._own = Stopwatch()
        self._workers: Counter[str] = Counter()
        self._began_s = time.monotonic()

    def step(self, name: str) -> AbstractContextManager[None]:
        """Count the time of a block of the leading process."""
        return self._own.step(name)

    def add_part(self, seconds: Mapping[str, float]) -> None:
        """Count in what building a part took, step by step."""
        self._workers.update(seconds)

    @property
    def total_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began_s

    def lines(self) -> list[str]:
        """One line a step, those of the workers below the step in which they work, and what is left."""
        total_s = max(self.total_s, 1e-9)
        steps = self._own.seconds
        rows = [(name, seconds, total_s) for name, seconds in steps.items()]
        rows.append(("everything else", total_s - sum(steps.values()), total_s))
        in_workers = sum(self._workers.values())
        lines = []
        for name, seconds, whole_s in rows:
            lines.append(f"time: {name:<16}{seconds:>10,.1f} s {100 * seconds / whole_s:>4.0f} %")
            if name == PARTS:
                lines += [
                    f"time:   {step:<14}{spent:>10,.1f} s {100 * spent / in_workers:>4.0f} % of all workers' time"
                    for step, spent in self._workers.items()
                ]
        return lines
