"""What earlier, finished admissions say about a patient at a time."""

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.earlier import EarlierAdmissions
from ecgppg.clinical.labels import codes_of_admissions
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import DAY_US, known


def history_features(tables: ClinicalTables, definitions: Definitions, earlier: EarlierAdmissions) -> pd.DataFrame:
    """History of each row.

    Returns
    -------
    DataFrame
        n_prior_admissions; days_since_discharge from the last of them, NaN without one; and one column prior_NAME a
        history list, 1 or 0: *recorded* in an earlier admission of this database. 0 is no proof that the patient
        never had it; n_prior_admissions says how much was there to see. NaN where the index time is unknown.
    """
    timed_N, seen_N = known(earlier.index_time_us_N), known(earlier.last_discharge_us_N)
    since_us = np.where(seen_N, earlier.index_time_us_N - earlier.last_discharge_us_N, 0)
    flag_AG = np.zeros((len(tables.admissions), len(definitions.history)), bool)
    for i, group in enumerate(definitions.history.values()):
        flag_AG[:, i] = codes_of_admissions(tables, group.codes) == 1
    return pd.DataFrame(
        {
            "n_prior_admissions": np.where(timed_N, earlier.count(), np.nan),
            "days_since_discharge": np.where(seen_N, since_us / DAY_US, np.nan),
            **dict(zip((f"prior_{name}" for name in definitions.history), earlier.any(flag_AG).T, strict=True)),
        }
    )
