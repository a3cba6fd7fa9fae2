"""Figures of the run's report: where the windows went, and how a figure becomes bytes."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, GREY, RED = "#1f5f8b", "#b8c4cc", "#b5443a"


def attrition_svg(card: dict[str, Any]) -> bytes:
    """Bars of the windows kept and of those dropped by each reason.

    Parameters
    ----------
    card : dict
        Content of dataset_card.json.

    Returns
    -------
    bytes
        An SVG.
    """
    counts = card["counts"]
    unread = counts.get("windows_candidate", 0) - counts.get("windows_judged", 0)
    bars = [("kept", card["n_segments"], BLUE)]
    bars += [(f"dropped: {reason}", n, RED) for reason, n in card["windows_dropped"].items() if n]
    too_few = counts.get("windows_of_left_out_patients", 0)
    bars += [("of patients with too few", too_few, GREY)] if too_few else []
    bars += [("not needed (limit per patient)", unread, GREY)] if unread else []
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 0.6 + 0.34 * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    names, values, colours = zip(*reversed(bars), strict=True)
    drawn = axes.barh(names, values, color=colours, height=0.68)
    axes.bar_label(drawn, labels=[f"{v:,}" for v in values], padding=4, fontsize=9)
    axes.set_xlabel("windows", fontsize=9)
    axes.tick_params(labelsize=9)
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    return to_svg(figure)


def to_svg(figure: "Figure") -> bytes:
    """A matplotlib figure as SVG, the same bytes each time."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "ecgppg", "font.family": "DejaVu Sans"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def to_png(figure: "Figure") -> bytes:
    """A matplotlib figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
