"""A feature table may hold nothing that was not known at its index time, and no answer among its questions."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions, load_definitions
from ecgppg.clinical.icd import compile_patterns
from ecgppg.config.errors import InputError
from ecgppg.config.schema import UNKNOWN_TIME_US, is_label

FROM_EARLIER = ("f_prior_", "f_elix_", "f_ccs_", "f_cha2ds2_vasc")
"""Features made of codes of earlier, finished admissions."""
ELIGIBLE = {"y_stroke_detection": "first_eligible_detection", "y_stroke_prediction": "first_eligible_prediction"}
"""Which column marks the rows that a task predicts; first_eligible where the table has none of its own."""
LEAST_CASES = 10
"""A feature that tells an outcome is called a copy only from this many cases and as many others on."""
COPY_SHARE = 0.98
"""A feature that tells an outcome in this share of its cases and of the others, by one cut, is a copy of it."""
_CODE = re.compile(r"(?:E\d{3}|V\d{2}|\d{3})\d{0,2}")
_LIES_AHEAD = re.compile(
    r"(?:^|_)(?:deaths?|died|dead|deceased|dod|dod_hosp|dod_ssn|mortality|surviv\w*|expired?|expire_flag|deathtime"
    r"|dischtime|outtime|discharged?_(?:location|time|date|disposition)|disposition|los|length_of_stay"
    r"|(?:time|hours?|days?|minutes?|months?|years?)_(?:to|until)_\w+)(?:_|$)"
)
"""Names of what is known only when an admission is over, or later: a time of its own cannot make it a feature."""


def known_column(feature: str, columns: Iterable[str]) -> str | None:
    """The column that tells when a feature became known.

    Parameters
    ----------
    feature : str
        A column f_FAMILY_NAME.
    columns : iterable of str
        Those of the table.

    Returns
    -------
    str or None
        known_f_FAMILY_NAME, or what its family shares (known_f_FAMILY), the longest there is; None if neither is.
    """
    present = set(map(str, columns))
    parts = feature.split("_")
    names = ("known_" + "_".join(parts[:n]) for n in range(len(parts), 1, -1))
    return next((name for name in names if name in present), None)


def check_leakage(table: pd.DataFrame, name: str = "clinical_features", definitions: Definitions | None = None) -> None:
    """Refuse a feature table that leaks its outcomes.

    Parameters
    ----------
    table : DataFrame
        index_time_us, f_*, y_*, known_*. The waveform's features share known_f_wave: the end of the last window used.
    name : str
        What the error calls the table: its path.
    definitions : Definitions, optional
        Whose label codes no feature may be named for, besides those of the built-in lists.

    Raises
    ------
    InputError
        No index time; a feature without its known_ time, known after the index time, named as a label, for what lies
        ahead (a death, a discharge, a length of stay) or with an ICD-9 code of a label; a feature that by one cut, or
        by being there at all, tells an outcome in nearly every row where that is known; a row marked to be predicted
        whose outcome was known by its index time.

    Notes
    -----
    A waveform may truly tell: of f_wave_ features only those of two values can be copies, and what is left is for the
    report's warning of an AUROC too good to be true.
    """
    if "index_time_us" not in table:
        raise InputError(f"{name}: lacks column index_time_us, without which no leakage can be ruled out")
    features = [str(c) for c in table.columns if str(c).startswith("f_")]
    outcomes = [str(c) for c in table.columns if str(c).startswith("y_")]
    codes = {label: compile_patterns(group.codes) for label, group in load_definitions().labels.items()}
    if definitions is not None:
        codes |= {
            f"{label} of {definitions.path.name}": compile_patterns(g.codes) for label, g in definitions.labels.items()
        }
    for feature in features:
        _check_name(feature, outcomes, codes, name)
        _check_time(table, feature, name)
        for outcome in outcomes:
            share = _copied_share(table[feature], table[outcome], any_cut=not feature.startswith("f_wave_"))
            if share >= COPY_SHARE:
                rows = "every row" if share == 1 else f"{share:.0%} of rows"
                raise InputError(f"{name}: {feature} tells {outcome} in {rows} and may not be a feature")
    for outcome in outcomes:
        _check_order(table, outcome, name)


def _check_time(table: pd.DataFrame, feature: str, name: str) -> None:
    column = known_column(feature, table.columns)
    if column is None:
        raise InputError(f"{name}: {feature} lacks its column known_{feature}: when it became known")
    late = table[feature].notna() & (table[column] > table["index_time_us"])
    if late.any():
        raise InputError(f"{name}: {feature} became known after the index time in {int(late.sum())} rows")


def _check_name(feature: str, outcomes: list[str], codes: Mapping[str, re.Pattern[str]], name: str) -> None:
    stem = feature.removeprefix("f_")
    if is_label(stem) or f"y_{stem}" in outcomes:
        raise InputError(f"{name}: {feature} is a label and may not be a feature")
    if feature.startswith(FROM_EARLIER):
        return
    if _LIES_AHEAD.search(stem.lower()):
        raise InputError(f"{name}: {feature} is named for what lies ahead of the index time and may not be a feature")
    parts = [part for part in stem.upper().split("_") if _CODE.fullmatch(part)]
    label = next((label for label, pattern in codes.items() if any(map(pattern.match, parts))), None)
    if label is not None:
        raise InputError(f"{name}: {feature} is named for a code of the label {label} and may not be a feature")


def _check_order(table: pd.DataFrame, outcome: str, name: str) -> None:
    """No waveform after its outcome among the rows that are to be predicted."""
    eligible = ELIGIBLE[outcome] if ELIGIBLE.get(outcome) in table else "first_eligible"
    if eligible not in table or f"known_{outcome}" not in table:
        return
    known_us = table[f"known_{outcome}"]
    after = (table[eligible] == 1) & (table[outcome] >= 0) & (known_us <= table["index_time_us"])
    after &= known_us > UNKNOWN_TIME_US
    if after.any():
        raise InputError(
            f"{name}: {int(after.sum())} rows with {eligible} have their waveform after their outcome: {outcome} was "
            "known by the index time"
        )


def _copied_share(feature: pd.Series, outcome: pd.Series, any_cut: bool) -> float:
    """Least share of cases and of others that the feature tells apart, by being there or by its best cut.

    `any_cut` False: a feature of more than two values is not cut.
    """
    told = outcome.to_numpy() >= 0
    cases = outcome.to_numpy()[told] == 1
    values = pd.to_numeric(feature, errors="coerce").to_numpy(float)[told]
    there = np.isfinite(values)
    return max(_best_cut(there.astype(float), cases), _best_cut(values[there], cases[there], any_cut))


def _best_cut(values: np.ndarray, cases: np.ndarray, any_cut: bool = True) -> float:
    """Least share of cases and of others on their own side of the best cut; 0 where either are few."""
    n_cases, n_others = int(cases.sum()), int((~cases).sum())
    if min(n_cases, n_others) < LEAST_CASES:
        return 0.0
    distinct, level = np.unique(values, return_inverse=True)
    if len(distinct) < 2 or (len(distinct) > 2 and not any_cut):
        return 0.0
    cases_below = np.cumsum(np.bincount(level[cases], minlength=len(distinct)))[:-1] / n_cases
    others_below = np.cumsum(np.bincount(level[~cases], minlength=len(distinct)))[:-1] / n_others
    cases_low = np.minimum(cases_below, 1 - others_below)
    cases_high = np.minimum(1 - cases_below, others_below)
    return float(max(cases_low.max(), cases_high.max()))
