"""The MIMIC-III tables as frames: read once, duplicates and orphans left out and counted."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ecgppg.clinical.donors import organ_donor_accounts
from ecgppg.clinical.table_files import ARROW_TYPES, SUFFIXES, find_table, read_table
from ecgppg.clinical.table_specs import CHART_EVENTS, TABLE_SPECS, TableSpec
from ecgppg.config.errors import InputError

_ODD_ROWS = {
    "without_id": "rows without an id, left out",
    "duplicates": "repeated rows, left out",
    "orphans": "rows whose patient or admission is in no table, left out",
    "without_times": "admissions without a time, left out",
    "organ_donor": "accounts of organ donors, opened after death, left out",
    "reversed": "stays that end before they begin, kept as an instant",
    "died_without_time": "deaths in hospital without a time of death: hours to death are unknown there",
    "death_unflagged": "times of death in admissions not marked as ending in death, not counted as such",
    "without_code": "rows without a code, left out",
}


@dataclass
class ClinicalTables:
    """The clinical folder in memory.

    Attributes
    ----------
    folder : Path
    patients, admissions, diagnoses_icd, icustays, prescriptions, d_icd_diagnoses : DataFrame
        Columns of `TABLE_SPECS`, lower case; ids int64, dates datetime64[us], codes as text. Admissions are sorted by
        subject_id, admittime, hadm_id. An absent optional table is a frame without rows.
    missing : tuple of str
        Upper-case names of the optional tables that the folder does not hold.
    counts : Counter of str
        "<table>:rows", and where there are any "<table>:without_id", ":duplicates", ":orphans" (rows left out: their
        patient or admission is in no table), "admissions:without_times", "admissions:organ_donor" (left out),
        "admissions:reversed" and "icustays:reversed" (kept: they end before they begin), "admissions:died_without_time"
        and "admissions:death_unflagged" (kept), "diagnoses_icd:without_code".
    """

    folder: Path
    patients: pd.DataFrame
    admissions: pd.DataFrame
    diagnoses_icd: pd.DataFrame
    icustays: pd.DataFrame
    prescriptions: pd.DataFrame
    d_icd_diagnoses: pd.DataFrame
    missing: tuple[str, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)

    def of_patients(self, subject_ids: np.ndarray) -> "ClinicalTables":
        """What is told of some patients, in the same order; codes' titles and counts are those of all.

        Where none of them was admitted it is what is told of everyone: tables are never without an admission.
        """
        wanted = np.unique(subject_ids)
        if not self.admissions["subject_id"].isin(wanted).any():
            return self
        names = ("patients", "admissions", "diagnoses_icd", "icustays", "prescriptions")
        frames = {name: getattr(self, name) for name in names}
        frames = {k: frame[frame["subject_id"].isin(wanted)].reset_index(drop=True) for k, frame in frames.items()}
        return replace(self, **frames)

    def notices(self) -> list[str]:
        """One line for each absent optional table and for each kind of row left out, fit for a log."""
        specs = TABLE_SPECS | {CHART_EVENTS.name.lower(): CHART_EVENTS}
        absent = [f"{name} is absent: no {specs[name.lower()].purpose}" for name in self.missing]
        odd = {key: n for key, n in self.counts.items() if not key.endswith(":rows")}
        return absent + [
            f"{table.upper()}: {n} {_ODD_ROWS[what]}"
            for (table, what), n in ((key.split(":"), n) for key, n in odd.items())
        ]


def read_tables(clinical_dir: Path | str) -> ClinicalTables:
    """Read the MIMIC-III tables of a folder.

    Parameters
    ----------
    clinical_dir : Path or str
        Holds PATIENTS, ADMISSIONS, DIAGNOSES_ICD and, optionally, ICUSTAYS, PRESCRIPTIONS and D_ICD_DIAGNOSES, as
        .csv, .csv.gz or .parquet; names of files and columns in any case. CHARTEVENTS is only looked for: see
        `chart_events`.

    Raises
    ------
    InputError
        No such folder, a mandatory table absent or empty, a column absent, a value of the wrong type,
        no admission of any patient.
    """
    folder = Path(clinical_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: clinical_dir is not a folder")
    counts: Counter[str] = Counter()
    frames: dict[str, pd.DataFrame] = {}
    missing = []
    for name, spec in TABLE_SPECS.items():
        path = find_table(folder, spec)
        if path is None and spec.mandatory:
            kinds = ", ".join(spec.name + suffix for suffix in SUFFIXES)
            raise InputError(f"{folder}: has no table {spec.name} ({kinds}), needed for {spec.purpose}")
        if path is None:
            missing.append(spec.name)
        frames[name] = _empty(spec) if path is None else _clean(read_table(path, spec), spec, counts)
        if spec.mandatory and frames[name].empty:
            raise InputError(f"{path}: has no usable rows; {spec.name} is needed for {spec.purpose}")
    if find_table(folder, CHART_EVENTS) is None:
        missing.append(CHART_EVENTS.name)
    frames["admissions"] = _order_admissions(frames["admissions"], counts)
    _drop_donors(frames, counts)
    _drop_orphans(frames, counts)
    stays = frames["icustays"]
    _count(counts, "icustays:reversed", int((stays["outtime"] < stays["intime"]).sum()))
    if frames["admissions"].empty:
        raise InputError(f"{folder}: no admission in ADMISSIONS has its times and belongs to a patient of PATIENTS")
    return ClinicalTables(folder, **frames, missing=tuple(missing), counts=counts)


def _empty(spec: TableSpec) -> pd.DataFrame:
    columns = {name: pa.array([], pa.string()).cast(ARROW_TYPES[kind]) for name, kind in spec.columns.items()}
    return _to_frame(pa.table(columns))


def _to_frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(coerce_temporal_nanoseconds=False)


def _clean(table: pa.Table, spec: TableSpec, counts: Counter[str]) -> pd.DataFrame:
    """Frame of a table without rows that name nobody and without repeated rows."""
    name = spec.name.lower()
    counts[f"{name}:rows"] = table.num_rows
    table = table.combine_chunks()
    ids = [column for column, kind in spec.columns.items() if kind == "id"]
    named = table.filter(_all_valid(table, ids)) if ids else table
    _count(counts, f"{name}:without_id", table.num_rows - named.num_rows)
    for i, (column, kind) in enumerate(spec.columns.items()):
        if kind == "int":
            named = named.set_column(i, column, named.column(column).fill_null(-1))
    frame = _to_frame(named)
    for column, kind in spec.columns.items():
        if kind == "text":
            frame[column] = frame[column].fillna("").astype(object)
    if spec.key:
        repeated = frame.duplicated(list(spec.key))
        _count(counts, f"{name}:duplicates", int(repeated.sum()))
        frame = frame[~repeated]
    return frame.reset_index(drop=True)


def _all_valid(table: pa.Table, columns: list[str]) -> pa.Array:
    valid = np.logical_and.reduce([table.column(c).is_valid().to_numpy(zero_copy_only=False) for c in columns])
    return pa.array(valid)


def _count(counts: Counter[str], key: str, n: int) -> None:
    if n:
        counts[key] += n


def _drop_donors(frames: dict[str, pd.DataFrame], counts: Counter[str]) -> None:
    """Leave out organ donors' accounts with all that is told of them, and the free text that named them."""
    admissions = frames["admissions"]
    donor = organ_donor_accounts(admissions)
    _count(counts, "admissions:organ_donor", int(donor.sum()))
    left_out = admissions.loc[donor, "hadm_id"]
    frames["admissions"] = admissions[~donor].drop(columns="diagnosis").reset_index(drop=True)
    for name in ("diagnoses_icd", "icustays", "prescriptions"):
        frames[name] = frames[name][~frames[name]["hadm_id"].isin(left_out)]
    kept = frames["admissions"]
    flagged, timed = kept["hospital_expire_flag"] == 1, kept["deathtime"].notna()
    _count(counts, "admissions:died_without_time", int((flagged & ~timed).sum()))
    _count(counts, "admissions:death_unflagged", int((timed & ~flagged).sum()))


def _drop_orphans(frames: dict[str, pd.DataFrame], counts: Counter[str]) -> None:
    """Leave out rows whose patient, or whose admission of that patient, is in no table."""
    admissions = frames["admissions"]
    has_patient = admissions["subject_id"].isin(frames["patients"]["subject_id"])
    _count(counts, "admissions:orphans", int((~has_patient).sum()))
    frames["admissions"] = admissions = admissions[has_patient].reset_index(drop=True)
    subject_of = admissions.set_index("hadm_id")["subject_id"]
    for name in ("diagnoses_icd", "icustays", "prescriptions"):
        frame = frames[name]
        belongs = subject_of.reindex(frame["hadm_id"]).to_numpy() == frame["subject_id"].to_numpy()
        _count(counts, f"{name}:orphans", int((~belongs).sum()))
        frames[name] = frame[belongs].reset_index(drop=True)
    coded = frames["diagnoses_icd"]["icd9_code"].notna()
    _count(counts, "diagnoses_icd:without_code", int((~coded).sum()))
    frames["diagnoses_icd"] = frames["diagnoses_icd"][coded].reset_index(drop=True)


def _order_admissions(admissions: pd.DataFrame, counts: Counter[str]) -> pd.DataFrame:
    """Admissions with both times, by patient and time; a discharge before its admission is counted and kept."""
    timed = admissions["admittime"].notna() & admissions["dischtime"].notna()
    _count(counts, "admissions:without_times", int((~timed).sum()))
    admissions = admissions[timed]
    _count(counts, "admissions:reversed", int((admissions["dischtime"] < admissions["admittime"]).sum()))
    return admissions.sort_values(["subject_id", "admittime", "hadm_id"]).reset_index(drop=True)
