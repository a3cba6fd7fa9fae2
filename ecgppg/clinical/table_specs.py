"""Which columns of which MIMIC-III tables are read, as what, and what for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TableSpec:
    """One table of the clinical folder.

    Attributes
    ----------
    name : str
        Upper-case MIMIC-III name, also the file's stem in any case.
    purpose : str
        What goes without it, in the words an error or a notice uses.
    mandatory : bool
    columns : dict of str to str
        {column: "id" | "int" | "time" | "text" | "category"}, in the order of the frame.
        A row whose "id" is missing is left out and counted; "int" is -1 where missing; "category" is for text of few
        distinct values in many rows.
    key : tuple of str
        Columns that make a row unique; later rows of the same key are duplicates. Empty: rows may repeat.
    """

    name: str
    purpose: str
    mandatory: bool
    columns: dict[str, str]
    key: tuple[str, ...]


TABLE_SPECS = {
    spec.name.lower(): spec
    for spec in (
        TableSpec(
            "PATIENTS",
            "age, sex and date of death",
            True,
            {"subject_id": "id", "gender": "text", "dob": "time", "dod": "time"},
            ("subject_id",),
        ),
        TableSpec(
            "ADMISSIONS",
            "linking a recording to its admission",
            True,
            {
                "subject_id": "id",
                "hadm_id": "id",
                "admittime": "time",
                "dischtime": "time",
                "deathtime": "time",
                "admission_type": "text",
                "hospital_expire_flag": "int",
            },
            ("hadm_id",),
        ),
        TableSpec(
            "DIAGNOSES_ICD",
            "labels from ICD-9 codes",
            True,
            {"subject_id": "id", "hadm_id": "id", "seq_num": "int", "icd9_code": "category"},
            ("hadm_id", "seq_num", "icd9_code"),
        ),
        TableSpec(
            "ICUSTAYS",
            "care unit and ICU stay of a recording, one-year follow-up",
            False,
            {
                "subject_id": "id",
                "hadm_id": "id",
                "icustay_id": "id",
                "dbsource": "text",
                "first_careunit": "text",
                "intime": "time",
                "outtime": "time",
            },
            ("icustay_id",),
        ),
        TableSpec(
            "PRESCRIPTIONS",
            "medication features",
            False,
            {"subject_id": "id", "hadm_id": "id", "startdate": "time", "drug": "category"},
            (),
        ),
        TableSpec(
            "D_ICD_DIAGNOSES",
            "titles of ICD-9 codes",
            False,
            {"icd9_code": "text", "short_title": "text", "long_title": "text"},
            ("icd9_code",),
        ),
    )
}
