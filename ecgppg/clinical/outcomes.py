"""Outcomes of a row (patient, admission, index time), each with the time at which it became known.

Detection asks for a stroke of this admission, prediction for one of a later admission in a patient who had none so
far. They are two tasks and share no column.
"""

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.labels import codes_of_admissions, label_admissions
from ecgppg.clinical.mortality import HORIZON_DAYS, died_within
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import DAY_US, to_us
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
        y_stroke_prediction: a stroke code of a later admission; -1 for patients with a stroke or its history in this
        or an earlier admission, for an admission without diagnoses, and where there is no later one. Known at the
        discharge of the first later admission with a stroke, or for a 0 of the last one with diagnoses.
        y_death_hospital: known at discharge.
        y_death_90d, y_death_1y: from the index time; a death is known when its day is over, survival when the days
        have passed.
        known_y_* is `UNKNOWN_TIME_US` where the outcome is -1.
    """
    per_admission = _admission_outcomes(tables, definitions)
    position_N = pd.Index(per_admission["hadm_id"]).get_indexer(pd.Index(hadm_id_N))
    linked = position_N >= 0
    columns: dict[str, np.ndarray] = {}
    for name in per_admission.columns.drop("hadm_id"):
        unknown = UNKNOWN_TIME_US if name.startswith("known_") else UNKNOWN_LABEL
        columns[name] = np.where(linked, per_admission[name].to_numpy()[position_N], unknown)
    for name, days in HORIZON_DAYS.items():
        died_N, death_day_N = died_within(tables, subject_id_N, index_time_us_N, days)
        label_N = np.where(linked, died_N, UNKNOWN_LABEL)
        death_known_us = np.where(label_N == 1, death_day_N + 1, 0) * DAY_US
        alive_known_us = np.where(label_N == 0, index_time_us_N, 0) + days * DAY_US
        columns[f"y_{name}"] = label_N
        columns[f"known_y_{name}"] = np.select(
            [label_N == 1, label_N == 0], [death_known_us, alive_known_us], UNKNOWN_TIME_US
        )
    kinds = {name: np.int64 if name.startswith("known_") else np.int8 for name in columns}
    return pd.DataFrame(columns).astype(kinds)


def _admission_outcomes(tables: ClinicalTables, definitions: Definitions) -> pd.DataFrame:
    """Outcomes that do not depend on the index time, one row an admission."""
    labels = label_admissions(tables, definitions).reset_index()
    discharge_us = to_us(tables.admissions["dischtime"])
    had_stroke = (labels[["stroke_this", "stroke_before", "stroke_history_this", "stroke_history_before"]] == 1).any(
        axis=1
    )
    prediction = labels["stroke_after"].mask(had_stroke | (labels["stroke_this"] < 0), UNKNOWN_LABEL)
    outcome = {
        "y_stroke_detection": labels["stroke_this"],
        "y_stroke_prediction": prediction,
        "y_af_this": labels["af_this"],
        "y_death_hospital": labels["death_hospital"],
    }
    columns = {"hadm_id": labels["hadm_id"], **outcome}
    for name, values in outcome.items():
        known_us = _later_known_us(tables, definitions) if name == "y_stroke_prediction" else discharge_us
        columns[f"known_{name}"] = pd.Series(np.where(values >= 0, known_us, UNKNOWN_TIME_US))
    return pd.DataFrame(columns)


def _later_known_us(tables: ClinicalTables, definitions: Definitions) -> np.ndarray:
    """When the later admissions had told whether there was a stroke: first discharge with one, or the last of all."""
    stroke = codes_of_admissions(tables, definitions.labels["stroke"].codes)
    subjects = tables.admissions["subject_id"].to_numpy()
    discharge_us = to_us(tables.admissions["dischtime"])
    known_us = np.full(len(subjects), UNKNOWN_TIME_US)
    told_us, told_stroke = UNKNOWN_TIME_US, False
    for i in range(len(subjects) - 1, -1, -1):  # admissions are sorted by patient and time: from the last back
        if i + 1 == len(subjects) or subjects[i + 1] != subjects[i]:
            told_us, told_stroke = UNKNOWN_TIME_US, False
        known_us[i] = told_us
        if stroke[i] == 1:
            told_us, told_stroke = discharge_us[i], True
        elif stroke[i] == 0 and not told_stroke:
            told_us = max(told_us, discharge_us[i])
    return known_us
