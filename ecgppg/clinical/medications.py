"""Which classes of drugs an admission's prescriptions had begun by a time."""

import re

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions, DrugList
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import DAY_US, known, to_us
from ecgppg.config.schema import UNKNOWN_TIME_US


def of_class(drugs: pd.Series, drug_list: DrugList) -> np.ndarray:
    """Which drug names belong to a class, bool (N,); False for a missing name."""
    categories = drugs.astype("category")
    wanted, unwanted = _words(drug_list.names), _words(drug_list.unless)
    named = [
        wanted.search(name) is not None and (not drug_list.unless or unwanted.search(name) is None)
        for name in map(str, categories.cat.categories)
    ]
    return np.array([*named, False])[categories.cat.codes.to_numpy()]


def _words(beginnings: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(map(re.escape, beginnings)) + ")", re.IGNORECASE)


def medication_classes(
    tables: ClinicalTables, definitions: Definitions, hadm_id_N: np.ndarray, index_time_us_N: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flags of each class for prescriptions of this admission begun before the index time.

    A prescription's start is a date without an hour, so it counts only once that day is over: one begun on the very
    day of the index time may have come after it. Prescriptions that begin later say nothing either way, not even that
    there will be some.

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
    hadm_id_N, index_time_us_N : ndarray of int64 (N,)

    Returns
    -------
    flags : DataFrame
        One float column a class: 1, 0; NaN where the admission has no prescription on file by then (then nothing is
        known, not that nothing was given) or the index time is unknown.
    known_us : DataFrame
        Same columns: when it was known; for a 0 that is the index time.
    """
    prescriptions = tables.prescriptions
    start_us = to_us(prescriptions["startdate"])
    dated = known(start_us)
    over_us = np.where(dated, start_us - np.mod(start_us, DAY_US) + DAY_US, 0)
    hadm_ids = prescriptions["hadm_id"].to_numpy()

    def first_of(member: np.ndarray) -> np.ndarray:
        first = pd.Series(over_us[member], index=hadm_ids[member]).groupby(level=0).min()
        return first.reindex(hadm_id_N, fill_value=2**62).to_numpy()

    on_file = (first_of(dated) <= index_time_us_N) & known(index_time_us_N)
    flags, known_us = {}, {}
    for name, drug_list in definitions.medications.items():
        first_us_N = first_of(of_class(prescriptions["drug"], drug_list) & dated)
        given = first_us_N <= index_time_us_N
        flags[name] = np.where(on_file, given.astype(float), np.nan)
        known_us[name] = np.where(on_file, np.where(given, first_us_N, index_time_us_N), UNKNOWN_TIME_US)
    return pd.DataFrame(flags), pd.DataFrame(known_us)
