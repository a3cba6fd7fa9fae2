"""The figures of the stroke report; each names its patients and events, and says so where they are simulated."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from ecgppg.core.files import atomic_path
from ecgppg.evaluation.calibration import calibration_groups, net_benefit, recalibration
from ecgppg.evaluation.discrimination import roc_curve
from ecgppg.risk.analysis import Analysis
from ecgppg.risk.cells import shown_cohort, shown_steps
from ecgppg.risk.earlier import earlier_counts
from ecgppg.risk.models import MODEL_TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES = {
    "cohort_flow.png": "Patients left after each step.",
    "forest.png": "AUROC of every model with its interval over resampled patients; the dashed line is chance.",
    "roc.png": "ROC curves of the out-of-fold predictions, averaged over folds.",
    "calibration.png": "Observed against predicted risk: the line is the logistic recalibration, the dots are groups "
    "of patients of neighbouring risk; the dotted diagonal is perfect.",
    "decision_curve.png": "Net benefit of acting above a risk threshold, against acting on everybody or on nobody.",
}
_COLOURS = {
    "prevalence": "#9aa5b1",
    "age_sex": "#7b6fb0",
    "clinical": "#1f77b4",
    "clinical_waveform": "#d1495b",
    "boosted_trees": "#3a8f5c",
    "truth": "#222222",
}
_PANEL = (4.9, 4.6)


def draw_figures(analyses: Sequence[Analysis], folder: Path, simulated: bool, least: int) -> list[str]:
    """Draw what the analyses allow; figures of an earlier run that they do not allow are removed.

    Parameters
    ----------
    analyses : sequence of Analysis
        Sections of the report.
    folder : Path
        Where the PNG files go.
    simulated : bool
        Print "simulated" on every figure.
    least : int
        Counts of patients under this are hidden.

    Returns
    -------
    list of str
        Names of the figures drawn, in the order of `FIGURES`.
    """
    fitted = [a for a in analyses if a.measured is not None]
    drawers = {
        "cohort_flow.png": lambda: _flow(analyses, least),
        "forest.png": lambda: _forest(fitted, least),
        "roc.png": lambda: _panels(fitted, least, _roc),
        "calibration.png": lambda: _panels(fitted, least, _calibration),
        "decision_curve.png": lambda: _panels(fitted, least, _decision),
    }
    drawn = []
    for name in FIGURES:
        if name != "cohort_flow.png" and not fitted:
            (folder / name).unlink(missing_ok=True)
            continue
        figure = drawers[name]()
        if simulated:
            figure.text(0.995, 0.005, "simulated patients", ha="right", va="bottom", color="#b3261e", weight="bold")
        with atomic_path(folder / name) as temporary:
            figure.savefig(temporary, dpi=130, format="png", metadata={"Software": ""})
        drawn.append(name)
    return drawn


def _new(width: float, height: float, n_columns: int = 1) -> "tuple[Figure, np.ndarray]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # The strip at the foot is for the word "simulated".
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(rect=(0, 0.045, 1, 0.955)))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, n_columns, squeeze=False)[0]
    return figure, axes


def _clean(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def _title(analysis: Analysis, least: int) -> tuple[str, str, str]:
    """Name, patients and events, and how many of them have an earlier admission (or nothing where that is unknown)."""
    patients, events = shown_cohort(analysis.cohort.n_patients, analysis.cohort.n_events, least)
    seen = earlier_counts(analysis.cohort.frame, least)
    return analysis.name, f"{patients} patients, {events} events", f"{seen} with an earlier admission" if seen else ""


def _row_text(panel: "Axes", row: float, words: str, weight: str, fontsize: float) -> None:
    panel.text(0.0, row, words, weight=weight, fontsize=fontsize, va="center", transform=panel.get_yaxis_transform(),
               bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip


def _panels(analyses: Sequence[Analysis], least: int, draw: object) -> "Figure":
    assert callable(draw)
    figure, axes = _new(_PANEL[0] * len(analyses) + 0.2, _PANEL[1], len(analyses))
    for analysis, panel in zip(analyses, axes, strict=True):
        _clean(panel)
        panel.set_title("\n".join(filter(None, _title(analysis, least))), fontsize=11)
        draw(panel, analysis, least)
    return figure


def _roc(panel: "Axes", analysis: Analysis, least: int) -> None:
    assert analysis.ladder is not None
    assert analysis.measured is not None
    panel.plot([0, 1], [0, 1], ":", color="#9aa5b1", linewidth=1)
    for model, p_N in analysis.ladder.predictions.items():
        if model == "prevalence":
            continue
        at = analysis.measured.models[model]["auroc"]
        label = f"{MODEL_TITLES[model]}  {at.value:.2f} ({at.low:.2f}–{at.high:.2f})"
        panel.plot(
            *roc_curve(analysis.cohort.y_N, p_N, analysis.ladder.fold_N), color=_COLOURS[model], label=label, lw=1.6
        )
    panel.set(xlabel="1 − specificity", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    if panel.get_legend_handles_labels()[0]:
        panel.legend(title="AUROC (interval)", fontsize=7.5, title_fontsize=7.5, loc="lower right", framealpha=0.9)


def _calibration(panel: "Axes", analysis: Analysis, least: int) -> None:
    assert analysis.ladder is not None
    y_N, top = analysis.cohort.y_N, 0.0
    for model in ("clinical", "clinical_waveform"):
        p_N = analysis.ladder.predictions.get(model)
        if p_N is None:
            continue
        colour = _COLOURS[model]
        a, b = recalibration(y_N, p_N)
        low, high = np.quantile(p_N, [0.01, 0.99])
        if np.isfinite(b) and low < high:
            grid = np.linspace(max(low, 1e-4), high, 100)
            line = expit(a + b * logit(grid))
            panel.plot(
                grid, line, color=colour, lw=1.6, label=f"{MODEL_TITLES[model]} (slope {b:.2f})".replace("-", "−")
            )
            top = max(top, high, line.max())
        groups = calibration_groups(y_N, p_N, least=max(least, 5))
        for g in groups:
            error = 1.96 * np.sqrt(g.observed * (1 - g.observed) / g.n)
            panel.errorbar(g.predicted, g.observed, error, fmt="o", ms=4.5, color=colour, elinewidth=0.9, alpha=0.75)
            top = max(top, g.predicted, g.observed + error)
    top = min(1.0, 1.05 * top) or 1.0
    panel.plot([0, top], [0, top], ":", color="#566270", linewidth=1)
    panel.set(xlabel="Predicted risk", ylabel="Observed share", xlim=(0, top), ylim=(0, top), aspect="equal")
    if panel.get_legend_handles_labels()[0]:
        panel.legend(fontsize=8, loc="lower right", framealpha=0.9)


def _decision(panel: "Axes", analysis: Analysis, least: int) -> None:
    assert analysis.ladder is not None
    y_N = analysis.cohort.y_N
    models = [m for m in ("age_sex", "clinical", "clinical_waveform") if m in analysis.ladder.predictions]
    tops = [float(np.quantile(analysis.ladder.predictions[m], 0.99)) for m in models]
    highest = min(0.9, max([0.02, *tops]))
    thresholds = np.linspace(0.002, highest, 100)
    everybody = net_benefit(y_N, np.ones(y_N.size), thresholds)
    panel.plot(thresholds, everybody, color="#9aa5b1", lw=1.2, label="Act on everybody")
    panel.axhline(0, color="#566270", lw=1, ls=":", label="Act on nobody")
    for model in models:
        benefit = net_benefit(y_N, analysis.ladder.predictions[model], thresholds, least)
        panel.plot(thresholds, benefit, color=_COLOURS[model], lw=1.5, label=MODEL_TITLES[model])
    ceiling = 1.1 * float(y_N.mean())
    panel.set(
        xlabel="Risk threshold", ylabel="Net benefit per patient", xlim=(0, highest), ylim=(-0.25 * ceiling, ceiling)
    )
    panel.legend(fontsize=8, loc="upper right", framealpha=0.9)


def _forest(analyses: Sequence[Analysis], least: int) -> "Figure":
    n_rows = sum(len(a.measured.models) for a in analyses if a.measured) + 2.3 * len(analyses)
    figure, (panel,) = _new(8.2, 1.1 + 0.33 * n_rows)
    _clean(panel)
    panel.grid(axis="y", visible=False)
    row, ticks, labels = 0.0, [], []
    for analysis in analyses:
        assert analysis.measured is not None
        name, size, seen = _title(analysis, least)
        _row_text(panel, row, f"{name}: {size}", "bold", 10)
        if seen:
            row += 0.7
            _row_text(panel, row, seen, "normal", 9)
        row += 1
        for model, estimates in analysis.measured.models.items():
            e = estimates["auroc"]
            panel.plot([e.low, e.high], [row, row], color=_COLOURS[model], lw=2)
            panel.plot(e.value, row, "D" if model == "truth" else "o", color=_COLOURS[model], ms=6)
            text = f"{e.value:.2f} ({e.low:.2f}–{e.high:.2f})" if e.low < e.high else f"{e.value:.2f} by definition"
            panel.text(1.01, row, text, transform=panel.get_yaxis_transform(), va="center", fontsize=9)
            ticks.append(row)
            labels.append(MODEL_TITLES[model])
            row += 1
        row += 0.6
    panel.axvline(0.5, color="#566270", ls="--", lw=1)
    lows = [e["auroc"].low for a in analyses if a.measured for e in a.measured.models.values()]
    highs = [e["auroc"].high for a in analyses if a.measured for e in a.measured.models.values()]
    panel.set(yticks=ticks, xlabel="AUROC", ylim=(row - 0.6, -0.8))
    panel.set_yticklabels(labels)
    panel.set_xlim(min(0.45, np.nanmin(lows) - 0.02), min(1.02, max(0.8, np.nanmax(highs) + 0.02)))
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    return figure


def _flow(analyses: Sequence[Analysis], least: int) -> "Figure":
    n_rows = sum(len(a.cohort.steps) for a in analyses)
    figure, (panel,) = _new(8.2, 1.0 + 0.42 * n_rows + 0.45 * len(analyses))
    row, ticks, labels = 0.0, [], []
    for analysis in analyses:
        total = max(1, analysis.cohort.steps[0].n_remaining)
        _row_text(panel, row, ": ".join(_title(analysis, least)[:2]), "bold", 10)
        row += 1
        for step, (reason, left_out, remaining) in zip(
            analysis.cohort.steps, shown_steps(analysis.cohort.steps, least), strict=True
        ):
            if remaining.replace(",", "").isdigit():  # a bar beside a hidden count would give it away
                panel.barh(row, step.n_remaining / total, height=0.62, color="#8fb3d1")
            note = (f"{remaining} remain" if remaining else "") if left_out else remaining
            panel.text(0.01, row, note, va="center", fontsize=9)
            if left_out:
                panel.text(1.01, row, f"−{left_out}", va="center", fontsize=9, transform=panel.get_yaxis_transform())
            ticks.append(row)
            labels.append(reason)
            row += 1
        row += 0.4
    panel.set(yticks=ticks, xlim=(0, 1), ylim=(row - 0.4, -0.7), xticks=[], xlabel="share of the patients in the table")
    panel.set_yticklabels(labels)
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right", "bottom", "left"]].set_visible(False)
    return figure
