"""Fewer windows where there are too many, so that no patient's voice drowns the others'."""

import numpy as np


def thinned(subject_id_N: np.ndarray, most: int) -> np.ndarray:
    """Which rows to keep: one limit for all patients, as high as may be, spread evenly over a patient's rows.

    Parameters
    ----------
    subject_id_N : array of int
        Patient of each row.
    most : int
        Rows to keep at the most; but one of every patient is kept.

    Returns
    -------
    array of bool, shape (N,)
    """
    subject_id_N = np.asarray(subject_id_N)
    if len(subject_id_N) <= most:
        return np.ones(len(subject_id_N), bool)
    order = np.argsort(subject_id_N, kind="stable")
    _, starts, counts = np.unique(subject_id_N[order], return_index=True, return_counts=True)
    limit = max(1, _limit(counts, most))
    keep = np.zeros(len(subject_id_N), bool)
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        n = min(count, limit)
        keep[order[start + (np.arange(n) * count) // n]] = True
    return keep


def _limit(count_P: np.ndarray, most: int) -> int:
    """The highest limit under which the patients' rows are `most` together or fewer."""
    low, high = 0, int(count_P.max())
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(count_P, middle).sum()) <= most:
            low = middle
        else:
            high = middle - 1
    return low
