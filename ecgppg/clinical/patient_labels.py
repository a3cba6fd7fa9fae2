"""Labels by patient: one row a patient and admission that was recorded, each label with the time it became known."""

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.earlier import ended_us
from ecgppg.clinical.known_times import known_times
from ecgppg.clinical.labels import WHEN, incident, label_admissions, label_rows
from ecgppg.clinical.mortality import HORIZON_DAYS, NO_DAY, death_days, hours_to_death, told_us
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.config.schema import UNKNOWN_ID, UNKNOWN_LABEL, UNKNOWN_TIME_US


def label_patients(
    tables: ClinicalTables,
    definitions: Definitions,
    subject_id_N: np.ndarray,
    hadm_id_N: np.ndarray,
    time_us_N: np.ndarray,
) -> pd.DataFrame:
    """Labels of everyone who was recorded: `label_recorded` of `recorded_admissions`."""
    return label_recorded(tables, definitions, recorded_admissions(subject_id_N, hadm_id_N, time_us_N))


def label_recorded(tables: ClinicalTables, definitions: Definitions, rows: pd.DataFrame) -> pd.DataFrame:
    """Labels of admissions that were recorded.

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
    rows : DataFrame
        As `recorded_admissions` gives them, of some patients or of all.

    Returns
    -------
    DataFrame
        One row a (subject_id, hadm_id), by subject_id and time; a patient whose segments all have no admission has one
        row of hadm_id -1 and no labels.
        index_time_us : start of the first segment of that admission.
        first_of_patient : bool, the patient's first recorded admission: the one row for an analysis by patient.
        n_segments : segments of that admission.
        LABEL_this, LABEL_before, LABEL_after, LABEL_incident, death_* : int8, 1, 0, -1; see `labels`. Deaths within
        days of the index time.
        hours_to_death : float32, from the index time, NaN unless the patient died in this admission.
        known_LABEL... : int64 microseconds, when each became known; `UNKNOWN_TIME_US` where the label is -1.
    """
    subject_id_R, hadm_id_R, time_us_R = (
        rows[name].to_numpy(np.int64) for name in ("subject_id", "hadm_id", "index_time_us")
    )
    position_R = pd.Index(tables.admissions["hadm_id"]).get_indexer(pd.Index(hadm_id_R))
    linked_R = position_R >= 0
    columns: dict[str, np.ndarray] = dict(label_rows(tables, definitions, subject_id_R, hadm_id_R, time_us_R))
    told: dict[str, np.ndarray] = {}

    def at_rows(of_admissions: np.ndarray, unknown: int) -> np.ndarray:
        return np.where(linked_R, of_admissions[position_R], unknown).astype(of_admissions.dtype)

    by_admission = label_admissions(tables, definitions)
    subjects, over_us = tables.admissions["subject_id"].to_numpy(), ended_us(tables)
    for name in definitions.labels:
        times = known_times(by_admission[f"{name}_this"].to_numpy(), subjects, over_us)
        for when in WHEN:
            told[f"known_{name}_{when}"] = at_rows(times[when], UNKNOWN_TIME_US)
        columns[f"{name}_incident"] = at_rows(incident(by_admission, definitions, name), UNKNOWN_LABEL)
        all_us = np.maximum.reduce([times[when] for when in WHEN])
        told[f"known_{name}_incident"] = np.where(
            columns[f"{name}_incident"] == UNKNOWN_LABEL, UNKNOWN_TIME_US, at_rows(all_us, UNKNOWN_TIME_US)
        )
    told["known_death_hospital"] = np.where(
        columns["death_hospital"] == UNKNOWN_LABEL, UNKNOWN_TIME_US, at_rows(over_us, UNKNOWN_TIME_US)
    )
    death_day_R = death_days(tables).reindex(subject_id_R, fill_value=NO_DAY).to_numpy()
    for name, days in HORIZON_DAYS.items():
        told[f"known_{name}"] = told_us(columns[name], death_day_R, time_us_R, days)
    hours = {"hours_to_death": hours_to_death(tables, hadm_id_R, time_us_R)}
    return pd.concat([rows, *(pd.DataFrame(part) for part in (columns, hours, told))], axis=1)


def recorded_admissions(subject_id_N: np.ndarray, hadm_id_N: np.ndarray, time_us_N: np.ndarray) -> pd.DataFrame:
    """Patients and admissions of which there are segments.

    Parameters
    ----------
    subject_id_N, hadm_id_N, time_us_N : ndarray of int64 (N,)
        Patient, admission (-1 unknown) and start of every segment of these patients.

    Returns
    -------
    DataFrame
        subject_id, hadm_id, index_time_us, first_of_patient, n_segments, as in `label_recorded`.
    """
    frame = pd.DataFrame({"subject_id": subject_id_N, "hadm_id": hadm_id_N, "index_time_us": time_us_N})
    linked = frame["hadm_id"] != UNKNOWN_ID
    frame = frame[linked | ~frame["subject_id"].isin(frame.loc[linked, "subject_id"])]
    by_admission = frame.groupby(["subject_id", "hadm_id"])["index_time_us"]
    rows = by_admission.agg(index_time_us="min", n_segments="size").reset_index()
    rows = rows.sort_values(["subject_id", "index_time_us", "hadm_id"], ignore_index=True)
    rows.insert(3, "first_of_patient", ~rows["subject_id"].duplicated())
    return rows
