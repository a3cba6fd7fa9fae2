"""Which columns of which MIMIC-III tables are read, as what, and what for."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    optional : tuple of str
        Columns that a file may lack; they are missing in every row then.
    column_purposes : mapping of str to str
        What a column is needed for, where the table's own purpose does not say it.
    """

    name: str
    purpose: str
    mandatory: bool
    columns: dict[str, str]
    key: tuple[str, ...]
    optional: tuple[str, ...] = ()
    column_purposes: Mapping[str, str] = field(default_factory=dict)

    def purpose_of(self, column: str) -> str:
        """What one column is needed for."""
        return self.column_purposes.get(column, self.purpose)


TABLE_SPECS = {
    spec.name.lower(): spec
    for spec in (
        TableSpec(
            "PATIENTS",
            "age, sex and date of death",
            True,
            {"subject_id": "id", "gender": "text", "dob": "time", "dod": "time"},
            ("subject_id",),
            column_purposes={"gender": "sex", "dob": "age", "dod": "death after discharge"},
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
                "diagnosis": "category",
            },
            ("hadm_id",),
            optional=("diagnosis",),
            column_purposes={
                "deathtime": "hours to death",
                "admission_type": "the admission type as a feature",
                "hospital_expire_flag": "in-hospital death",
            },
        ),
        TableSpec(
            "DIAGNOSES_ICD",
            "labels from ICD-9 codes",
            True,
            {"subject_id": "id", "hadm_id": "id", "seq_num": "int", "icd9_code": "category"},
            ("hadm_id", "seq_num", "icd9_code"),
            column_purposes={"seq_num": "telling the primary diagnosis from the others"},
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
            column_purposes={"dbsource": "one-year follow-up", "first_careunit": "the care unit of a recording"},
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
"""Tables that are read whole."""

CHART_EVENTS = TableSpec(
    "CHARTEVENTS",
    "charted rhythm as a label of windows",
    False,
    {"subject_id": "id", "itemid": "id", "charttime": "time", "value": "text", "error": "int"},
    (),
    optional=("error",),
    column_purposes={"itemid": "finding the charted rhythm", "charttime": "placing a charted rhythm in time"},
)
"""330 million rows in the full database: streamed, and only the rows asked for are kept."""
