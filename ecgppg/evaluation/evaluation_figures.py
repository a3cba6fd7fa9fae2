"""Figures of an evaluation: AUROCs beside one another, few-label curves, and a map of the recordings.

Shapes: U units, D dimensions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgppg.core.files import atomic_path
from ecgppg.evaluation.evaluation_page import Row, interval_text, shown
from ecgppg.evaluation.paired import Representation
from ecgppg.evaluation.probes_scaling import standardised
from ecgppg.evaluation.units import Units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's hues, told apart by colour-blind eyes; each kind of method has a marker of its own as well.
STYLES = {
    "untrained": ("#8a8f98", "v"),
    "hand-made": ("#e69f00", "^"),
    "embedding +": ("#009e73", "s"),
    "embedding": ("#0072b2", "o"),
    "network fine-tuned": ("#cc79a7", "P"),
    "": ("#d55e00", "D"),
}
"""Colour and marker by how the name of a method begins; the last is for networks trained on the label."""
INK, MUTED, FAINT = "#1f2933", "#66727f", "#d5dae1"
WITH, WITHOUT = "#d55e00", "#0072b2"
DPI = 150
ROW_INCHES = 0.34


def draw_forest(path: Path, results: dict[str, Any], least: int = 1) -> None:
    """The first measure of every method with its interval, and below the paired differences.

    Parameters
    ----------
    path : Path
        PNG to write.
    results : dict
        See `evaluation_page`; one method at least. `ticks` says what the values under `seeds` are, where not of seeds.
    least : int
        Counts of patients above 0 and under this are hidden.
    """
    measure = results["results"][0]["measure"]
    methods = [row for row in results["results"] if row["measure"] == measure]
    pairs = results.get("differences") or []
    heights = [len(methods) + 1.6] + ([len(pairs) + 1.6] if pairs else [])
    figure = _figure(9.6, 0.5 + ROW_INCHES * sum(heights))
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _rows(axes[0], [row["method"] for row in methods], methods, [style(row["method"]) for row in methods])
    _mark_seeds(axes[0], methods)
    axes[0].set_xlabel(f"{measure} (95 % interval over patients; ticks: {results.get('ticks', 'seeds')})")
    low, high = axes[0].get_xlim()
    if measure == "AUROC" and low < 0.52:
        axes[0].axvline(0.5, color=MUTED, linestyle="--", linewidth=1, zorder=0)
    axes[0].set_xlim(low, min(high, 1.005) if measure in ("AUROC", "R2") else high)
    title = f"{results['question']}: {shown(results['n_patients'], least)} patients"
    if "n_patients_with" in results:
        title += f", {shown(results['n_patients_with'], least)} with the label"
    axes[0].set_title(title, loc="left", fontsize=11, color=INK)
    if pairs:
        labels = [_pair_label(row) for row in pairs]
        _rows(axes[1], labels, pairs, [(MUTED if _holds_zero(row) else INK, "o") for row in pairs], sign=True)
        axes[1].axvline(0, color=MUTED, linestyle="--", linewidth=1, zorder=0)
        axes[1].set_xlabel("difference in AUROC on the same patients (grey: the interval holds 0)")
    _save(figure, path)


def draw_few_labels(path: Path, results: dict[str, Any]) -> None:
    """AUROC against the number of labelled recordings, with bands over draws and patients.

    The dashed lines are what networks trained on all labels reach.

    Parameters
    ----------
    path : Path
        PNG to write.
    results : dict
        See `evaluation_page`; one row of few labels at least.
    """
    figure = _figure(7.2, 5.0)
    axes = figure.subplots()
    _clean(axes)
    rows = results["few_labels"]
    for method in dict.fromkeys(row["method"] for row in rows):
        _band(axes, method, sorted((r for r in rows if r["method"] == method), key=lambda row: row["n_labels"]))
    for row in results["results"]:
        if style(row["method"]) == STYLES[""] and row["estimate"] is not None:
            axes.axhline(row["estimate"], color=STYLES[""][0], linestyle="--", linewidth=1.1,
                         label=f"{row['method']}, all labels")  # fmt: skip
    sizes = sorted({row["n_labels"] for row in rows})
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.minorticks_off()
    axes.set(xlabel="labelled recordings (half with the label)", ylabel="AUROC of the patients outside")
    axes.set_title(results["question"], loc="left", fontsize=11, color=INK)
    figure.legend(fontsize=8.5, frameon=False, loc="outside lower center", ncols=2)
    _save(figure, path)


def style(method: str) -> tuple[str, str]:
    """Colour and marker of a method."""
    return next(found for begin, found in sorted(STYLES.items(), reverse=True) if method.startswith(begin))


def draw_map(
    path: Path, representation: Representation, units: Units, fold_U: np.ndarray, names: tuple[str, str]
) -> None:
    """Recordings of each fold along the first two principal axes of the others, coloured by label.

    Each fold has a panel of its own, for each may have an encoder of its own. The axes are those of the recordings
    outside the fold, which stand grey behind.

    Parameters
    ----------
    path : Path
        PNG to write.
    representation : Representation
        One matrix a fold.
    units : Units
    fold_U : array of int
        Outer fold of each unit.
    names : (str, str)
        What label 1 and label 0 are called.
    """
    folds = np.unique(fold_U).tolist()
    n_columns = min(len(folds), 3)
    n_rows = -(-len(folds) // n_columns)
    figure = _figure(3.1 * n_columns, 3.0 * n_rows + 0.5)
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, fold in zip(axes, folds, strict=False):
        test = np.asarray(fold_U) == fold
        around, inside, shares = _principal(representation.x_F[fold][~test], representation.x_F[fold][test])
        panel.scatter(*around.T, s=8, color=FAINT, linewidths=0)
        y_U = units.y_U[test]
        for value, colour, marker in ((0, WITHOUT, "o"), (1, WITH, "^")):
            panel.scatter(*inside[y_U == value].T, s=16, color=colour, marker=marker, alpha=0.8, linewidths=0)
        panel.set(xticks=[], yticks=[])
        panel.set_xlabel(f"axis 1 ({100 * shares[0]:.0f} % of the variance)", fontsize=8, color=MUTED)
        panel.set_ylabel(f"axis 2 ({100 * shares[1]:.0f} %)", fontsize=8, color=MUTED)
        panel.set_title(f"fold {fold + 1}: {int(y_U.sum())} of {len(y_U)} {names[0]}", fontsize=9, color=INK)
        panel.spines[:].set_color(FAINT)
    for panel in axes[len(folds) :]:
        panel.set_visible(False)
    figure.suptitle(f"{representation.name}", x=0.01, ha="left", fontsize=11, color=INK)
    handles = [
        axes[0].scatter([], [], s=24, color=colour, marker=marker, label=label, linewidths=0)
        for label, colour, marker in ((names[0], WITH, "^"), (names[1], WITHOUT, "o"), ("outside the fold", FAINT, "o"))
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, fontsize=8.5, frameon=False)
    _save(figure, path)


def _principal(x_out: np.ndarray, x_in: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates of both on the two first axes of the former, and the share of variance of each axis."""
    z_out, z_in = standardised(x_out, x_in)
    _, value, axes = np.linalg.svd(z_out - z_out.mean(axis=0), full_matrices=False)
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    around, inside = z_out @ axes.T, z_in @ axes.T
    return around, inside, (value**2 / (value**2).sum())[:2]


def _rows(
    axes: "Axes", labels: Sequence[str], rows: Sequence[Row], styles: Sequence[tuple[str, str]], sign: bool = False
) -> None:
    _clean(axes)
    axes.grid(axis="y", visible=False)
    axes.locator_params(axis="x", nbins=6)
    for at, (row, (colour, marker)) in enumerate(zip(rows, styles, strict=True)):
        if row["low"] is not None and row["high"] is not None:
            axes.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=2.2, solid_capstyle="round")
        if row["estimate"] is not None:
            axes.plot(row["estimate"], at, marker, color=colour, markersize=6.5, zorder=3)
        axes.text(1.015, at, interval_text(row, sign=sign), transform=axes.get_yaxis_transform(), va="center",
                  fontsize=9, color=INK)  # fmt: skip
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.spines["left"].set_visible(False)


def _mark_seeds(axes: "Axes", methods: Sequence[Row]) -> None:
    for at, row in enumerate(methods):
        seeds = [value for value in row.get("seeds") or [] if value is not None]
        if len(seeds) > 1:
            axes.plot(seeds, np.full(len(seeds), at + 0.22), "|", color=style(row["method"])[0], markersize=5,
                      markeredgewidth=1)  # fmt: skip


def _pair_label(row: Row) -> str:
    of = f"({row['n_labels']} labels)" if "n_labels" in row else ""
    # Two long names would leave no room for what they differ by.
    between = "\n−  " if len(row["a"]) + len(row["b"]) + len(of) > 64 else "  −  "
    return f"{row['a']}{between}{row['b']}  {of}".rstrip()


def _holds_zero(row: Row) -> bool:
    return row["low"] is None or row["high"] is None or row["low"] <= 0 <= row["high"]


def _band(axes: "Axes", method: str, rows: Sequence[Row]) -> None:
    colour, marker = style(method)
    at = [row["n_labels"] for row in rows]
    low, middle, high = (np.array([row[name] for row in rows], dtype=float) for name in ("low", "estimate", "high"))
    axes.fill_between(at, low, high, color=colour, alpha=0.16, linewidth=0)
    # One point has no band to be seen: its interval is a line.
    if len(at) == 1:
        axes.vlines(at, low, high, color=colour, alpha=0.5, linewidth=2)
    n_draws = max(len(row.get("draws") or []) for row in rows)
    axes.plot(
        at, middle, marker=marker, color=colour, linewidth=1.8, markersize=5.5, label=f"{method} ({n_draws} draws)"
    )


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _clean(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e9ee", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)


def _save(figure: "Figure", path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png", metadata={"Software": ""})
