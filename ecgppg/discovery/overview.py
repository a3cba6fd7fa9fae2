"""All clusters on one page: a strip of each, whose it is, its rate and irregularity with intervals, its stability."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgppg.core.files import atomic_path
from ecgppg.discovery.colours import INK, MUTED, cluster_colour
from ecgppg.discovery.strip_data import Strip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 24
ROW_INCH, HEAD_INCH, FOOT_INCH = 0.62, 1.25, 0.75
COLUMNS = (("heart_rate_bpm", "heart rate, bpm"), ("rr_cv", "RR variation (CV)"), ("quality", "signal quality"))
WARN = "#b3261e"


def draw_overview(
    path: Path, clusters: list[dict[str, Any]], strips: dict[int, Strip], heading: str, overall: dict[str, Any]
) -> None:
    """Write the overview as a PNG.

    Parameters
    ----------
    path : Path
    clusters : list of dict
        As in discovered_patterns.json.
    strips : dict of Strip
        By segment_id; the first exemplar of each cluster is drawn where it is there.
    heading : str
        Title line.
    overall : dict
        Descriptors of all selected windows: their medians are the dotted lines.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = clusters[:MOST_ROWS]
    n = len(shown)
    height = HEAD_INCH + n * ROW_INCH + FOOT_INCH
    figure = Figure(figsize=(14.5, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.015, 1 - 0.32 / height, heading, fontsize=13, weight="bold", color=INK, va="center")
    figure.text(
        0.015, 1 - 0.62 / height, "point: median over windows; line: 95 % interval over patients; dotted: all windows",
        fontsize=9, color=MUTED, va="center",
    )  # fmt: skip
    bottom, span = FOOT_INCH / height, n * ROW_INCH / height

    def panel(left: float, width: float, title: str) -> "Axes":
        axes = figure.add_axes((left, bottom, width, span))
        axes.set_ylim(n - 0.5, -0.5)
        axes.set_yticks([])
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color("#c9ced6")
        axes.tick_params(labelsize=8, colors=MUTED, length=3, color="#c9ced6")
        for i in range(0, n, 2):
            axes.axhspan(i - 0.5, i + 0.5, color="#f5f7f9", zorder=0, linewidth=0)
        axes.set_title(title, fontsize=9.5, color=INK, loc="left", pad=7)
        return axes

    _names(panel(0.015, 0.175, "cluster"), shown)
    _strips(panel(0.19, 0.285, "its most central window, ECG 10 s"), shown, strips)
    for i, (name, title) in enumerate(COLUMNS):
        _intervals(panel(0.49 + 0.128 * i, 0.113, title), shown, name, overall)
    _stability(panel(0.875, 0.105, "stability (Jaccard)"), shown)
    if len(clusters) > n:
        figure.text(
            0.015, 0.2 / height, f"{len(clusters) - n} smaller clusters are in the JSON", fontsize=8, color=MUTED
        )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


def _names(axes: "Axes", clusters: list[dict[str, Any]]) -> None:
    axes.set(xlim=(0, 1))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for i, c in enumerate(clusters):
        axes.text(
            0.06, i, str(c["id"]), fontsize=14, weight="bold", color=cluster_colour(c["id"]), ha="center", va="center"
        )
        axes.text(
            0.16, i - 0.17, f"{c['n_segments']:,} windows, {c['n_patients']} patient{'s' * (c['n_patients'] != 1)}",
            fontsize=9, color=INK, va="center",
        )  # fmt: skip
        words = f"largest patient {c['largest_patient_share']:.0%}"
        if c["patient_cluster"]:
            words = f"one patient holds {c['largest_patient_share']:.0%}"
        axes.text(0.16, i + 0.2, words, fontsize=8, color=WARN if c["patient_cluster"] else MUTED, va="center")


def _strips(axes: "Axes", clusters: list[dict[str, Any]], strips: dict[int, Strip]) -> None:
    axes.set(xlim=(0, 10))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for i, c in enumerate(clusters):
        strip = strips.get(int(c["exemplar_segment_ids"][0]))
        trace = None if strip is None else strip.ecg_T if strip.ecg_T is not None else strip.ppg_T
        if strip is None or trace is None:
            axes.text(5, i, "no signal at hand", fontsize=8, color=MUTED, ha="center", va="center")
            continue
        low, high = float(trace.min()), float(trace.max())
        t = np.arange(len(trace)) / strip.fs_hz
        axes.plot(t, i + 0.4 - 0.8 * (trace - low) / max(high - low, 1e-9), color=INK, linewidth=0.75)


def _intervals(axes: "Axes", clusters: list[dict[str, Any]], name: str, overall: dict[str, Any]) -> None:
    for i, c in enumerate(clusters):
        found = c["descriptors"].get(name)
        if found is None:
            axes.text(0.5, i, "–", transform=axes.get_yaxis_transform(), color=MUTED, ha="center", va="center")
            continue
        colour = cluster_colour(c["id"])
        if found["low"] is not None:
            axes.plot([found["low"], found["high"]], [i, i], color=colour, linewidth=2.2, solid_capstyle="round")
        # Without an interval (one patient) the point stays hollow.
        fill = colour if found["low"] is not None else "white"
        axes.plot(found["estimate"], i, "o", markersize=6, color=colour, markerfacecolor=fill)
    if overall.get(name):
        axes.axvline(overall[name]["estimate"], color=MUTED, linewidth=1, linestyle=":", zorder=1)
    axes.margins(x=0.12)
    axes.locator_params(axis="x", nbins=4)


def _stability(axes: "Axes", clusters: list[dict[str, Any]]) -> None:
    for i, c in enumerate(clusters):
        axes.barh(i, c["stability"], height=0.32, color=cluster_colour(c["id"]), alpha=0.85)
        axes.text(c["stability"] + 0.03, i, f"{c['stability']:.2f}", fontsize=8, color=INK, va="center")
    axes.axvline(0.75, color=MUTED, linewidth=1, linestyle=":", zorder=1)
    axes.set_xlim(0, 1.15)
    axes.set_xticks([0, 0.5, 1])
