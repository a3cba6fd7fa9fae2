"""Labels of recordings: ICD-9 codes of this, an earlier and a later admission, and deaths.

A code belongs to an admission and not to a window: it says nothing about the rhythm at any one time. When each label
became known stands in `patient_labels`, one row a patient and admission.
"""

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.icd import matches
from ecgppg.clinical.mortality import HORIZON_DAYS, died_within
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.config.schema import UNKNOWN_LABEL

WHEN = ("this", "before", "after")


def label_columns(definitions: Definitions) -> list[str]:
    """Names of all label columns, in their order."""
    codes = [f"{name}_{when}" for name in definitions.labels for when in WHEN]
    return [*codes, "death_hospital", *HORIZON_DAYS]


def incident(labels: pd.DataFrame, definitions: Definitions, name: str) -> np.ndarray:
    """Whether a label is new in a later admission: 1 new, 0 not, -1 unknown or no case could be new.

    Parameters
    ----------
    labels : DataFrame
        As `label_admissions` gives them.
    definitions : Definitions
    name : str
        A label.

    Returns
    -------
    ndarray of int8 (N,)
        -1 for everyone who has the label, or one of its `excluded_by`, in this or an earlier admission; for an
        admission without diagnoses; and where no later admission tells. No earlier admission is no objection: nobody
        is known to be free of a disease before the first.
    """
    had = [f"{other}_{when}" for other in (name, *definitions.labels[name].excluded_by) for when in ("this", "before")]
    prevalent = (labels[had] == 1).any(axis=1) | (labels[f"{name}_this"] == UNKNOWN_LABEL)
    return labels[f"{name}_after"].mask(prevalent, UNKNOWN_LABEL).to_numpy(np.int8)


def codes_of_admissions(tables: ClinicalTables, codes: tuple[str, ...]) -> np.ndarray:
    """Whether each admission (in the order of `tables.admissions`) has any of the codes.

    Returns
    -------
    ndarray of int8 (number of admissions,)
        1, 0, or -1 for an admission without any diagnosis.
    """
    diagnoses = tables.diagnoses_icd
    hadm_ids = tables.admissions["hadm_id"]
    found = hadm_ids.isin(diagnoses.loc[matches(diagnoses["icd9_code"], codes), "hadm_id"]).to_numpy()
    coded = hadm_ids.isin(diagnoses["hadm_id"]).to_numpy()
    return np.where(coded, found, UNKNOWN_LABEL).astype(np.int8)


def label_admissions(tables: ClinicalTables, definitions: Definitions) -> pd.DataFrame:
    """Code labels and in-hospital death of every admission.

    Returns
    -------
    DataFrame
        Index hadm_id, in the order of `tables.admissions`; int8 columns:
        LABEL_this: a code of this admission; -1 if it has no diagnosis at all.
        LABEL_before, LABEL_after: a code of any admission of the patient admitted earlier, later; -1 if there is none
        (or none with diagnoses): nobody can say that a patient never seen before, or again, did not have it.
        death_hospital: hospital_expire_flag; -1 where it is neither 0 nor 1.
    """
    admissions = tables.admissions
    subjects = admissions["subject_id"]
    columns: dict[str, np.ndarray] = {}
    for name, group in definitions.labels.items():
        this = pd.Series(codes_of_admissions(tables, group.codes))
        columns[f"{name}_this"] = this.to_numpy()
        columns[f"{name}_before"] = _most_so_far(this, subjects)
        columns[f"{name}_after"] = _most_so_far(this[::-1], subjects[::-1])[::-1]
    died = admissions["hospital_expire_flag"]
    columns["death_hospital"] = died.where(died.isin([0, 1]), UNKNOWN_LABEL).to_numpy()
    return pd.DataFrame(columns, index=pd.Index(admissions["hadm_id"], name="hadm_id"), dtype=np.int8)


def _most_so_far(values: pd.Series, subjects: pd.Series) -> np.ndarray:
    """Largest value of the same patient's rows above each row; -1 for a first row."""
    running = values.groupby(subjects, sort=False).cummax()
    return running.groupby(subjects, sort=False).shift(1, fill_value=UNKNOWN_LABEL).to_numpy(np.int8)


def label_rows(
    tables: ClinicalTables,
    definitions: Definitions,
    subject_id_N: np.ndarray,
    hadm_id_N: np.ndarray,
    time_us_N: np.ndarray,
) -> dict[str, np.ndarray]:
    """Every label of each row.

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
    subject_id_N, hadm_id_N : ndarray of int64 (N,)
        hadm_id -1: unknown.
    time_us_N : ndarray of int64 (N,)
        When the row lies, for deaths within 90 days and a year of it.

    Returns
    -------
    dict of str to ndarray of int8 (N,)
        Keys of `label_columns`; 1, 0, -1 unknown. Where the admission is unknown every label is -1: a time that fits
        no admission is no ground for counting days either.
    """
    hadm_id_N, subject_id_N, time_us_N = (np.asarray(a, np.int64) for a in (hadm_id_N, subject_id_N, time_us_N))
    by_admission = label_admissions(tables, definitions)
    position_N = by_admission.index.get_indexer(pd.Index(hadm_id_N))
    linked = position_N >= 0
    labels = {
        name: np.where(linked, by_admission[name].to_numpy()[position_N], UNKNOWN_LABEL).astype(np.int8)
        for name in by_admission.columns
    }
    for name, days in HORIZON_DAYS.items():
        labels[name], _ = died_within(tables, subject_id_N, hadm_id_N, time_us_N, days)
    return {name: labels[name] for name in label_columns(definitions)}


def unknown_labels(definitions: Definitions, n: int) -> dict[str, np.ndarray]:
    """Every label column as unknown, for a build without clinical tables."""
    return {name: np.full(n, UNKNOWN_LABEL, np.int8) for name in label_columns(definitions)}
