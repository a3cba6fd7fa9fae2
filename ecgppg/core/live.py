"""Lines at the foot of a terminal that are drawn anew while work goes on; the log scrolls by above them."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_shown: list["LiveLines"] = []


def is_live_terminal() -> bool:
    """Whether standard error is a terminal whose lines can be drawn anew."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def any_shown() -> bool:
    """Whether lines are on the terminal now, so that the same need not scroll by as well."""
    return bool(_shown)


class LiveLines:
    """Lines that are asked for anew several times a second.

    Parameters
    ----------
    lines : callable
        ``lines(width, ascii_only)``: what to show in so many columns, without line ends.
    """

    def __init__(self, lines: Callable[[int, bool], list[str]]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._lines = lines
        self._live = Live(self, console=Console(stderr=True, highlight=False), refresh_per_second=4)

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.text import Text

        # The last column stays free: a character there makes some terminals begin a line of their own.
        width = options.max_width - 1
        yield Text("\n".join(self._lines(width, options.ascii_only)), no_wrap=True, overflow="crop")

    def open(self) -> None:
        """Begin to show the lines."""
        self._live.start(refresh=True)
        _shown.append(self)

    def close(self) -> None:
        """Draw them a last time and leave them standing."""
        self._live.stop()
        _shown.remove(self)
