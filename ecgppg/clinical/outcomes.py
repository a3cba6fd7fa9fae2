"""Outcomes of a row (patient, admission, index time), each with the time at which it became known.

Detection asks for a stroke of this admission, prediction for one of a later admission in a patient who had none so
far. They are two tasks and share no column.
"""

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.earlier import ended_us
from ecgppg.clinical.labels import codes_of_admissions
from ecgppg.clinical.mortality import HORIZON_DAYS, died_within, told_us
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import known, to_us
from ecgppg.config.schema import UNKNOWN_LABEL, UNKNOWN_TIME_US


def outcomes(
    tables: ClinicalTables,
    definitions: Definitions,
    subject_id_N: np.ndarray,
    hadm_id_N: np.ndarray,
    index_time_us_N: np.ndarray,
) -> pd.DataFrame:
    """Outcome columns y_* (int8: 1, 0, -1 unknown or not eligible) and known_y_* (microseconds).

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
    subject_id_N, hadm_id_N, index_time_us_N : ndarray of int64 (N,)

    Returns
    -------
    DataFrame
        y_stroke_detection, y_af_this: a code of this admission; known at its discharge.
        y_stroke_prediction: a stroke code of an admission that began after the index time; -1 for patients with a
        stroke or a label that excludes it (`excluded_by`) in this admission or in any that had begun by then, for an
        admission without diagnoses, and where there is no later one with any. Known at the discharge of the first
        later admission with a stroke, or for a 0 of the last one with diagnoses.
        y_death_hospital: known at discharge.
        y_death_90d, y_death_1y: from the index time; a death is known when its day is over, survival when the days
        have passed.
        known_y_* is `UNKNOWN_TIME_US` where the outcome is -1.
    """
    columns = _of_admission(tables, definitions, hadm_id_N)
    prediction = _later_stroke(tables, definitions, subject_id_N, hadm_id_N, index_time_us_N)
    columns["y_stroke_prediction"], columns["known_y_stroke_prediction"] = prediction
    for name, days in HORIZON_DAYS.items():
        died_N, death_day_N = died_within(tables, subject_id_N, hadm_id_N, index_time_us_N, days)
        columns[f"y_{name}"] = died_N
        columns[f"known_y_{name}"] = told_us(died_N, death_day_N, index_time_us_N, days)
    kinds = {name: np.int64 if name.startswith("known_") else np.int8 for name in columns}
    return pd.DataFrame(columns).astype(kinds)


def _of_admission(tables: ClinicalTables, definitions: Definitions, hadm_id_N: np.ndarray) -> dict[str, np.ndarray]:
    """Outcomes of the admission itself, known at its discharge."""
    admissions = tables.admissions
    died = admissions["hospital_expire_flag"]
    values = {
        "stroke_detection": codes_of_admissions(tables, definitions.labels["stroke"].codes),
        "af_this": codes_of_admissions(tables, definitions.labels["af"].codes),
        "death_hospital": died.where(died.isin([0, 1]), UNKNOWN_LABEL).to_numpy(),
    }
    discharge_us = ended_us(tables)
    position_N = pd.Index(admissions["hadm_id"]).get_indexer(pd.Index(hadm_id_N))
    linked = position_N >= 0
    columns: dict[str, np.ndarray] = {}
    for outcome, value_A in values.items():
        value_N = np.where(linked, value_A[position_N], UNKNOWN_LABEL)
        columns[f"y_{outcome}"] = value_N
        columns[f"known_y_{outcome}"] = np.where(value_N >= 0, discharge_us[position_N], UNKNOWN_TIME_US)
    return columns


def _later_stroke(
    tables: ClinicalTables,
    definitions: Definitions,
    subject_id_N: np.ndarray,
    hadm_id_N: np.ndarray,
    index_time_us_N: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(stroke of an admission that began after the index time: 1, 0, -1; when it was known)."""
    admissions = tables.admissions
    labels = definitions.labels
    stroke = codes_of_admissions(tables, labels["stroke"].codes)
    excluding = [codes_of_admissions(tables, labels[name].codes) for name in labels["stroke"].excluded_by]
    stays = pd.DataFrame(
        {
            "subject_id": admissions["subject_id"],
            "stay": admissions["hadm_id"],
            "began_us": to_us(admissions["admittime"]),
            "ended_us": ended_us(tables),
            "stroke": stroke,
            "excluded": np.any([stroke == 1, *(codes == 1 for codes in excluding)], axis=0),
        }
    )
    rows = pd.DataFrame({"subject_id": subject_id_N, "hadm_id": hadm_id_N, "index_us": index_time_us_N})
    rows = rows[known(np.asarray(index_time_us_N))]
    pairs = rows.reset_index(names="row").merge(stays, on="subject_id")
    own = pairs["stay"] == pairs["hadm_id"]
    later = pairs[(pairs["began_us"] > pairs["index_us"]) & ~own & (pairs["stroke"] >= 0)]
    so_far = pairs[(pairs["began_us"] <= pairs["index_us"]) | own]
    outcome_N, known_us_N = np.full(len(subject_id_N), UNKNOWN_LABEL), np.full(len(subject_id_N), UNKNOWN_TIME_US)
    none = later.groupby("row")["ended_us"].max()
    outcome_N[none.index], known_us_N[none.index] = 0, none
    first = later[later["stroke"] == 1].groupby("row")["ended_us"].min()
    outcome_N[first.index], known_us_N[first.index] = 1, first
    at_risk_N = np.zeros(len(subject_id_N), bool)
    at_risk_N[pairs.loc[own & (pairs["stroke"] == 0), "row"]] = True
    at_risk_N[so_far.loc[so_far["excluded"], "row"]] = False
    return np.where(at_risk_N, outcome_N, UNKNOWN_LABEL), np.where(at_risk_N, known_us_N, UNKNOWN_TIME_US)
