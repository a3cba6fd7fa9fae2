"""The flow of records as a figure: what is left at each step, and beside it what left."""

import textwrap
from collections.abc import Sequence

from ecgppg.stages.record_flow import FlowStep
from ecgppg.stages.report_figures import BLUE, GREY, to_png

_BOX_HEIGHT = 0.72
_WORDS_PER_LINE = 42


def record_flow_png(steps: Sequence[FlowStep]) -> bytes:
    """Boxes of the records left at each step, from top to bottom, with those that left on the right.

    Parameters
    ----------
    steps : sequence of FlowStep

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 0.2 + 0.95 * len(steps)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0.2, 9)
    axes.set_ylim(-len(steps) + 0.55, 0.45)
    for i, step in enumerate(steps):
        words = f"records {step.passed}" if i else "records found"
        text = f"{words}\n{step.n_records:,}, of {step.n_patients:,} patients"
        axes.text(2.3, -i, text, ha="center", va="center", fontsize=10, color="white", linespacing=1.5, bbox=_box(BLUE))
        if not i:
            continue
        arrow = {"arrowstyle": "-|>", "color": "#444444", "shrinkA": 0, "shrinkB": 0}
        half = _BOX_HEIGHT / 2
        axes.annotate("", xy=(2.3, -i + half), xytext=(2.3, -i + 1 - half), arrowprops=arrow)
        middle = -i + 0.5
        axes.annotate("", xy=(4.9, middle), xytext=(2.3, middle), arrowprops=arrow)
        lost = steps[i - 1].n_records - step.n_records
        words = textwrap.fill(step.loss(lost), _WORDS_PER_LINE)
        axes.text(5.1, middle, words, ha="left", va="center", fontsize=9, bbox=_box(GREY))
    return to_png(figure)


def _box(colour: str) -> dict[str, object]:
    return {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": "none"}
