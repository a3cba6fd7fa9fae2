"""The stroke report: what was asked, of whom, what came out, how sure that is, and what to distrust."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ecgppg.config.settings import Settings
from ecgppg.risk.analysis import REFERENCE_AUROC, SUSPICIOUS_AUROC, Analysis
from ecgppg.risk.cells import shown_cohort, shown_steps
from ecgppg.risk.earlier import earlier_seen, needs_earlier
from ecgppg.risk.figures import FIGURES
from ecgppg.risk.measure import Estimate
from ecgppg.risk.models import MODEL_TITLES
from ecgppg.risk.pages import Block, Figure, Heading, Table, Text, Warn
from ecgppg.risk.planted import Recovered

_METRIC_TITLES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
}
EARLIER = "with an earlier admission"
_DIGITS = {"auroc": 2, "auprc": 2, "brier": 3}
_PREDICTOR_TITLES = {
    "score_cha2ds2_vasc": "CHA2DS2-VASc",
    "f_age_years": "age",
    "f_sex_male": "sex",
    "f_prior_af": "AF coded before",
    "f_med_anticoagulant": "anticoagulant",
}
SIMULATED_NOTE = (
    "Simulated patients. No row of this table is a person and no waveform lies behind it: it was drawn by a program "
    "with known answers, to show what the report looks like and that it finds what was planted."
)


def title_of(simulated: bool) -> str:
    """Title of the page."""
    return "Stroke and the waveform" + (" (simulated patients)" if simulated else "")


def report_blocks(
    analyses: Sequence[Analysis],
    settings: Settings,
    figures: Sequence[str],
    notes: Sequence[str],
    simulated: bool,
    recovered: Sequence[Recovered] = (),
) -> list[Block]:
    """The report for people, as blocks for `ecgppg.risk.pages`.

    Parameters
    ----------
    analyses : sequence of Analysis
        Sections, in order.
    settings : Settings
        min_cell_patients, n_bootstrap, confidence, n_outer_folds.
    figures : sequence of str
        Names from `ecgppg.risk.figures.FIGURES` that were drawn.
    notes : sequence of str
        What was left out of the whole report, and why.
    simulated : bool
        Whether to say so at the top.
    recovered : sequence of Recovered
        Planted odds ratios found again, simulated tables only.
    """
    blocks: list[Block] = [Heading(title_of(simulated), 1)]
    if simulated:
        blocks.append(Warn(SIMULATED_NOTE))
    blocks += [Warn(f"{a.name}: {line}") for a in analyses for line in a.warnings]
    blocks.append(Text(_summary(analyses, settings)))
    if recovered:
        blocks += _recovered(recovered, analyses, settings)
    for name in figures:
        if name in ("forest.png", "cohort_flow.png"):
            blocks.append(Figure(name, _caption(name, simulated)))
    for analysis in analyses:
        blocks += _section(analysis, settings)
    curves = [name for name in figures if name not in ("forest.png", "cohort_flow.png")]
    if curves:
        blocks.append(Heading("Curves"))
        blocks += [Figure(name, _caption(name, simulated)) for name in curves]
    blocks.append(Heading("How to read this"))
    blocks += [Text(line) for line in [*notes, *_how_to_read(settings)]]
    return blocks


def report_json(
    analyses: Sequence[Analysis],
    settings: Settings,
    notes: Sequence[str],
    simulated: bool,
    recovered: Sequence[Recovered] = (),
) -> dict[str, Any]:
    """The same numbers for programs; counts are text, hidden where they are small; None where not defined."""
    least = settings.min_cell_patients
    sections = []
    for a in analyses:
        patients, events = shown_cohort(a.cohort.n_patients, a.cohort.n_events, least)
        sections.append(
            {
                "task": a.cohort.task.name,
                "with_embeddings": a.with_embeddings,
                "question": a.cohort.task.question,
                "outcome": a.cohort.task.outcome,
                "n_patients": patients,
                "n_events": events,
                "attrition": [
                    {"step": reason, "left_out": out, "remaining": rest}
                    for reason, out, rest in shown_steps(a.cohort.steps, least)
                ],
                "no_model_because": a.why_not or None,
                "expected_auroc_half_width": None if a.why_not else _number(a.half_width),
                "patients_with_earlier_admission": _earlier(a, settings) or None,
                "cha2ds2_vasc": {
                    "used": list(a.score.used),
                    "missing": list(a.score.missing),
                    "patients_with_earlier_admission": _earlier(a, settings) or None,
                },
                "models": {
                    model: {
                        "title": MODEL_TITLES[model],
                        "predictors": a.ladder.predictors.get(model, []) if a.ladder else [],
                        "n_patients": patients,
                        "n_events": events,
                        "patients_with_earlier_admission": _earlier_of(a, settings, model),
                        **{metric: _interval(e) for metric, e in estimates.items()},
                    }
                    for model, estimates in (a.measured.models if a.measured else {}).items()
                },
                "not_fitted": a.ladder.absent if a.ladder else {},
                "clinical_waveform_minus_clinical": {
                    metric: _interval(e) for metric, e in (a.measured.differences if a.measured else {}).items()
                },
                "warnings": a.warnings,
            }
        )
    return {
        "title": title_of(simulated),
        "simulated": simulated,
        "settings": settings.content("run", "stroke") | {"min_cell_patients": least},
        "analyses": sections,
        "planted_odds_ratios": [asdict(r) for r in recovered],
        "notes": list(notes),
    }


def _summary(analyses: Sequence[Analysis], settings: Settings) -> str:
    lines = []
    for a in analyses:
        patients, events = shown_cohort(a.cohort.n_patients, a.cohort.n_events, settings.min_cell_patients)
        seen = f", earlier admission {_earlier(a, settings)}" if _earlier(a, settings) else ""
        lead = f"**{a.name}** ({patients} patients, {events} events{seen}): "
        if a.measured is None:
            lines.append(lead + f"no model, {a.why_not}.")
        elif "auroc" in a.measured.differences:
            with_waveform = a.measured.models["clinical_waveform"]["auroc"]
            difference = a.measured.differences["auroc"]
            clear = "clear of zero" if difference.low > 0 or difference.high < 0 else "not clear of zero"
            lines.append(
                lead
                + f"AUROC {_show(with_waveform)} with the waveform score, {_show(difference, 3, signed=True)} against "
                f"the clinical model alone: {clear}."
            )
        else:
            best = next(m for m in ("clinical", "age_sex", "prevalence") if m in a.measured.models)
            why = _absent(a)["clinical_waveform"]
            lines.append(
                lead + f"{MODEL_TITLES[best]}: AUROC {_show(a.measured.models[best]['auroc'])}. No waveform model: "
                f"{why}."
            )
    return " ".join(lines)


def _section(a: Analysis, settings: Settings) -> list[Block]:
    least = settings.min_cell_patients
    patients, events = shown_cohort(a.cohort.n_patients, a.cohort.n_events, least)
    blocks: list[Block] = [Heading(a.name), Text(a.cohort.task.question)]
    blocks.append(Text(f"**{patients} patients, {events} with the outcome**, one prediction a patient."))
    blocks.append(Table(("Who", "left out", "patients"), shown_steps(a.cohort.steps, least)))
    if a.with_embeddings:
        blocks.append(
            Text(
                "The waveform score saw principal components of the encoder's embeddings beside the measurements. Only "
                "patients of the risk reserve, whom the encoder has not trained on, are in it; the reserve holds all "
                "cases and a sample of controls, so that AUPRC, Brier score and calibration speak of its own share of "
                "events."
            )
        )
    if a.measured is None or a.ladder is None:
        blocks.append(Warn(f"No model: {a.why_not}."))
        return blocks
    width = "With so few events" if events.startswith("<") else f"With {events} events"
    blocks.append(
        Text(
            f"{width} an AUROC of {REFERENCE_AUROC} is expected to carry an interval of about "
            f"±{a.half_width:.2f}; a difference between two models much smaller than that is hard to see."
        )
    )
    header = ("Model", "patients", "events", EARLIER, *(_METRIC_TITLES[m] for m in ("auroc", "auprc", "brier")))
    rows = [
        (
            MODEL_TITLES[m], patients, events, _earlier_of(a, settings, m),
            *(_show(e[k], _DIGITS[k]) for k in ("auroc", "auprc", "brier")),
        )
        for m, e in a.measured.models.items()
    ]  # fmt: skip
    if a.measured.differences:
        d = a.measured.differences
        rows.append(
            ("Difference, waveform − clinical", patients, events, _earlier_of(a, settings, "clinical"),
             *(_show(d[k], 3, signed=True) for k in ("auroc", "auprc", "brier")))
        )  # fmt: skip
    blocks.append(Table(header, rows))
    keys = ("calibration_intercept", "calibration_slope")
    rows = [
        (MODEL_TITLES[m], patients, events, _earlier_of(a, settings, m), *(_show(e[k]) for k in keys))
        for m, e in a.measured.models.items()
        if m != "prevalence"
    ]
    blocks.append(Table(("Model", "patients", "events", EARLIER, *(_METRIC_TITLES[k] for k in keys)), rows))
    seen = [
        f"**{MODEL_TITLES[m]}** saw {', '.join(_plain_name(n) for n in names)}."
        for m, names in a.ladder.predictors.items()
        if names
    ]
    blocks += [Text(line) for line in seen]
    blocks += [Text(f"**{MODEL_TITLES[m]}** not fitted: {why}.") for m, why in _absent(a).items()]
    if earlier := _earlier(a, settings):
        blocks.append(
            Text(
                f"What was coded before can be seen only in patients with an earlier admission: {earlier}. In the "
                "others it counts as absent, and CHA2DS2-VASc is that of age and sex."
            )
        )
    if a.score.missing:
        blocks.append(Text(f"CHA2DS2-VASc without {', '.join(a.score.missing)}: the table has no such column."))
    return blocks


def _recovered(recovered: Sequence[Recovered], analyses: Sequence[Analysis], settings: Settings) -> list[Block]:
    by_task = {a.cohort.task.name: a for a in analyses}
    rows = []
    for r in recovered:
        cohort = by_task[r.task].cohort
        shown = shown_cohort(cohort.n_patients, cohort.n_events, settings.min_cell_patients)
        rows.append((f"{r.title}, {r.task}", *shown, f"{r.planted:.1f}", _show(Estimate(r.found, r.low, r.high))))
    return [
        Heading("What was planted, and what is found again"),
        Table(("Odds ratio", "patients", "events", "planted", "found"), rows),
        Text(
            "Found by logistic regression on the planted rhythm itself. The models below do not see that rhythm, only "
            "an irregular pulse and incomplete codes; the line “planted truth” is the best that any model could do. "
            f"Over many simulations such an interval covers the planted value {settings.confidence:.0%} of the time, "
            "not every time."
        ),
    ]


def _how_to_read(settings: Settings) -> list[str]:
    least = settings.min_cell_patients
    return [
        f"Intervals are {settings.confidence:.0%}, from {settings.n_bootstrap:,} draws of patients with replacement. "
        "They hold the predictions fixed: they tell how the numbers would vary over other patients like these, "
        "not over other hospitals or other fits.",
        f"Predictions are out of fold, in {settings.n_outer_folds} folds of patients (fewer where events are fewer); "
        "penalties are chosen inside the training folds. AUROC compares patients of the same fold only.",
        "The waveform enters the clinical model as one number, a ridge logistic score cross-fitted within the training "
        "folds, because few events cannot carry many free parameters.",
        "Prevalence only gives everybody the same risk: AUROC 0.5 by definition. Every other model must beat it on the "
        "Brier score to be worth anything.",
        "Calibration intercept: above 0 the risk is predicted too low; ideal 0, and near 0 by construction where a "
        "model is judged at the hospital it was fitted at. Slope: under 1 the predictions are too extreme; ideal 1.",
        "Stroke is read from billing codes, which are assigned after discharge and carry no time within the admission. "
        "Detection and prediction are different questions and their numbers are not comparable.",
        "Prediction is asked only of patients who lived to be admitted here again, which nobody knows at the index "
        "time: its numbers do not hold for everyone who is monitored.",
        f"A large 12-lead model reached about 0.77 for later stroke at the same hospital. Any AUROC above "
        f"{SUSPICIOUS_AUROC} here is taken for leakage until shown otherwise.",
        f"Counts of patients from 1 to {least - 1} are hidden."
        if least > 1
        else "No count is hidden: min_cell_patients is 1, which is right for open or simulated data only.",
    ]


def _earlier(a: Analysis, settings: Settings) -> str:
    """Patients with an earlier admission, as shown; empty where the table cannot tell."""
    seen = earlier_seen(a.cohort.frame, settings.confidence)
    return "" if seen is None else seen.shown(settings.min_cell_patients)


def _earlier_of(a: Analysis, settings: Settings, model: str) -> str:
    """The same beside a model's scores, or that it needs none."""
    needed = a.ladder is not None and needs_earlier(a.ladder.predictors.get(model, ()))
    return (_earlier(a, settings) or "unknown") if needed else "not needed"


def _absent(a: Analysis) -> dict[str, str]:
    return a.ladder.absent if a.ladder else {}


def _caption(name: str, simulated: bool) -> str:
    return ("Simulated patients. " if simulated else "") + FIGURES[name]


def _plain_name(column: str) -> str:
    if column in _PREDICTOR_TITLES:
        return _PREDICTOR_TITLES[column]
    if column.startswith("f_prior_"):
        return column.removeprefix("f_prior_").replace("_", " ") + " coded before"
    return column.replace("f_wave_", "").removeprefix("f_").replace("_", " ")


def _show(e: Estimate, digits: int = 2, signed: bool = False) -> str:
    if not math.isfinite(e.value):
        return "–"

    def one(x: float) -> str:
        rounded = round(x, digits) + 0.0  # adding 0.0 turns -0.0 into 0.0
        return f"{rounded:{'+' if signed else ''}.{digits}f}".replace("-", "−")

    if not math.isfinite(e.low):
        return f"{one(e.value)} (no interval)"
    if e.low == e.high:
        return one(e.value)
    joint = " to " if signed or e.low < 0 else "–"
    return f"{one(e.value)} ({one(e.low)}{joint}{one(e.high)})"


def _interval(e: Estimate) -> dict[str, float | None]:
    return {"value": _number(e.value), "low": _number(e.low), "high": _number(e.high)}


def _number(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
