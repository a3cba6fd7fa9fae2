"""What earlier, finished admissions say about a patient at a time."""

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.labels import codes_of_admissions
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import known, to_us
from ecgppg.config.schema import UNKNOWN_TIME_US


def prior_admissions(
    tables: ClinicalTables,
    definitions: Definitions,
    subject_id_N: np.ndarray,
    hadm_id_N: np.ndarray,
    index_time_us_N: np.ndarray,
) -> tuple[pd.DataFrame, np.ndarray]:
    """History flags and number of admissions that had ended by each index time.

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
    subject_id_N, hadm_id_N, index_time_us_N : ndarray of int64 (N,)
        The admission hadm_id itself never counts, not even after its discharge.

    Returns
    -------
    features : DataFrame
        n_prior_admissions, and one column a history list, 1 or 0: *recorded* in an earlier admission of this database.
        0 is no proof that the patient never had it; n_prior_admissions says how much was there to see.
        NaN where the index time is unknown.
    known_us : ndarray of int64 (N,)
        Discharge of the last admission that was looked at; the index time where there is none.
    """
    admissions = tables.admissions
    ended = pd.DataFrame({"subject_id": admissions["subject_id"], "earlier": admissions["hadm_id"]})
    ended["ended_us"] = to_us(admissions["dischtime"])
    for name, group in definitions.history.items():
        ended[f"has_{name}"] = codes_of_admissions(tables, group.codes) == 1
    rows = pd.DataFrame({"subject_id": subject_id_N, "hadm_id": hadm_id_N, "index_us": index_time_us_N})
    pairs = rows.reset_index(names="row").merge(ended, on="subject_id")
    pairs = pairs[(pairs["ended_us"] <= pairs["index_us"]) & (pairs["earlier"] != pairs["hadm_id"])]
    grouped = pairs.groupby("row")
    every_row = range(len(rows))
    features = {"n_prior_admissions": grouped.size().reindex(every_row, fill_value=0)}
    for name in definitions.history:
        features[f"prior_{name}"] = grouped[f"has_{name}"].max().reindex(every_row, fill_value=False)
    last_us = grouped["ended_us"].max().reindex(every_row, fill_value=UNKNOWN_TIME_US).to_numpy()
    table = pd.DataFrame(features).astype(float)
    table.loc[~known(index_time_us_N)] = np.nan
    return table, np.where(known(last_us), last_us, index_time_us_N)
