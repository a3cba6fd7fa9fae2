"""Where the time of a build goes: steps of the process that leads it, and of its workers together."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

PARTS = "parts"
"""The step in which workers build and the leading process waits."""


class BuildTimes:
    """Seconds of one run."""

    def __init__(self) -> None:
        self._own: dict[str, float] = {}
        self._within_s: list[float] = []
        self._workers: Counter[str] = Counter()
        self._began_s = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time of a block of the leading process, less that of the steps within it."""
        began_s = time.monotonic()
        self._own.setdefault(name, 0.0)
        self._within_s.append(0.0)
        try:
            yield
        finally:
            took_s = time.monotonic() - began_s
            self._own[name] += took_s - self._within_s.pop()
            if self._within_s:
                self._within_s[-1] += took_s

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
        rows = [(name, seconds, total_s) for name, seconds in self._own.items()]
        rows.append(("everything else", total_s - sum(self._own.values()), total_s))
        in_workers = max(sum(self._workers.values()), 1e-9)
        lines = []
        for name, seconds, whole_s in rows:
            lines.append(f"time: {name:<16}{seconds:>10,.1f} s {100 * seconds / whole_s:>4.0f} %")
            if name == PARTS:
                lines += [
                    f"time:   {step:<14}{spent:>10,.1f} s {100 * spent / in_workers:>4.0f} % of all workers' time"
                    for step, spent in self._workers.items()
                ]
        return lines
