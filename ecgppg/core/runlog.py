"""The run's log, on the terminal and in a file, and numbers as people say them."""

import logging
import sys
from pathlib import Path

from ecgppg.core.live import any_shown

LOGGER_NAME = "ecgppg"
PROGRESS_NAME = "ecgppg.progress"
"""Lines that say how far work is: always in the file, on the terminal only where nothing is drawn live."""


class _Screen(logging.StreamHandler):
    """Writes to standard error as it is now: while lines are drawn live, what is written goes above them."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == PROGRESS_NAME and any_shown():
            return
        self.stream = sys.stderr
        super().emit(record)


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
    screen = _Screen(sys.stderr)
    screen.setFormatter(logging.Formatter("%(message)s"))
    screen.setLevel(logging.DEBUG if verbose else logging.INFO)
    log.addHandler(screen)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = logging.FileHandler(path, encoding="utf-8")
        kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        log.addHandler(kept)
    return log


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
