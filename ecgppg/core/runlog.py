"""The run's log and its progress line: a bar on a terminal, a line a minute without one."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOGGER_NAME = "ecgppg"
QUIET_SECONDS = 60.0


def start_log(path: Path | None, verbose: bool = False) -> logging.Logger:
    """Send the project's log to the terminal and, where a path is given, to a file.

    Parameters
    ----------
    path : Path or None
        Appended to; its folder is made.
    verbose : bool
        Show details (one line per damaged file) on the terminal too; the file always has them.
    """
    log = logging.getLogger(LOGGER_NAME)
    for handler in list(log.handlers):
        handler.close()
        log.removeHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(logging.Formatter("%(message)s"))
    screen.setLevel(logging.DEBUG if verbose else logging.INFO)
    log.addHandler(screen)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = logging.FileHandler(path, encoding="utf-8")
        kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        log.addHandler(kept)
    return log


class Progress:
    """Counts done units and says rate, time left and a note, on a bar or in the log.

    Parameters
    ----------
    what : str
        Name of the work.
    total : float
        Units of work in all.
    unit : str
        Name of one unit, plural.
    """

    def __init__(self, what: str, total: float, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0.0
        self.began_s = self.said_s = time.monotonic()
        self._log = logging.getLogger(LOGGER_NAME)
        self._bar = _Bar(what, total) if sys.stderr.isatty() else None

    def advance(self, units: float, note: str = "") -> None:
        """Add finished units; `note` is shown behind the rate."""
        self.done += units
        now_s = time.monotonic()
        if self._bar is not None:
            self._bar.update(self.done, f"{self.rate:,.0f} {self.unit}/s {note}")
        elif now_s - self.said_s >= QUIET_SECONDS:
            self.said_s = now_s
            left_s = (self.total - self.done) / max(self.rate, 1e-9)
            share = 100 * self.done / max(self.total, 1e-9)
            self._log.info(
                "%s: %.0f %% of %s %s, %.0f/s, %s left %s",
                self.what, share, f"{self.total:,.0f}", self.unit, self.rate, readable_seconds(left_s), note,
            )  # fmt: skip

    @property
    def rate(self) -> float:
        """Units per second since the start."""
        return self.done / max(time.monotonic() - self.began_s, 1e-9)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


class _Bar:
    def __init__(self, what: str, total: float) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        self._rich = RichProgress(
            *columns, TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=Console(stderr=True)
        )
        self._rich.start()
        self._task = self._rich.add_task(what, total=total, note="")

    def update(self, done: float, note: str) -> None:
        self._rich.update(self._task, completed=done, note=note)

    def close(self) -> None:
        self._rich.stop()


@contextmanager
def progress(what: str, total: float, unit: str) -> Iterator[Progress]:
    """A Progress that is closed however the block ends."""
    bar = Progress(what, total, unit)
    try:
        yield bar
    finally:
        bar.close()


def readable_seconds(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def readable_bytes(n_bytes: float) -> str:
    """Bytes as people say them, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(n_bytes) < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.2f} TB"
