"""What is predicted and judged: a unit is one recording with one known label, and folds never part a patient.

Shapes: N windows, U units, D dimensions.
"""

from dataclasses import dataclass

import numpy as np

from ecgppg.core.seeds import hash63


@dataclass(frozen=True, eq=False)
class Units:
    """Recordings with a known label, by rising (subject_id, record, label).

    Attributes
    ----------
    subject_id_U : array of int64
        Whose recording it is.
    y_U : array of int8
        Label, 1 or 0.
    name_U : array of object (str)
        Record; it stands twice where windows of both labels are in it.
    """

    subject_id_U: np.ndarray
    y_U: np.ndarray
    name_U: np.ndarray

    def __len__(self) -> int:
        return len(self.y_U)

    @property
    def n_patients(self) -> int:
        """Patients with a unit."""
        return len(np.unique(self.subject_id_U))

    @property
    def n_patients_with(self) -> int:
        """Patients with a unit of label 1."""
        return len(np.unique(self.subject_id_U[self.y_U == 1]))


def make_units(subject_id_N: np.ndarray, record_N: np.ndarray, label_N: np.ndarray) -> tuple[Units, np.ndarray]:
    """Gather windows into units.

    Parameters
    ----------
    subject_id_N : array of int
        Patient of each window.
    record_N : array of str
        Record of each window.
    label_N : array of int
        1, 0, or anything else where unknown.

    Returns
    -------
    units : Units
    unit_of_N : array of int64
        Row of `units` a window belongs to, -1 where its label is unknown.
    """
    subject_id_N, label_N = np.asarray(subject_id_N, np.int64), np.asarray(label_N)
    name_N = np.asarray(record_N).astype(str)
    known_N = (label_N == 1) | (label_N == 0)
    keys = np.empty(int(known_N.sum()), dtype=[("subject", np.int64), ("record", name_N.dtype), ("y", np.int8)])
    keys["subject"], keys["record"], keys["y"] = subject_id_N[known_N], name_N[known_N], label_N[known_N]
    unique, inverse = np.unique(keys, return_inverse=True)
    unit_of_N = np.full(len(label_N), -1, np.int64)
    unit_of_N[known_N] = inverse
    units = Units(unique["subject"].copy(), unique["y"].copy(), unique["record"].astype(object))
    return units, unit_of_N


def average_by_unit(x_ND: np.ndarray, unit_of_N: np.ndarray, n_units: int) -> np.ndarray:
    """Mean of the windows of each unit; a missing value (NaN) does not count.

    Parameters
    ----------
    x_ND : array of float, shape (N, D) or (N,)
        One row a window.
    unit_of_N : array of int
        Unit of each window, -1 for none.
    n_units : int
        Units in all.

    Returns
    -------
    array of float64, shape (n_units, D) or (n_units,)
        NaN where a unit has no value.
    """
    x_ND = np.asarray(x_ND)
    inside = np.asarray(unit_of_N) >= 0
    unit, flat = unit_of_N[inside], x_ND[inside].reshape(int(inside.sum()), -1).astype(np.float64)
    there = ~np.isnan(flat)
    total, n = np.zeros((n_units, flat.shape[1])), np.zeros((n_units, flat.shape[1]))
    np.add.at(total, unit, np.where(there, flat, 0.0))
    np.add.at(n, unit, there)
    mean = np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
    return mean.reshape(n_units, *x_ND.shape[1:])


def patient_folds(subject_id_U: np.ndarray, y_U: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Folds that keep a patient whole and give every fold its share of the patients with label 1.

    Patients are dealt out in the order of a hash of (seed, subject_id), those with a unit of label 1 first. The result
    depends on the seed, the patients and their labels, and not on the order of rows.

    Parameters
    ----------
    subject_id_U : array of int
        Patient of each row.
    y_U : array of int
        Label of each row, 1 or 0.
    n_folds : int
        Folds, at least 2.
    seed : int
        Of the order in which patients are dealt.

    Returns
    -------
    array of int64, shape (U,)
        Fold of each row, 0 to n_folds - 1.

    Raises
    ------
    ValueError
        If there are fewer than two folds, or fewer patients than folds.
    """
    patients, patient_U = np.unique(np.asarray(subject_id_U), return_inverse=True)
    if not 2 <= n_folds <= len(patients):
        raise ValueError(f"{n_folds} folds of {len(patients)} patients")
    has_P = np.bincount(patient_U, np.asarray(y_U) == 1, minlength=len(patients)) > 0
    return dealt(patients, ~has_P, n_folds, seed)[patient_U]


def dealt(subject_id_P: np.ndarray, stratum_P: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Fold of each patient: stratum by stratum, within one in the order of a hash of (seed, subject_id).

    Dealt on from one stratum to the next, so that the sizes of folds differ by one at most.

    Parameters
    ----------
    subject_id_P : array of int
        Each patient once.
    stratum_P : array
        What to spread evenly.
    n_folds : int
    seed : int

    Returns
    -------
    array of int64, shape (P,)
    """
    drawn_P = np.array([hash63("fold", seed, subject) for subject in subject_id_P.tolist()])
    fold_P = np.empty(len(subject_id_P), np.int64)
    fold_P[np.lexsort([drawn_P, stratum_P])] = np.arange(len(subject_id_P)) % n_folds
    return fold_P
