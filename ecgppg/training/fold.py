"""Outer folds of patients: everyone is judged once, by an encoder that has never met him."""

import numpy as np
import pandas as pd

from ecgppg.core.seeds import hash_unit
from ecgppg.data.splits import COLUMNS
from ecgppg.evaluation.units import dealt


def fold_patients(subject_id_N: np.ndarray, stratum_N: np.ndarray, n_folds: int, seed: int) -> pd.DataFrame:
    """Deal patients into folds, every stratum evenly.

    Parameters
    ----------
    subject_id_N : ndarray of int64 (N,)
        Patient of each window.
    stratum_N : ndarray (N,)
        What to balance: codes of a label. A patient counts as the largest of his windows.
    n_folds : int
    seed : int
        Patients of a stratum are dealt in an order that depends on (seed, subject_id) alone.

    Returns
    -------
    DataFrame
        subject_id (int64), fold (int64, from 0), one row a patient, by subject_id.
    """
    patients = (
        pd.DataFrame({"subject_id": subject_id_N, "stratum": stratum_N}).groupby("subject_id").max().reset_index()
    )
    patients["fold"] = dealt(patients["subject_id"].to_numpy(), patients["stratum"].to_numpy(), n_folds, seed)
    return patients[["subject_id", "fold"]].astype("int64")


def validation_patients(subject_ids: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The patients set aside to choose an epoch: the given share, drawn by hash.

    Parameters
    ----------
    subject_ids : ndarray of int64
        Patients to draw from, each once.
    share : float
        0 draws nobody; else at least one patient, and never all.
    seed : int

    Returns
    -------
    ndarray of int64
    """
    if share <= 0 or len(subject_ids) < 2:
        return np.empty(0, np.int64)
    wanted = min(max(round(share * len(subject_ids)), 1), len(subject_ids) - 1)
    units = [hash_unit("fold-validation", seed, subject) for subject in subject_ids.tolist()]
    return np.sort(subject_ids[np.argsort(units, kind="stable")[:wanted]])


def fold_splits(folds: pd.DataFrame, fold: int, val_share: float, seed: int) -> pd.DataFrame:
    """Splits of one fold, in the form of splits.parquet: its own patients are test, nobody is in the risk reserve.

    Parameters
    ----------
    folds : DataFrame
        As `fold_patients` gives it.
    fold : int
    val_share : float
        Share of the other patients that chooses the epoch.
    seed : int

    Returns
    -------
    DataFrame
        subject_id, split, stratum, risk_reserve.
    """
    subject_id, is_test = folds["subject_id"].to_numpy(), folds["fold"].to_numpy() == fold
    val = validation_patients(subject_id[~is_test], val_share, seed)
    table = pd.DataFrame({"subject_id": subject_id})
    table["split"] = np.where(is_test, "test", np.where(np.isin(subject_id, val), "val", "train"))
    table["stratum"], table["risk_reserve"] = f"fold {fold}", False
    return table[list(COLUMNS)]


def inner_splits(folds: pd.DataFrame, fold: int, stratum_of: pd.Series, share: float, seed: int) -> pd.DataFrame:
    """Splits of the patients outside a fold, to choose settings by; the fold's own patients are not in the table.

    Parameters
    ----------
    folds : DataFrame
        As `fold_patients` gives it.
    fold : int
        Whose patients are to be judged later, and are nowhere here.
    stratum_of : Series
        What to balance, by subject_id.
    share : float
        Share of the others that settings are chosen by, about the same of every stratum: at least one patient, and
        never all.
    seed : int
        Patients of a stratum are drawn in an order that depends on (seed, fold, subject_id) alone.

    Returns
    -------
    DataFrame
        subject_id, split, stratum, risk_reserve. Nobody is in val: what chooses settings chooses no epoch.
    """
    table = folds.loc[folds["fold"] != fold, ["subject_id"]].reset_index(drop=True)
    subjects = table["subject_id"].tolist()
    units = np.array([hash_unit("inner", seed, fold, subject) for subject in subjects])
    order = np.lexsort([units, stratum_of.reindex(table["subject_id"]).to_numpy()])
    # Every 1 / share-th of the patients in order of strata: each stratum gives its share, and sizes are exact.
    wanted = min(max(round(share * len(order)), 1), len(order) - 1)
    place = np.arange(len(order))
    chosen = (place + 1) * wanted // len(order) > place * wanted // len(order)
    table["split"] = "train"
    table.loc[order[chosen], "split"] = "test"
    table["stratum"], table["risk_reserve"] = f"outside fold {fold}", False
    return table[list(COLUMNS)]
