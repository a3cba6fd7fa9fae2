"""The clinical CSV files, with the columns of MIMIC-III."""

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.synthetic.codes import DOSES, ICD9, draw_codes, draw_drugs
from ecgppg.synthetic.stays import Admission, Course

COLUMNS = {
    "PATIENTS": "SUBJECT_ID GENDER DOB DOD DOD_HOSP DOD_SSN EXPIRE_FLAG",
    "ADMISSIONS": "SUBJECT_ID HADM_ID ADMITTIME DISCHTIME DEATHTIME ADMISSION_TYPE ADMISSION_LOCATION "
    "DISCHARGE_LOCATION INSURANCE LANGUAGE RELIGION MARITAL_STATUS ETHNICITY EDREGTIME EDOUTTIME DIAGNOSIS "
    "HOSPITAL_EXPIRE_FLAG HAS_CHARTEVENTS_DATA",
    "ICUSTAYS": "SUBJECT_ID HADM_ID ICUSTAY_ID DBSOURCE FIRST_CAREUNIT LAST_CAREUNIT FIRST_WARDID LAST_WARDID "
    "INTIME OUTTIME LOS",
    "DIAGNOSES_ICD": "SUBJECT_ID HADM_ID SEQ_NUM ICD9_CODE",
    "PRESCRIPTIONS": "SUBJECT_ID HADM_ID ICUSTAY_ID STARTDATE ENDDATE DRUG_TYPE DRUG DRUG_NAME_POE "
    "DRUG_NAME_GENERIC FORMULARY_DRUG_CD GSN NDC PROD_STRENGTH DOSE_VAL_RX DOSE_UNIT_RX FORM_VAL_DISP "
    "FORM_UNIT_DISP ROUTE",
    "D_ICD_DIAGNOSES": "ICD9_CODE SHORT_TITLE LONG_TITLE",
}
"""Columns of each table after ROW_ID."""
GZIPPED = ("PRESCRIPTIONS", "D_ICD_DIAGNOSES")
UNITS = ("MICU", "CCU", "CSRU", "SICU", "TSICU")
Row = Sequence[object]


def patient_rows(person: dict[str, Any], course: Course, rng: np.random.Generator) -> dict[str, list[Row]]:
    """Rows of every table about one person, without ROW_ID.

    Parameters
    ----------
    person : dict
        A row of `people.simulate_people`.
    course : Course
        Its dates.
    rng : numpy Generator
        Of the person.

    Returns
    -------
    dict
        {table: rows in the order of `COLUMNS`}.
    """
    subject = person["subject_id"]
    in_hospital = course.dod if course.admissions[-1].died else None
    midnight = [_midnight(t) for t in (course.dod, in_hospital, course.dod if not in_hospital else None)]
    rows: dict[str, list[Row]] = {name: [] for name in COLUMNS if name != "D_ICD_DIAGNOSES"}
    rows["PATIENTS"].append([subject, person["gender"], course.dob, *midnight, int(course.dod is not None)])
    fixed = _habits(person, rng)
    for stay in course.admissions:
        key = [subject, stay.hadm_id]
        codes = draw_codes(person, stay, rng)
        rows["ADMISSIONS"].append([*key, *_admission(stay, person, fixed, ICD9[codes[0]][0].upper())])
        unit = "NICU" if person["neonate"] else str(rng.choice(UNITS))
        ward = 20 + UNITS.index(unit) if unit in UNITS else 56
        days = round((stay.outtime - stay.intime) / timedelta(days=1), 4)
        rows["ICUSTAYS"].append(
            [*key, stay.icustay_id, course.dbsource, unit, unit, ward, ward, stay.intime, stay.outtime, days]
        )
        rows["DIAGNOSES_ICD"] += [[*key, k, code] for k, code in enumerate(codes, start=1)]
        for drug in draw_drugs(person, rng):
            start = _midnight(stay.intime + timedelta(days=float(rng.uniform(0, 2))))
            end = start + timedelta(days=int(rng.integers(1, 6))) if start else None
            value, unit_rx, route = DOSES
            rows["PRESCRIPTIONS"].append(
                [
                    *key,
                    stay.icustay_id,
                    start,
                    end,
                    "MAIN",
                    drug,
                    drug,
                    drug,
                    "",
                    "",
                    "0",
                    "",
                    value,
                    unit_rx,
                    1,
                    "TAB",
                    route,
                ]
            )
    return rows


def write_tables(folder: Path, patients: Iterable[dict[str, list[Row]]]) -> None:
    """Write the six tables, rows in the order given, numbered by ROW_ID.

    Parameters
    ----------
    folder : Path
        Made if absent.
    patients : iterable of dict
        What `patient_rows` gave, in the order of the cohort.
    """
    folder.mkdir(parents=True, exist_ok=True)
    everyone = list(patients)
    for name, columns in COLUMNS.items():
        rows: Iterable[Row] = (row for patient in everyone for row in patient.get(name, []))
        if name == "D_ICD_DIAGNOSES":
            rows = [[code, *titles] for code, titles in sorted(ICD9.items())]
        numbered = ([k, *map(_text, row)] for k, row in enumerate(rows, start=1))
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerows([["ROW_ID", *columns.split()], *numbered])
        if name in GZIPPED:
            # No time and no name inside, so that the same rows give the same bytes.
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
        else:
            (folder / f"{name}.csv").write_text(text.getvalue(), encoding="utf-8")


def _habits(person: dict[str, Any], rng: np.random.Generator) -> tuple[str, str, str]:
    insurance = "Medicare" if person["age_years"] >= 65 else str(rng.choice(["Private", "Medicaid", "Medicare"]))
    ethnicity = str(
        rng.choice(["WHITE", "BLACK/AFRICAN AMERICAN", "ASIAN", "UNKNOWN/NOT SPECIFIED"], p=[0.7, 0.12, 0.06, 0.12])
    )
    return insurance, ethnicity, str(rng.choice(["MARRIED", "SINGLE", "WIDOWED"]))


def _admission(stay: Admission, person: dict[str, Any], fixed: tuple[str, str, str], diagnosis: str) -> Row:
    insurance, ethnicity, marital = fixed
    kind = "NEWBORN" if person["neonate"] else "EMERGENCY"
    return [
        stay.admittime, stay.dischtime, stay.dischtime if stay.died else None, kind, "EMERGENCY ROOM ADMIT",
        "DEAD/EXPIRED" if stay.died else "HOME", insurance, "ENGL", "UNOBTAINABLE", marital, ethnicity,
        stay.admittime - timedelta(hours=4), stay.admittime, diagnosis, int(stay.died), 1,
    ]  # fmt: skip


def _midnight(time: datetime | None) -> datetime | None:
    return datetime.combine(date(time.year, time.month, time.day), datetime.min.time()) if time else None


def _text(value: object) -> object:
    """Dates as the database writes them, nothing for None, numbers as they are."""
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value
