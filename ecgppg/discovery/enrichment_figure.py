"""Clusters by labels: colour for how much more time, size for the evidence, a ring for what survives correction."""

from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.core.files import atomic_path
from ecgppg.discovery.colours import INK, MUTED, cluster_colour
from ecgppg.discovery.validation_report import known_in, readable_label

MOST_LABELS, MOST_CLUSTERS = 28, 24


def draw_enrichment(path: Path, content: dict[str, Any]) -> None:
    """Write enrichment.png from the content of validation.json; it needs at least one test."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.figure import Figure

    tests = content["associations"]
    # Tests come best first: the labels with something to say are kept where there are too many.
    labels = sorted(list(dict.fromkeys(a["label"] for a in tests))[:MOST_LABELS])
    clusters = sorted(dict.fromkeys(a["cluster"] for a in tests))[:MOST_CLUSTERS]
    row = {name: i for i, name in enumerate(labels)}
    column = {k: i for i, k in enumerate(clusters)}
    shown = [a for a in tests if a["label"] in row and a["cluster"] in column]
    width, height = 4.6 + 0.55 * len(clusters), 2.05 + 0.36 * len(labels)
    figure = Figure(figsize=(max(width, 8.2), height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    width = figure.get_figwidth()
    axes = figure.add_axes((3.3 / width, 0.75 / height, 0.55 * len(clusters) / width, 0.36 * len(labels) / height))
    points = np.array([100 * (a["difference"]["estimate"] or 0.0) for a in shown])
    most = max(float(np.abs(points).max()), 5.0)
    evidence = np.clip(-np.log10([a["p"] for a in shown]) / 3, 0.08, 1)
    x, y = [column[a["cluster"]] for a in shown], [row[a["label"]] for a in shown]
    drawn = axes.scatter(
        x, y, c=points, s=290 * evidence, cmap="RdBu_r", norm=TwoSlopeNorm(0, -most, most), linewidths=0
    )
    axes.scatter(x, y, s=290 * evidence, facecolors="none", edgecolors="#aab2bd", linewidths=0.6)
    sure = [i for i, a in enumerate(shown) if a["significant"]]
    axes.scatter([x[i] for i in sure], [y[i] for i in sure], s=430, facecolors="none", edgecolors=INK, linewidths=1.8)
    axes.set(xlim=(-0.6, len(clusters) - 0.4), ylim=(len(labels) - 0.4, -0.6))
    starred = {a["cluster"] for a in shown if a["patient_cluster"]}
    axes.set_xticks(range(len(clusters)), [f"{k}{'*' if k in starred else ''}" for k in clusters], fontsize=10)
    for tick, k in zip(axes.get_xticklabels(), clusters, strict=True):
        tick.set(color=cluster_colour(k), weight="bold")
    axes.set_yticks(range(len(labels)), [readable_label(name) for name in labels], fontsize=9, color=INK)
    known = {a["label"]: known_in(a, content) for a in shown}
    for name, i in row.items():
        axes.text(1.02, i, known[name], transform=axes.get_yaxis_transform(), fontsize=8, color=MUTED, va="center")
    axes.text(
        1.02, len(labels) - 0.1, "known in", transform=axes.get_yaxis_transform(), fontsize=8, color=MUTED, va="center"
    )
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel("cluster" + ("   (* mostly one patient)" if starred else ""), fontsize=9, color=MUTED)

    left = 0.2 / width
    figure.text(
        left, 1 - 0.3 / height, "Time in each pattern, by diagnosis", fontsize=13, weight="bold", color=INK, va="center"
    )
    tests_made = f"{content['n_patients']} patients, {content['n_tests']} tests"
    words = f"{tests_made}; larger: smaller p; ringed: q ≤ {content['alpha']:g}"
    figure.text(left, 1 - 0.58 / height, words, fontsize=9, color=MUTED, va="center")
    bar = figure.colorbar(
        drawn, cax=figure.add_axes((3.3 / width, 1 - 1.0 / height, 1.9 / width, 0.1 / height)), orientation="horizontal"
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=MUTED, length=2)
    figure.text(
        5.35 / width, 1 - 0.96 / height, "% of time more, with the label", fontsize=8.5, color=MUTED, va="center"
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
