"""How many patients and admissions each definition names, and what of it may be shown."""

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.icd import matches
from ecgppg.clinical.tables import ClinicalTables


def count_definitions(
    tables: ClinicalTables, definitions: Definitions, subject_ids: np.ndarray | None = None
) -> pd.DataFrame:
    """Patients and admissions of each label.

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
    subject_ids : ndarray of int, optional
        Count these patients only.

    Returns
    -------
    DataFrame
        label, meaning, n_patients, n_admissions (any position), n_patients_primary, n_admissions_primary (first
        position). The first row, `all`, holds everyone with a diagnosis.
    """
    diagnoses = tables.diagnoses_icd
    if subject_ids is not None:
        diagnoses = diagnoses[diagnoses["subject_id"].isin(subject_ids)]
    primary = (diagnoses["seq_num"] == 1).to_numpy()
    rows = [_count("all", "every admission with a diagnosis", diagnoses, np.ones(len(diagnoses), bool), primary)]
    for name, group in definitions.labels.items():
        rows.append(_count(name, group.meaning, diagnoses, matches(diagnoses["icd9_code"], group.codes), primary))
    return pd.DataFrame(rows)


def _count(label: str, meaning: str, diagnoses: pd.DataFrame, named: np.ndarray, primary: np.ndarray) -> dict:
    any_position, first_position = diagnoses[named], diagnoses[named & primary]
    return {
        "label": label,
        "meaning": meaning,
        "n_patients": any_position["subject_id"].nunique(),
        "n_admissions": any_position["hadm_id"].nunique(),
        "n_patients_primary": first_position["subject_id"].nunique(),
        "n_admissions_primary": first_position["hadm_id"].nunique(),
    }


def count_history(tables: ClinicalTables) -> dict[str, int]:
    """How much past and future the tables hold: without them `_before` and `_after` are unknown.

    Returns
    -------
    dict
        n_patients (admitted), n_patients_readmitted (of more than one admission), n_admissions,
        n_admissions_with_earlier (as many have a later one), n_admissions_without_diagnoses.
    """
    admissions = tables.admissions
    per_patient = admissions.groupby("subject_id").size()
    return {
        "n_patients": len(per_patient),
        "n_patients_readmitted": int((per_patient > 1).sum()),
        "n_admissions": len(admissions),
        "n_admissions_with_earlier": int((per_patient - 1).sum()),
        "n_admissions_without_diagnoses": int((~admissions["hadm_id"].isin(tables.diagnoses_icd["hadm_id"])).sum()),
    }


def count_lines(counts: pd.DataFrame, min_cell_patients: int) -> list[str]:
    """`count_definitions` as a table of text for a log, small cells hidden.

    Parameters
    ----------
    counts : DataFrame
    min_cell_patients : int
        See `hide_small_cells`.

    Returns
    -------
    list of str
        A head line and one line a definition: patients and admissions in any position, and in the first.
    """
    shown = hide_small_cells(counts, min_cell_patients)
    numbers = [f"{n}{p}" for p in ("", "_primary") for n in ("n_patients", "n_admissions")]
    width = max(len(label) for label in shown["label"])
    head = f"{'label':<{width}}  {'patients':>9} {'admissions':>11}   primary: {'patients':>9} {'admissions':>11}"
    lines = ["definitions in the clinical tables, codes in any position and in the first (primary):", head]
    for row in shown.to_dict("records"):
        cells = [f"<{min_cell_patients}" if pd.isna(row[name]) else f"{row[name]:,}" for name in numbers]
        lines.append(f"{row['label']:<{width}}  {cells[0]:>9} {cells[1]:>11}            {cells[2]:>9} {cells[3]:>11}")
    return lines


def hide_small_cells(counts: pd.DataFrame, min_cell_patients: int) -> pd.DataFrame:
    """`count_definitions` fit for people: counts of fewer than `min_cell_patients` patients (but not 0) are missing.

    A number of admissions goes with its number of patients, which it would bound.
    """
    shown = counts.copy()
    for position in ("", "_primary"):
        small = counts[f"n_patients{position}"].between(1, min_cell_patients - 1)
        for what in ("n_patients", "n_admissions"):
            shown[what + position] = counts[what + position].astype("Int64").mask(small)
    return shown
