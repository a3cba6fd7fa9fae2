"""A small folder of MIMIC-III tables written by hand, for the clinical tests."""

import csv
import gzip
from pathlib import Path

PATIENTS = [
    # subject_id, gender, dob, dod
    (1, "M", "2070-05-05 00:00:00", ""),  # CareVue, three admissions, stroke at the third
    (2, "F", "1825-01-01 00:00:00", "2125-03-02 00:00:00"),  # born 300 years before: over 89
    (3, "F", "2100-01-01 00:00:00", "2140-08-01 00:00:00"),  # MetaVision, dies 60 days after discharge
    (4, "M", "2090-01-01 00:00:00", ""),  # MetaVision, alive as far as known
]
ADMISSIONS = [
    # subject_id, hadm_id, admittime, dischtime, deathtime, admission_type, hospital_expire_flag
    (1, 11, "2120-01-10 08:00:00", "2120-01-20 12:00:00", "", "EMERGENCY", 0),
    (1, 12, "2121-01-10 08:00:00", "2121-01-20 12:00:00", "", "ELECTIVE", 0),
    (1, 13, "2122-01-10 08:00:00", "2122-01-20 12:00:00", "", "EMERGENCY", 0),
    (2, 21, "2125-02-20 10:00:00", "2125-03-02 03:00:00", "2125-03-02 03:00:00", "URGENT", 1),
    (3, 31, "2140-05-20 00:00:00", "2140-06-02 00:00:00", "", "EMERGENCY", 0),
    (4, 41, "2150-01-01 00:00:00", "2150-01-11 00:00:00", "", "EMERGENCY", 0),
]
DIAGNOSES = [
    (1, 11, 1, "42731"),
    (1, 11, 2, "4019"),
    (1, 12, 1, "41071"),
    (1, 13, 1, "43491"),
    (2, 21, 1, "V1254"),
    (2, 21, 2, "0389"),
    (3, 31, 1, "43310"),
]  # admission 41 has none
ICUSTAYS = [
    (1, 11, 101, "carevue", "CCU", "2120-01-10 10:00:00", "2120-01-12 10:00:00"),
    (1, 12, 102, "carevue", "MICU", "2121-01-10 08:30:00", "2121-01-12 10:00:00"),
    (1, 13, 103, "carevue", "SICU", "2122-01-10 08:30:00", "2122-01-12 10:00:00"),
    (2, 21, 201, "carevue", "MICU", "2125-02-20 11:00:00", "2125-03-02 03:00:00"),
    (3, 31, 301, "metavision", "TSICU", "2140-05-20 01:00:00", "2140-05-25 00:00:00"),
    (4, 41, 401, "metavision", "CSRU", "2150-01-01 01:00:00", "2150-01-05 00:00:00"),
]
PRESCRIPTIONS = [
    (1, 12, "2121-01-09 00:00:00", "Warfarin"),
    (1, 12, "2121-01-10 00:00:00", "Metoprolol Tartrate"),
    (1, 12, "2121-01-12 00:00:00", "Atorvastatin"),
    (1, 11, "2120-01-10 00:00:00", "Heparin Flush (10 units/ml)"),
]
HEADERS = {
    "PATIENTS": ("subject_id", "gender", "dob", "dod"),
    "ADMISSIONS": (
        "subject_id",
        "hadm_id",
        "admittime",
        "dischtime",
        "deathtime",
        "admission_type",
        "hospital_expire_flag",
    ),
    "DIAGNOSES_ICD": ("subject_id", "hadm_id", "seq_num", "icd9_code"),
    "ICUSTAYS": ("subject_id", "hadm_id", "icustay_id", "dbsource", "first_careunit", "intime", "outtime"),
    "PRESCRIPTIONS": ("subject_id", "hadm_id", "startdate", "drug"),
}
ROWS: dict[str, list[tuple]] = {
    "PATIENTS": PATIENTS,
    "ADMISSIONS": ADMISSIONS,
    "DIAGNOSES_ICD": DIAGNOSES,
    "ICUSTAYS": ICUSTAYS,
    "PRESCRIPTIONS": PRESCRIPTIONS,
}


def write_table(path: Path, name: str, rows: list[tuple] | None = None, upper: bool = False) -> None:
    """Write one table as CSV or CSV.gz, row_id first as the database has it."""
    header = ["row_id", *HEADERS[name]]
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", newline="") as f:
        writer = csv.writer(f)
        writer.writerow([c.upper() for c in header] if upper else header)
        writer.writerows([i, *row] for i, row in enumerate(ROWS[name] if rows is None else rows))


def write_folder(folder: Path, **changed: list[tuple]) -> Path:
    """Write all tables; `changed` replaces the rows of a table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ROWS:
        write_table(folder / f"{name}.csv", name, changed.get(name))
    return folder
