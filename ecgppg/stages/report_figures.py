"""Figures of the run's report: where the windows went, how the loss fell."""

import io
from typing import Any

BLUE, GREY, RED = "#1f5f8b", "#b8c4cc", "#b5443a"


def attrition_png(card: dict[str, Any]) -> bytes:
    """Bars of the windows kept and of those dropped by each reason.

    Parameters
    ----------
    card : dict
        Content of dataset_card.json.

    Returns
    -------
    bytes
        A PNG.
    """
    counts = card["counts"]
    unread = counts.get("windows_candidate", 0) - counts.get("windows_judged", 0)
    bars = [("kept", card["n_segments"], BLUE)]
    bars += [(f"dropped: {reason}", n, RED) for reason, n in card["windows_dropped"].items() if n]
    too_few = counts.get("windows_of_left_out_patients", 0)
    bars += [("of patients with too few", too_few, GREY)] if too_few else []
    bars += [("not needed (limit per patient)", unread, GREY)] if unread else []
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 0.5 + 0.36 * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    names, values, colours = zip(*reversed(bars), strict=True)
    drawn = axes.barh(names, values, color=colours, height=0.7)
    axes.bar_label(drawn, labels=[f"{v:,}" for v in values], padding=4, fontsize=9)
    axes.set_xlabel("windows")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def training_png(rows: list[dict[str, Any]]) -> bytes:
    """Loss, gradient norm and effective rank by epoch, side by side.

    Parameters
    ----------
    rows : list of dict
        Lines of metrics.jsonl.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 2.9), layout="constrained")
    panels = figure.subplots(1, 3)
    epochs = [row["epoch"] for row in rows]
    panels[0].plot(epochs, [row["train_loss"] for row in rows], "o-", color=BLUE, label="train", markersize=3)
    validated = [(e, row["val_loss"]) for e, row in zip(epochs, rows, strict=True) if row.get("val_loss") is not None]
    if validated:
        panels[0].plot(*zip(*validated, strict=True), "o-", color=RED, label="val", markersize=3)
    panels[0].set_ylabel("NT-Xent loss")
    panels[0].legend(frameon=False)
    for axes, key, words in (
        (panels[1], "grad_norm", "gradient norm"),
        (panels[2], "effective_rank", "effective rank"),
    ):
        axes.plot(epochs, [row.get(key) for row in rows], "o-", color=BLUE, markersize=3)
        axes.set_ylabel(words)
    for axes in panels:
        axes.set_xlabel("epoch")
        axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return to_png(figure)


def to_png(figure: Any) -> bytes:
    """A matplotlib figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
