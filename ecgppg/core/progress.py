"""How far a long piece of work is: on a terminal drawn live, and in the log a line a minute."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from ecgppg.core.runlog import PROGRESS_NAME, readable_seconds

QUIET_SECONDS = 60.0
"""Seconds between two lines in the log."""
RECENT_SECONDS = 300.0
"""Seconds that a rate is taken over: what went fast an hour ago says little about the hour to come."""
RATE_STEP_SECONDS = 0.5
BAR_CELLS = (6, 30)


class RecentRate:
    """How fast a growing total grows.

    Parameters
    ----------
    now_s : float
        Time of the start, s.
    """

    def __init__(self, now_s: float) -> None:
        self._seen: deque[tuple[float, float]] = deque([(now_s, 0.0)])

    def see(self, total: float, now_s: float) -> None:
        """Note the total as it is now."""
        if now_s - self._seen[-1][0] >= RATE_STEP_SECONDS:
            self._seen.append((now_s, total))
        while len(self._seen) > 1 and now_s - self._seen[1][0] >= RECENT_SECONDS:
            self._seen.popleft()

    def per_second(self, total: float, now_s: float) -> float:
        """Growth per second over the last minutes; 0 before any time has gone by."""
        then_s, before = self._seen[0]
        return (total - before) / (now_s - then_s) if now_s > then_s else 0.0


class Progress:
    """Counts work that is done, and says how far it is.

    Parameters
    ----------
    what : str
        Name of the work.
    total : float
        Units of work in all. They weigh the work: a patient with twice the windows may count twice.
    unit : str
        Plural name of a unit, for "12 units/s"; empty where the rate is no matter for people.
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, what: str, total: float, unit: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0.0
        self.notes: tuple[str, ...] = ()
        self._clock = clock
        self._began_s = self._said_s = clock()
        self._ended_s: float | None = None
        self._rate = RecentRate(self._began_s)
        self._log = logging.getLogger(PROGRESS_NAME)
        self._lock = threading.Lock()

    def advance(self, units: float, *notes: str) -> None:
        """Add finished units; `notes` are shown behind the time left, the most important first."""
        with self._lock:
            self.done += units
            self.notes = notes
            self._rate.see(self.done, self._clock())

    def begin(self) -> None:
        """Say in the log that it begins."""
        size = f"{self.total:,.0f} {self.unit}" if self.unit else "begins"
        self._log.info("%s: %s", self.what, size)

    def tick(self) -> None:
        """Say in the log how far it is, unless that was said within the last minute."""
        now_s = self._clock()
        if now_s - self._said_s >= QUIET_SECONDS:
            self._said_s = now_s
            self._log.info("%s: %s", self.what, ", ".join([f"{self.percent} %", *self._facts()]))

    def end(self, stopped: bool = False) -> None:
        """Say in the log that it is over, or was stopped before its end."""
        self._ended_s = self._clock()
        took = readable_seconds(self._ended_s - self._began_s)
        state = f"stopped at {self.percent} % after {took}" if stopped else f"done in {took}"
        self._log.info("%s: %s", self.what, ", ".join([state, *self.notes]))

    @property
    def percent(self) -> int:
        """Whole percents done; 100 only at the very end."""
        return int(100 * min(self.done / self.total, 1.0)) if self.total > 0 else 100

    @property
    def rate(self) -> float:
        """Units per second over the last minutes."""
        return self._rate.per_second(self.done, self._clock())

    @property
    def left_s(self) -> float | None:
        """Seconds left at that rate; None while nothing tells."""
        rate = self.rate
        return max(self.total - self.done, 0.0) / rate if rate > 0 else None

    def lines(self, width: int, ascii_only: bool = False) -> list[str]:
        """The same for a terminal: a bar, and behind and below it what fits into `width` columns a line."""
        with self._lock:
            facts = self._facts()
            head = f"{self.what} {{bar}} {self.percent:3d} %"
            room = width - len(head.format(bar=""))
            lines = [f"  {facts[0]}"]
            for fact in facts[1:]:
                first = len(lines) == 1
                fits = len(lines[-1]) + 2 + len(fact) <= (room - BAR_CELLS[0] if first else width)
                lines = [*lines[:-1], f"{lines[-1]}  {fact}"] if fits else [*lines, fact]
            cells = max(min(room - len(lines[0]), BAR_CELLS[1]), 0)
            filled = int(cells * min(self.done / self.total, 1.0)) if self.total > 0 else cells
            full, empty = "#-" if ascii_only else "━╌"
            lines[0] = head.format(bar=full * filled + empty * (cells - filled)) + lines[0]
            return [line if len(line) <= width else line[: max(width - 3, 0)] + "..." for line in lines]

    def _facts(self) -> list[str]:
        """Time left, rate and notes."""
        left_s = self.left_s
        if self._ended_s is not None:
            left = f"in {readable_seconds(self._ended_s - self._began_s)}"
        elif self.done >= self.total:
            left = "finishing"
        else:
            left = "time left unknown" if left_s is None else f"{readable_seconds(left_s)} left"
        return [left, *([f"{self.rate:,.0f} {self.unit}/s"] if self.unit else []), *self.notes]


class _Ticking:
    """Ticks a Progress every second, since the work itself may be silent for minutes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def _run(self) -> None:
        while not self._over.wait(1.0):
            self._progress.tick()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def progress(what: str, total: float, unit: str = "") -> Iterator[Progress]:
    """A Progress that is shown while the block runs, and ends with it however it ends.

    Parameters
    ----------
    what, total, unit
        As for `Progress`.

    Yields
    ------
    Progress
    """
    from ecgppg.core.live import LiveLines, is_live_terminal

    shown = Progress(what, total, unit)
    live = LiveLines(shown.lines) if is_live_terminal() else None
    if live:
        live.open()
    shown.begin()
    stopped = True
    try:
        with _Ticking(shown):
            yield shown
        stopped = False
    finally:
        shown.end(stopped)
        if live:
            live.close()
