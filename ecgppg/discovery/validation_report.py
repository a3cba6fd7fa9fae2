"""The validation as JSON and as a page of Markdown; small cells are hidden in both."""

from typing import Any

from ecgppg.config.schema import SCHEMA_VERSION
from ecgppg.discovery.enrichment import Association
from ecgppg.discovery.validation import Validation
from ecgppg.evaluation.intervals import Interval, number_or_none

MOST_ROWS = 40
STAR = "\\*"
TIMES = {"_this": "this admission", "_before": "an earlier admission", "_after": "a later admission"}
CAUTIONS = (
    "The unit is the patient. A patient's exposure is the share of their windows that lie in the cluster; the p value "
    "permutes patients' labels within strata of their number of windows.",
    "A patient counts as in a cluster with a tenth of their windows there or more.",
    "A patient is positive for a label if any of their windows carries it.",
    "Labels of an earlier or a later admission are known only for patients who have one: “known in” says how many of "
    "all that is. Those who were admitted again are no sample of all.",
    "ICD codes belong to an admission and not to a window: they are assigned after discharge, for billing, with no "
    "time and no present-on-admission flag. An association says that patients with the code spend more of their "
    "monitored time in the pattern, never that the pattern shows the disease at that moment.",
    "Heart rate, RR irregularity and quality are never tested here: the clusters were made of the signals they "
    "describe.",
    "Associations are not adjusted for age, illness severity or treatment.",
)


def validation_json(
    validation: Validation,
    patient_clusters: set[int],
    alpha: float,
    least_cell: int,
    outcome: str,
    includes_train: bool,
) -> dict[str, Any]:
    """Content of validation.json; counts of 1 to `least_cell` - 1 patients, and what would give them away, are null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "outcome": outcome,
        "unit": "patient",
        "n_patients": validation.n_patients,
        "n_tests": len(validation.associations),
        "n_permutations": validation.n_permutations,
        "alpha": alpha,
        "min_cell_patients": least_cell,
        "includes_train": includes_train,
        "cautions": list(CAUTIONS),
        "associations": [_association(a, patient_clusters, alpha, least_cell) for a in validation.associations],
        "untested": [{"what": u.what, "reason": u.reason} for u in validation.untested],
    }


def _association(a: Association, patient_clusters: set[int], alpha: float, least_cell: int) -> dict[str, Any]:
    cells = (a.n_positive_in, a.n_positive - a.n_positive_in, a.n_negative_in, a.n_negative - a.n_negative_in)
    hidden = any(0 < cell < least_cell for cell in cells)
    n_known = a.n_positive + a.n_negative
    # One of them and the number of patients with a known label give away the other.
    few = any(0 < n < least_cell for n in (a.n_positive, a.n_negative))
    return {
        "cluster": a.cluster,
        "patient_cluster": a.cluster in patient_clusters,
        "label": a.label,
        "n_known": None if 0 < n_known < least_cell else n_known,
        "n_positive": None if few else a.n_positive,
        "n_negative": None if few else a.n_negative,
        "n_positive_in_cluster": None if hidden else a.n_positive_in,
        "n_negative_in_cluster": None if hidden else a.n_negative_in,
        "cells_hidden": hidden,
        "difference": _interval(a.difference),
        # An odds ratio of known margins gives the cells away.
        "odds_ratio": None if hidden else _interval(a.odds_ratio),
        "p": a.p,
        "q": a.q,
        "significant": a.q <= alpha,
    }


def _interval(interval: Interval) -> dict[str, float | None]:
    return {name: number_or_none(getattr(interval, name), 3) for name in ("estimate", "low", "high")}


def validation_markdown(content: dict[str, Any]) -> str:
    """The page for people, from the content of validation.json."""
    least = content["min_cell_patients"]
    lines = ["# Patterns against diagnoses, by patient", "", f"**{content['outcome']}**", ""]
    if content["includes_train"]:
        lines += ["**Includes patients the encoder was trained on.**", ""]
    lines += [f"- {caution}" for caution in content["cautions"]]
    if content["associations"]:
        lines += [
            "",
            f"{content['n_patients']} patients, {content['n_tests']} tests, {content['n_permutations']:,} permutations "
            f"each; q is p after Benjamini-Hochberg, significant at {content['alpha']:g}; intervals over patients.",
            "",
            "| cluster | label | known in | patients with it (in cluster) | without it (in cluster) | % of time more "
            "| odds ratio | p | q |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [_row(a, content) for a in content["associations"][:MOST_ROWS]]
        rest = len(content["associations"]) - MOST_ROWS
        lines += ["", f"{rest} further tests are in validation.json."] if rest > 0 else []
        if any(a["cells_hidden"] for a in content["associations"]):
            lines += ["", f"Cells of 1 to {least - 1} patients are hidden."]
        if any(a["patient_cluster"] for a in content["associations"]):
            lines += ["", f"{STAR} one patient holds half of this cluster or more: a patient, not a pattern."]
    if content["untested"]:
        lines += ["", "## Not tested", "", *_untested(content["untested"])]
    return "\n".join(lines) + "\n"


def _untested(untested: list[dict[str, str]]) -> list[str]:
    """One line a reason, with all it applies to."""
    reasons = dict.fromkeys(u["reason"] for u in untested)
    return [f"- {r}: {'; '.join(readable_label(u['what']) for u in untested if u['reason'] == r)}" for r in reasons]


def readable_label(name: str) -> str:
    """A label column in words: `stroke_this` is 'stroke, this admission'."""
    for suffix, words in TIMES.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')}, {words}"
    return name.removeprefix("label_").replace("_", " ")


def known_in(association: dict[str, Any], content: dict[str, Any]) -> str:
    """For how many of all patients the label of an association is known: "24 of 120"."""
    n_known = association["n_known"]
    shown = f"<{content['min_cell_patients']}" if n_known is None else f"{n_known}"
    return f"{shown} of {content['n_patients']}"


def _row(a: dict[str, Any], content: dict[str, Any]) -> str:
    share = "" if a["n_known"] is None else f" ({a['n_known'] / content['n_patients']:.0%})"
    cells = [
        f"{a['cluster']}{STAR if a['patient_cluster'] else ''}",
        readable_label(a["label"]),
        known_in(a, content) + share,
        _count(a["n_positive"], a["n_positive_in_cluster"]),
        _count(a["n_negative"], a["n_negative_in_cluster"]),
        _with_interval(a["difference"], 100, 1),
        _with_interval(a["odds_ratio"], 1, 2) if a["odds_ratio"] else "hidden",
        f"{a['p']:.2g}",
        f"**{a['q']:.2g}**" if a["significant"] else f"{a['q']:.2g}",
    ]
    return f"| {' | '.join(cells)} |"


def _count(total: int | None, inside: int | None) -> str:
    return "hidden" if total is None else f"{total} ({'hidden' if inside is None else inside})"


def _with_interval(value: dict[str, float | None], factor: float, digits: int) -> str:
    if value["estimate"] is None:
        return "–"
    text = f"{factor * value['estimate']:.{digits}f}"
    if value["low"] is None or value["high"] is None:
        return text
    return f"{text} ({factor * value['low']:.{digits}f} to {factor * value['high']:.{digits}f})"
