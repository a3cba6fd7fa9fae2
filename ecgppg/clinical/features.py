"""The table of `clinical_features.csv`: one row a patient and admission, features before outcomes, each with its time.

f_* is what a model may see at index_time_us, known_f_* when it became known, never after the index time. Features that
become known together share one such column under the beginning of their names: known_f_elix for f_elix_obesity and its
like, known_f_wave for those of the waveforms. y_* and known_y_* are the outcomes. Whoever reads the table should pass
it through `leakage.check_leakage`; `feature_dictionary` explains every column.
"""

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.comorbidities import comorbidity_features
from ecgppg.clinical.comorbidity_maps import ComorbidityMaps, load_maps
from ecgppg.clinical.demographics import OLDEST_YEARS, ages_at, old_enough
from ecgppg.clinical.earlier import earlier_admissions
from ecgppg.clinical.history import history_features
from ecgppg.clinical.medications import medication_classes
from ecgppg.clinical.outcomes import outcomes
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import known, minutes_between, to_us
from ecgppg.config.errors import InputError
from ecgppg.config.schema import UNKNOWN_TIME_US

ADMISSION_TYPES = ("emergency", "urgent", "elective")
CARE_UNITS = ("ccu", "csru", "micu", "sicu", "tsicu")
SHARED_TIMES = ("prior", "elix", "cha2ds2_vasc", "ccs")
"""Families of features that became known together, at the last discharge before the index time."""
ROW_COLUMNS = ("subject_id", "hadm_id", "index_time_us")


def rows_from_first_icu(tables: ClinicalTables, min_age_years: int = 0) -> pd.DataFrame:
    """Rows for features without waveforms: every admission with an ICU stay, index time its first ICU intime.

    Parameters
    ----------
    tables : ClinicalTables
    min_age_years : int
        Patients younger at their first admission are left out.

    Returns
    -------
    DataFrame
        subject_id, hadm_id, index_time_us, by patient and time.

    Raises
    ------
    InputError
        The tables have no ICUSTAYS.
    """
    if "ICUSTAYS" in tables.missing:
        raise InputError(f"{tables.folder}: has no table ICUSTAYS, which the index times without waveforms need")
    stays = tables.icustays
    stays = stays[stays["intime"].notna() & stays["subject_id"].isin(old_enough(tables, min_age_years))]
    first = stays.sort_values(["subject_id", "intime", "icustay_id"]).drop_duplicates("hadm_id")
    rows = first[["subject_id", "hadm_id"]].assign(index_time_us=to_us(first["intime"]))
    return rows.reset_index(drop=True)


def clinical_features(
    tables: ClinicalTables, definitions: Definitions, rows: pd.DataFrame, maps: ComorbidityMaps | None = None
) -> pd.DataFrame:
    """Add clinical features and outcomes to rows.

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
    rows : DataFrame
        subject_id, hadm_id, index_time_us; further columns (f_wave_*, n_windows, ...) are kept.
    maps : ComorbidityMaps, optional
        The built-in Elixhauser groups and CHA2DS2-VASc, without CCS, if not given.

    Returns
    -------
    DataFrame
        Rows in the order given: the columns of `rows`; first_eligible and first_eligible_prediction (bool: the one
        row of its patient to be used in detection and in prediction); f_* (float, NaN unknown), y_* (int8, see
        `outcomes.outcomes`), known_*.

    Raises
    ------
    InputError
        `rows` lacks one of its three columns, or holds a (subject_id, hadm_id) twice.
    """
    absent = [name for name in ROW_COLUMNS if name not in rows]
    if absent:
        raise InputError(f"rows of features: lack column {absent[0]}")
    rows = rows.reset_index(drop=True)
    linked = rows[rows["hadm_id"] >= 0]
    if linked.duplicated(["subject_id", "hadm_id"]).any():
        raise InputError("rows of features: hold the same patient and admission twice")
    subject_id_N, hadm_id_N, index_us_N = (rows[name].to_numpy(np.int64) for name in ROW_COLUMNS)
    features, known_us = _features(tables, definitions, maps or load_maps(), subject_id_N, hadm_id_N, index_us_N)
    results = outcomes(tables, definitions, subject_id_N, hadm_id_N, index_us_N)
    table = pd.concat([rows, features.add_prefix("f_"), known_us.add_prefix("known_f_"), results], axis=1)
    eligible = pd.DataFrame(
        {
            "first_eligible": first_eligible(table, "y_stroke_detection"),
            "first_eligible_prediction": first_eligible(table, "y_stroke_prediction"),
        }
    )
    ordered = [name for prefix in ("f_", "y_", "known_") for name in table.columns if name.startswith(prefix)]
    others = [name for name in table.columns if name not in ordered]
    return pd.concat([table[others], eligible, table[ordered]], axis=1)


def first_eligible(table: pd.DataFrame, outcome: str) -> np.ndarray:
    """Each patient's one row for a task: the earliest whose outcome is known, and was not yet at the index time.

    Parameters
    ----------
    table : DataFrame
        subject_id, hadm_id, index_time_us, the outcome and its known_ column.
    outcome : str
        Name of a y_ column.

    Returns
    -------
    ndarray of bool (N,)
    """
    may = table[(table[outcome] >= 0) & (table[f"known_{outcome}"] > table["index_time_us"])]
    may = may[known(may["index_time_us"].to_numpy())].sort_values(["subject_id", "index_time_us", "hadm_id"])
    return table.index.isin(may.drop_duplicates("subject_id").index)


def _features(
    tables: ClinicalTables,
    definitions: Definitions,
    maps: ComorbidityMaps,
    subject_id_N: np.ndarray,
    hadm_id_N: np.ndarray,
    index_us_N: np.ndarray,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(features, when each or its family became known)."""
    features: dict[str, np.ndarray] = {}
    known_us: dict[str, np.ndarray] = {}

    def add(name: str, values: np.ndarray, when_us: np.ndarray) -> None:
        features[name] = values
        known_us[name] = np.where(np.isnan(values), UNKNOWN_TIME_US, when_us)

    # Age and sex are known whenever the patient is; a time of their own would be the date of birth.
    age_N = ages_at(tables, subject_id_N, index_us_N)
    add("age_years", age_N, index_us_N)
    add("age_over_89", np.where(np.isnan(age_N), np.nan, age_N >= OLDEST_YEARS), index_us_N)
    gender = tables.patients.set_index("subject_id")["gender"].str.upper().reindex(subject_id_N)
    male_N = gender.map({"M": 1.0, "F": 0.0}).to_numpy(float)
    add("sex_male", male_N, index_us_N)

    admissions = tables.admissions.set_index("hadm_id").reindex(hadm_id_N)
    admit_us = to_us(admissions["admittime"])
    began = known(admit_us) & (admit_us <= index_us_N)
    kind = admissions["admission_type"].str.lower()
    for name in ADMISSION_TYPES:
        add(f"admission_{name}", np.where(began, kind == name, np.nan), admit_us)
    add("hours_since_admission", np.where(began, minutes_between(admit_us, index_us_N) / 60, np.nan), index_us_N)

    unit, into_us = _unit_at(tables, hadm_id_N, index_us_N)
    in_unit = known(into_us)
    for name in CARE_UNITS:
        add(f"unit_{name}", np.where(in_unit, unit == name, np.nan), into_us)
    add("hours_since_icu", np.where(in_unit, minutes_between(into_us, index_us_N) / 60, np.nan), index_us_N)

    earlier = earlier_admissions(tables, subject_id_N, hadm_id_N, index_us_N)
    history = history_features(tables, definitions, earlier)
    add("n_prior_admissions", history.pop("n_prior_admissions").to_numpy(), earlier.known_us_N)
    add("days_since_discharge", history.pop("days_since_discharge").to_numpy(), index_us_N)
    past = pd.concat([history, comorbidity_features(tables, maps, earlier, age_N, 1 - male_N)], axis=1)
    families = [name for name in SHARED_TIMES if any(str(c).startswith(name) for c in past)]
    features |= {str(column): past[column].to_numpy() for column in past}
    known_us |= {name: np.where(known(index_us_N), earlier.known_us_N, UNKNOWN_TIME_US) for name in families}

    classes, classes_us = medication_classes(tables, definitions, hadm_id_N, index_us_N)
    for column in classes:
        add(f"med_{column}", classes[column].to_numpy(), classes_us[column].to_numpy())
    return pd.DataFrame(features), pd.DataFrame(known_us)


def _unit_at(tables: ClinicalTables, hadm_id_N: np.ndarray, index_us_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(care unit in lower case, intime) of the last ICU stay of the admission begun by the index time."""
    stays = pd.DataFrame({"hadm_id": tables.icustays["hadm_id"], "into_us": to_us(tables.icustays["intime"])})
    stays["unit"] = tables.icustays["first_careunit"].str.lower()
    rows = pd.DataFrame({"hadm_id": hadm_id_N, "index_us": index_us_N}).reset_index(names="row")
    pairs = rows.merge(stays[known(stays["into_us"].to_numpy())], on="hadm_id")
    begun = pairs[pairs["into_us"] <= pairs["index_us"]].sort_values(["row", "into_us"])
    last = begun.drop_duplicates("row", keep="last").set_index("row")
    into_us = last["into_us"].reindex(range(len(rows)), fill_value=UNKNOWN_TIME_US).to_numpy()
    return last["unit"].reindex(range(len(rows)), fill_value="").to_numpy(), into_us
