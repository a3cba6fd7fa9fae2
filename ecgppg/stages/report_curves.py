"""Curves of the run's report: what each epoch measured, as small panels side by side."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecgppg.stages.report_figures import BLUE, GREY, RED, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = (3, 4)
"""Panels in a row: whichever leaves fewer places empty."""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes
    ----------
    words : str
        Its title.
    lines : tuple of (key, name)
        Keys of metrics.jsonl, and their names in the legend where there are more than one.
    limit : float or None
        Drawn across, in red, with the side that is bad shaded.
    bad_below : bool
        Which side that is.
    limit_words : str
        What stands at it.
    zero_based : bool
        Whether the axis has to hold 0.
    """

    words: str
    lines: tuple[tuple[str, str], ...]
    limit: float | None = None
    bad_below: bool = True
    limit_words: str = ""
    zero_based: bool = False


def curves_svg(rows: Sequence[dict[str, Any]], panels: Iterable[Panel], best_epoch: int | None = None) -> bytes:
    """Panels that have something to show, as an SVG; empty where none has.

    Parameters
    ----------
    rows : sequence of dict
        Lines of metrics.jsonl. What is absent, or no finite number, is left out of a line.
    panels : iterable of Panel
    best_epoch : int, optional
        Marked by an upright line.
    """
    shown = [panel for panel in panels if any(series(rows, key)[0] for key, _ in panel.lines)]
    if not shown:
        return b""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, key=lambda n: -len(shown) % n)
    n_rows = -(-len(shown) // columns)
    figure = Figure(figsize=(10.4, 2.6 * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, shown, strict=False):
        _draw(axes, rows, panel, best_epoch)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    return to_svg(figure)


def series(rows: Sequence[dict[str, Any]], key: str) -> tuple[list[int], list[float]]:
    """Epochs and values of one measure, where it is a finite number."""
    known = [(row["epoch"], row[key]) for row in rows if is_number(row.get(key))]
    return [epoch for epoch, _ in known], [value for _, value in known]


def is_number(value: Any) -> bool:
    """Whether a measure is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _draw(axes: "Axes", rows: Sequence[dict[str, Any]], panel: Panel, best_epoch: int | None) -> None:
    from matplotlib.ticker import MaxNLocator

    last = max(row["epoch"] for row in rows)
    for colour, (key, name) in zip((BLUE, RED, GREY), panel.lines, strict=False):
        epochs, values = series(rows, key)
        marker = "o" if len(epochs) <= 30 else None
        axes.plot(epochs, values, color=colour, label=name, marker=marker, markersize=3, linewidth=1.6)
    if len([key for key, _ in panel.lines if series(rows, key)[0]]) > 1:
        axes.legend(frameon=False, fontsize=8.5)
    axes.set_title(panel.words, fontsize=9.5, loc="left", color="#1d2830")
    axes.set_xlabel("epoch", fontsize=9)
    axes.set_xlim(0.6, last + 0.4)
    axes.tick_params(labelsize=8.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e8edf0", linewidth=0.8)
    axes.set_axisbelow(True)
    if best_epoch is not None:
        axes.axvline(best_epoch, color="#2f8f5b", linewidth=1, linestyle=(0, (4, 3)))
    if panel.zero_based:
        axes.set_ylim(0, 1.08 * max(axes.get_ylim()[1], panel.limit or 0))
    if panel.limit is not None:
        _draw_limit(axes, panel, panel.limit)


def _draw_limit(axes: "Axes", panel: Panel, limit: float) -> None:
    low, high = axes.get_ylim()
    room = 0.12 * (max(high, limit) - min(low, limit))
    low, high = min(low, limit - (room if panel.bad_below and not panel.zero_based else 0)), max(high, limit + room)
    axes.axhline(limit, color=RED, linewidth=1)
    axes.axhspan(low if panel.bad_below else limit, limit if panel.bad_below else high, color=RED, alpha=0.08)
    axes.set_ylim(low, high)
    axes.annotate(
        panel.limit_words, (0.99, limit), xycoords=("axes fraction", "data"), xytext=(0, 3 if panel.bad_below else -3),
        textcoords="offset points", ha="right", va="bottom" if panel.bad_below else "top", fontsize=8, color=RED,
    )  # fmt: skip
