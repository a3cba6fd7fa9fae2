"""A feature table may hold nothing that was not known at its index time, and no answer among its questions."""

import numpy as np
import pandas as pd

from ecgppg.config.errors import InputError
from ecgppg.config.schema import is_label

WAVEFORM_PREFIX = "f_wave_"
LEAST_CASES = 5
"""A feature equal to an outcome in every row is called a copy only from this many cases and as many others on."""


def check_leakage(table: pd.DataFrame, name: str = "clinical_features") -> None:
    """Refuse a feature table that leaks its outcomes.

    Parameters
    ----------
    table : DataFrame
        index_time_us, f_*, y_*, known_*. Features of the waveform (f_wave_*) end at the index time by definition and
        need no known_ column.
    name : str
        What the error calls the table: its path.

    Raises
    ------
    InputError
        No index time; a feature without its known_ time, known after the index time, named as a label, or equal to an
        outcome (or to its opposite) in every row where both are known.
    """
    if "index_time_us" not in table:
        raise InputError(f"{name}: lacks column index_time_us, without which no leakage can be ruled out")
    features = [str(c) for c in table.columns if str(c).startswith("f_")]
    outcomes = [str(c) for c in table.columns if str(c).startswith("y_")]
    for feature in features:
        if is_label(feature[2:]) or f"y_{feature[2:]}" in outcomes:
            raise InputError(f"{name}: {feature} is a label and may not be a feature")
        if not feature.startswith(WAVEFORM_PREFIX):
            _check_time(table, feature, name)
        for outcome in outcomes:
            if _is_copy(table[feature], table[outcome]):
                raise InputError(f"{name}: {feature} tells {outcome} in every row and may not be a feature")


def _check_time(table: pd.DataFrame, feature: str, name: str) -> None:
    if f"known_{feature}" not in table:
        raise InputError(f"{name}: {feature} lacks its column known_{feature}: when it became known")
    late = table[feature].notna() & (table[f"known_{feature}"] > table["index_time_us"])
    if late.any():
        raise InputError(f"{name}: {feature} became known after the index time in {int(late.sum())} rows")


def _is_copy(feature: pd.Series, outcome: pd.Series) -> bool:
    values = pd.to_numeric(feature, errors="coerce").to_numpy(float)
    told = (outcome.to_numpy() >= 0) & np.isfinite(values)
    values, cases = values[told], outcome.to_numpy()[told] == 1
    if min(cases.sum(), (~cases).sum()) < LEAST_CASES:
        return False
    return (
        len(np.unique(values[cases])) == 1
        and len(np.unique(values[~cases])) == 1
        and values[cases][0] != values[~cases][0]
    )
