"""Clinical tables and waveform windows as MEDS events: who, when it was known, what, how much.

Times are those at which a thing was known: a diagnosis at the discharge of its admission, a prescription when its first
day was over, a window's measurements at its end. So a model that reads up to a prediction time reads nothing later.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.demographics import OLDEST_YEARS, patients_at_first_admission
from ecgppg.clinical.earlier import ended_us
from ecgppg.clinical.icd import decimal
from ecgppg.clinical.medications import of_class
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import DAY_US, known, to_us
from ecgppg.config.schema import UNKNOWN_ID, UNKNOWN_TIME_US

BIRTH, DEATH, OVER_89 = "MEDS_BIRTH", "MEDS_DEATH", "AGE//90_OR_OVER"
WINDOW_CODES = {
    "heart_rate_bpm": "WAVEFORM//HEART_RATE//bpm",
    "rr_cv": "WAVEFORM//RR_CV",
    "quality": "WAVEFORM//QUALITY",
}
"""{column of the table of segments: code of its event}."""
COLUMNS = ("subject_id", "time_us", "code", "numeric_value", "segment_id")


def clinical_events(tables: ClinicalTables, definitions: Definitions, subject_ids: np.ndarray) -> pd.DataFrame:
    """Events of the clinical tables.

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
        For the classes of medications.
    subject_ids : ndarray of int64
        Patients wanted.

    Returns
    -------
    DataFrame
        `COLUMNS`: time_us int64 (unknown: true at all times), numeric_value float32 (NaN: none), segment_id -1.
        Without a date of birth for patients over 89, whose dates the database has set 300 years back: they have
        `OVER_89` instead.
    """
    tables = _only(tables, subject_ids)
    parts = [
        *_people(tables),
        _events(tables.admissions, "admittime", "HOSPITAL_ADMISSION//" + tables.admissions["admission_type"]),
        _events(tables.admissions, "dischtime", "HOSPITAL_DISCHARGE"),
        _events(tables.icustays, "intime", "ICU_ADMISSION//" + tables.icustays["first_careunit"]),
        _events(tables.icustays, "outtime", "ICU_DISCHARGE"),
        _diagnoses(tables),
        *_medications(tables, definitions),
    ]
    return pd.concat([part for part in parts if len(part)] or [_frame([], [], [])], ignore_index=True)


def window_events(windows: pd.DataFrame, segment_us: int) -> pd.DataFrame:
    """Measurements of each window at its end.

    Parameters
    ----------
    windows : DataFrame
        segment_id, subject_id, start_time_us and the keys of `WINDOW_CODES`; those of unknown time are left out.
    segment_us : int
        Length of a window, microseconds.

    Returns
    -------
    DataFrame
        `COLUMNS`; one row a measurement that exists.
    """
    windows = windows[windows["start_time_us"] != UNKNOWN_TIME_US]
    parts = []
    for column, code in WINDOW_CODES.items():
        there = windows[windows[column].notna()]
        part = _frame(there["subject_id"], there["start_time_us"] + segment_us, code, there[column])
        parts.append(part.assign(segment_id=there["segment_id"].to_numpy(np.int64)))
    return pd.concat(parts, ignore_index=True)


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Events by patient and time, what is true at all times first, equal times by code; none twice."""
    return events.drop_duplicates().sort_values(["subject_id", "time_us", "code", "segment_id"], ignore_index=True)


def code_descriptions(codes: pd.Series, tables: ClinicalTables | None) -> pd.DataFrame:
    """code and description of every code, sorted; a diagnosis has its title where the tables hold titles."""
    titles: dict[str, str] = {}
    if tables is not None:
        named = tables.d_icd_diagnoses
        titles = {_diagnosis_code(c): t for c, t in zip(named["icd9_code"], named["long_title"], strict=True)}
    described = {
        BIRTH: "birth",
        DEATH: "death: its time in hospital, else the end of its day",
        OVER_89: "90 or over at the first admission; the date of birth is withheld",
        WINDOW_CODES["heart_rate_bpm"]: "heart rate of a window, beats per minute, at its end",
        WINDOW_CODES["rr_cv"]: "standard deviation / mean of a window's RR intervals, at its end",
        WINDOW_CODES["quality"]: "quality of a window, 0 to 1, at its end",
    }
    unique = sorted(set(codes))
    return pd.DataFrame({"code": unique, "description": [titles.get(c) or described.get(c, "") for c in unique]})


def _only(tables: ClinicalTables, subject_ids: np.ndarray) -> ClinicalTables:
    names = ("patients", "admissions", "diagnoses_icd", "icustays", "prescriptions")
    frames = {name: getattr(tables, name) for name in names}
    return replace(tables, **{name: f[f["subject_id"].isin(subject_ids)] for name, f in frames.items()})


def _people(tables: ClinicalTables) -> Iterator[pd.DataFrame]:
    patients = tables.patients
    over_89 = patients_at_first_admission(tables).query("age_over_89")["subject_id"]
    young = patients[~patients["subject_id"].isin(over_89) & patients["dob"].notna()]
    yield _events(young, "dob", BIRTH)
    yield _frame(over_89, UNKNOWN_TIME_US, OVER_89, OLDEST_YEARS)
    sexed = patients[patients["gender"] != ""]
    yield _frame(sexed["subject_id"], UNKNOWN_TIME_US, "GENDER//" + sexed["gender"].str.upper())
    in_hospital = tables.admissions[tables.admissions["deathtime"].notna()]
    yield _events(in_hospital.drop_duplicates("subject_id", keep="last"), "deathtime", DEATH)
    elsewhere = patients[patients["dod"].notna() & ~patients["subject_id"].isin(in_hospital["subject_id"])]
    yield _frame(elsewhere["subject_id"], _day_over(to_us(elsewhere["dod"])), DEATH)


def _diagnoses(tables: ClinicalTables) -> pd.DataFrame:
    discharge_us = pd.Series(ended_us(tables), index=tables.admissions["hadm_id"])
    diagnoses = tables.diagnoses_icd
    codes = diagnoses["icd9_code"].astype("category")
    names = np.array([_diagnosis_code(str(code)) for code in codes.cat.categories], dtype=object)
    times_us = discharge_us.reindex(diagnoses["hadm_id"], fill_value=UNKNOWN_TIME_US).to_numpy()
    there = known(times_us)
    return _frame(diagnoses["subject_id"][there], times_us[there], names[codes.cat.codes.to_numpy()][there])


def _diagnosis_code(code: str) -> str:
    return f"DIAGNOSIS//ICD9CM//{decimal(code)}"


def _medications(tables: ClinicalTables, definitions: Definitions) -> Iterator[pd.DataFrame]:
    dated = tables.prescriptions[tables.prescriptions["startdate"].notna()]
    over_us = _day_over(to_us(dated["startdate"]))
    for name, drug_list in definitions.medications.items():
        member = of_class(dated["drug"], drug_list)
        yield _frame(dated["subject_id"][member], over_us[member], f"MEDICATION//{name}")


def _day_over(times_us: np.ndarray) -> np.ndarray:
    return times_us - np.mod(times_us, DAY_US) + DAY_US


def _events(table: pd.DataFrame, time: str, code: str | pd.Series) -> pd.DataFrame:
    times_us = to_us(table[time])
    there = known(times_us)
    return _frame(table["subject_id"][there], times_us[there], code if isinstance(code, str) else code[there])


def _frame(subject_id: object, time_us: object, code: object, value: object = np.nan) -> pd.DataFrame:
    subjects = np.asarray(subject_id, np.int64)
    frame = pd.DataFrame({"subject_id": subjects})
    frame["time_us"] = np.broadcast_to(np.asarray(time_us, np.int64), subjects.shape)
    frame["code"] = np.broadcast_to(np.asarray(code, object), subjects.shape)
    frame["numeric_value"] = np.broadcast_to(np.asarray(value, np.float32), subjects.shape)
    frame["segment_id"] = np.int64(UNKNOWN_ID)
    return frame
