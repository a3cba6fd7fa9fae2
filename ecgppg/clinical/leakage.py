"""A feature table may hold nothing that was not known at its index time, and no answer among its questions."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import load_definitions
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
"""A two-valued feature that agrees with an outcome in this share of its cases and of the others is a copy of it."""
_CODE = re.compile(r"(?:E\d{3}|V\d{2}|\d{3})\d{0,2}")


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


def check_leakage(table: pd.DataFrame, name: str = "clinical_features") -> None:
    """Refuse a feature table that leaks its outcomes.

    Parameters
    ----------
    table : DataFrame
        index_time_us, f_*, y_*, known_*. The waveform's features share known_f_wave: the end of the last window used.
    name : str
        What the error calls the table: its path.

    Raises
    ------
    InputError
        No index time; a feature without its known_ time, known after the index time, named as a label or with an
        ICD-9 code of one, or telling an outcome (or its opposite) in nearly every row where both are known; a row
        marked to be predicted whose outcome was known by its index time.
    """
    if "index_time_us" not in table:
        raise InputError(f"{name}: lacks column index_time_us, without which no leakage can be ruled out")
    features = [str(c) for c in table.columns if str(c).startswith("f_")]
    outcomes = [str(c) for c in table.columns if str(c).startswith("y_")]
    for feature in features:
        if is_label(feature[2:]) or f"y_{feature[2:]}" in outcomes:
            raise InputError(f"{name}: {feature} is a label and may not be a feature")
        if not feature.startswith(FROM_EARLIER) and (label := _label_of_code(feature)):
            raise InputError(f"{name}: {feature} is named for a code of the label {label} and may not be a feature")
        _check_time(table, feature, name)
        for outcome in outcomes:
            share = _copied_share(table[feature], table[outcome])
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


def _check_order(table: pd.DataFrame, outcome: str, name: str) -> None:
    """No waveform after its outcome among the rows that are to be predicted."""
    eligible = ELIGIBLE[outcome] if ELIGIBLE.get(outcome) in table else "first_eligible"
    if outcome not in ELIGIBLE or eligible not in table or f"known_{outcome}" not in table:
        return
    known_us = table[f"known_{outcome}"]
    after = (table[eligible] == 1) & (table[outcome] >= 0) & (known_us <= table["index_time_us"])
    after &= known_us > UNKNOWN_TIME_US
    if after.any():
        raise InputError(
            f"{name}: {int(after.sum())} rows with {eligible} have their waveform after their outcome: {outcome} was "
            "known by the index time"
        )


def _label_of_code(feature: str) -> str | None:
    """The label whose built-in list holds an ICD-9 code that the feature's name spells out, if any does."""
    codes = [part for part in feature.upper().split("_")[1:] if _CODE.fullmatch(part)]
    if not codes:
        return None
    labels = load_definitions().labels
    return next(
        (n for n, group in labels.items() if any(compile_patterns(group.codes).match(code) for code in codes)), None
    )


def _copied_share(feature: pd.Series, outcome: pd.Series) -> float:
    """Least share of cases and of others in which a two-valued feature tells them apart; 0 for any other feature."""
    values = pd.to_numeric(feature, errors="coerce").to_numpy(float)
    told = (outcome.to_numpy() >= 0) & np.isfinite(values)
    values, cases = values[told], outcome.to_numpy()[told] == 1
    if min(cases.sum(), (~cases).sum()) < LEAST_CASES or len(np.unique(values)) != 2:
        return 0.0
    high = values == values.max()
    agrees = min(high[cases].mean(), 1 - high[~cases].mean())
    opposes = min(1 - high[cases].mean(), high[~cases].mean())
    return float(max(agrees, opposes))
