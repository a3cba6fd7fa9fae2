"""One map, coloured by cluster, by heart rate, by patient: the third tells whether clusters are patients."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgppg.core.files import atomic_path
from ecgppg.discovery.colours import INK, MUTED, cluster_colour, patient_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNKNOWN = "#dfe3e8"
MOST_NAMES = 30


def draw_map(
    path: Path,
    map_N2: np.ndarray,
    labels_N: np.ndarray,
    subject_id_N: np.ndarray,
    heart_rate_N: np.ndarray | None,
    heading: str,
    method: str,
) -> None:
    """Write the map as a PNG.

    Parameters
    ----------
    path : Path
    map_N2 : array, shape (N, 2)
    labels_N, subject_id_N : array of int
    heart_rate_N : array or None
        bpm, NaN where unknown.
    heading : str
        One line above the panels.
    method : str
        What made the map.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5.7), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.015, right=0.985, top=0.84, bottom=0.11, wspace=0.05)
    figure.text(0.015, 0.955, heading, fontsize=12, color=INK, weight="bold", va="center")
    size = float(np.clip(9000 / max(len(map_N2), 1), 1.2, 16))
    order = np.random.default_rng(0).permutation(len(map_N2))
    order = np.concatenate([order[labels_N[order] < 0], order[labels_N[order] >= 0]])

    def scatter(axes: "Axes", colours: list[str], title: str) -> None:
        x, y = map_N2[order].T
        axes.scatter(x, y, c=[colours[i] for i in order], s=size, linewidths=0)
        _frame(axes, title)

    scatter(panels[0], [cluster_colour(k) for k in labels_N.tolist()], "by cluster")
    _name_clusters(panels[0], map_N2, labels_N)

    known = np.zeros(len(map_N2), bool) if heart_rate_N is None else np.isfinite(heart_rate_N)
    if heart_rate_N is not None and known.any():
        shown = order[known[order]]
        panels[1].scatter(map_N2[~known, 0], map_N2[~known, 1], c=UNKNOWN, s=size, linewidths=0)
        low, high = np.percentile(heart_rate_N[known], [2, 98])
        drawn = panels[1].scatter(
            map_N2[shown, 0], map_N2[shown, 1], c=heart_rate_N[shown], s=size, linewidths=0, cmap="viridis",
            vmin=low, vmax=high,
        )  # fmt: skip
        _frame(panels[1], "by heart rate")
        bar = figure.colorbar(drawn, cax=panels[1].inset_axes((0.3, -0.06, 0.4, 0.025)), orientation="horizontal")
        bar.ax.tick_params(labelsize=8, colors=MUTED, length=2)
        bar.outline.set_visible(False)
        panels[1].text(0.72, -0.048, "bpm", transform=panels[1].transAxes, fontsize=8, color=MUTED, va="center")
    else:
        scatter(panels[1], [UNKNOWN] * len(map_N2), "by heart rate: unknown")

    scatter(panels[2], [patient_colour(s) for s in subject_id_N.tolist()], "by patient")
    panels[2].text(
        0.5, -0.048, "islands of one colour are patients, not patterns", transform=panels[2].transAxes,
        fontsize=8, color=MUTED, ha="center", va="center",
    )  # fmt: skip
    axis_name = "UMAP" if method == "umap" else "principal component"
    panels[0].text(
        0.5, -0.048, f"{axis_name} 1 and 2: near means alike, axes have no unit", transform=panels[0].transAxes,
        fontsize=8, color=MUTED, ha="center", va="center",
    )  # fmt: skip
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


def _name_clusters(axes: "Axes", map_N2: np.ndarray, labels_N: np.ndarray) -> None:
    """The numbers of the largest clusters, each beside its medoid on the map."""
    import matplotlib.patheffects as effects

    for k in range(min(int(labels_N.max(initial=-1)) + 1, MOST_NAMES)):
        points = map_N2[labels_N == k]
        middle = points[np.argmin(np.abs(points - np.median(points, axis=0)).sum(axis=1))]
        name = axes.annotate(
            str(k),
            middle,
            xytext=(7, 7),
            textcoords="offset points",
            fontsize=12,
            weight="bold",
            color=cluster_colour(k),
        )
        name.set_path_effects([effects.withStroke(linewidth=3.5, foreground="white")])


def _frame(axes: "Axes", title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=10.5, color=INK, loc="left", pad=5)
    for side in axes.spines.values():
        side.set_color("#e3e7ec")
    axes.margins(0.04)
