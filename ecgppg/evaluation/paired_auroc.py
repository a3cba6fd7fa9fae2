"""The AUROC of many resamplings of the patients at once, from the order of the predictions.

Shapes: S seeds, U units, B draws, P patients, F folds.
"""

import numpy as np

from ecgppg.evaluation.intervals import patient_draws

BLOCK = 4_000_000
"""Numbers held at a time (draws times units)."""


def draw_weights(subject_id_U: np.ndarray, n_bootstrap: int, seed: int) -> np.ndarray:
    """How often each draw of patients holds each unit: uint16 array (B, U).

    A drawn patient brings all of its units. The same seed and the same patients give the same draws, in whatever order
    the rows stand.
    """
    patients, patient_U = np.unique(np.asarray(subject_id_U), return_inverse=True)
    n = len(patients)
    drawn_BP = patient_draws(n, n_bootstrap, seed) + n * np.arange(n_bootstrap)[:, None]
    times_BP = np.bincount(drawn_BP.ravel(), minlength=n * n_bootstrap).reshape(n_bootstrap, n)
    return times_BP.astype(np.uint16)[:, patient_U]


def weighted_auroc(y_U: np.ndarray, p_SU: np.ndarray, fold_U: np.ndarray, weight_BU: np.ndarray) -> np.ndarray:
    """AUROC over the pairs of one fold, each unit counted as often as it was drawn, for every seed.

    Equal to `discrimination.auroc` on the repeated rows.

    Parameters
    ----------
    y_U : array
        Label, 1 or 0.
    p_SU : array of float
        Predictions of every seed.
    fold_U : array of int
        Fold in which each prediction was out of sample; only pairs of one fold are compared.
    weight_BU : array of int
        Times each unit was drawn.

    Returns
    -------
    array of float64, shape (S, B)
        NaN where a draw has no pair.

    Raises
    ------
    ValueError
        If a unit has no prediction: it would count as the highest of all.
    """
    p_SU = np.atleast_2d(np.asarray(p_SU, np.float64))
    absent = int(np.isnan(p_SU).any(axis=0).sum())
    if absent:
        raise ValueError(f"{absent} of {p_SU.shape[1]} units have no prediction")
    out = np.empty((len(p_SU), len(weight_BU)))
    step = max(1, BLOCK // max(1, len(y_U)))
    for s, p_U in enumerate(p_SU):
        order_U, first_U, last_U, fold_first_U = _ranks(p_U, fold_U)
        has_U = np.asarray(y_U)[order_U] == 1
        first_U, last_U, fold_first_U = first_U[has_U], last_U[has_U], fold_first_U[has_U]
        for start in range(0, len(weight_BU), step):
            weight = weight_BU[start : start + step][:, order_U].astype(np.float64)
            without = np.zeros((len(weight), len(order_U) + 1))
            np.cumsum(np.where(has_U, 0.0, weight), axis=1, out=without[:, 1:])
            with_weight = weight[:, has_U]
            # half of those below a tie's end and half of those below its start: ties count a half
            below = (without[:, first_U] + without[:, last_U]) / 2 - without[:, fold_first_U]
            fold_last_U = _next_fold(fold_U[order_U])[has_U]
            pairs = (with_weight * (without[:, fold_last_U] - without[:, fold_first_U])).sum(axis=1)
            right = (with_weight * below).sum(axis=1)
            out[s, start : start + step] = np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return out


def _ranks(p_U: np.ndarray, fold_U: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Order by fold and prediction; of each sorted row where its tie begins and ends, and where its fold begins."""
    order_U = np.lexsort([p_U, fold_U])
    p, fold = p_U[order_U], fold_U[order_U]
    new_fold = np.append(True, fold[1:] != fold[:-1])
    new_tie = new_fold | np.append(True, p[1:] != p[:-1])
    tie_starts = np.flatnonzero(new_tie)
    tie_U = np.cumsum(new_tie) - 1
    tie_ends = np.append(tie_starts[1:], len(p))
    return order_U, tie_starts[tie_U], tie_ends[tie_U], np.flatnonzero(new_fold)[np.cumsum(new_fold) - 1]


def _next_fold(fold_U: np.ndarray) -> np.ndarray:
    """Of each row of folds in order the place behind its fold."""
    starts = np.flatnonzero(np.append(True, fold_U[1:] != fold_U[:-1]))
    ends = np.append(starts[1:], len(fold_U))
    return ends[np.searchsorted(starts, np.arange(len(fold_U)), side="right") - 1]
