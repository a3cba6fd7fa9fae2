"""What an embedding knows beside the label: rate, irregularity, and whose recording it is.

Rate and irregularity are wanted; to know the recording is what discovery must not live on.

Shapes: N windows, D dimensions, F folds, P patients, B draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgppg.evaluation.intervals import Interval, percentile_interval, share_with_interval
from ecgppg.evaluation.knn import unit_length
from ecgppg.evaluation.knows_ridge import ridge_predictions
from ecgppg.evaluation.knows_thinning import thinned
from ecgppg.evaluation.paired import N_BOOTSTRAP
from ecgppg.evaluation.paired_auroc import draw_weights

BLOCK = 20_000_000
"""Cosines held at a time."""
MOST_READ, MOST_SOUGHT = 100_000, 20_000
"""Windows that a quantity is read from, and windows of a fold that are compared with one another; see `thinned`."""


@dataclass(frozen=True)
class Knowledge:
    """How well a quantity is read off linearly.

    Attributes
    ----------
    r2 : Interval
        1 - squared error / variance over all windows, out of fold.
    mean_absolute_error : Interval
        In the unit of the quantity.
    n_windows : int
        Windows used: those in which the quantity is known, thinned where they are more than `MOST_READ`.
    """

    r2: Interval
    mean_absolute_error: Interval
    n_windows: int


@dataclass(frozen=True)
class Retrieval:
    """How often the nearest other window is of the same recording.

    Attributes
    ----------
    top_1 : Interval
        Share, over the windows whose recording has another window in their fold.
    chance : float
        The same share if the nearest were any other window of the fold.
    n_windows : int
        Windows asked; a fold with more than `MOST_SOUGHT` is thinned.
    """

    top_1: Interval
    chance: float
    n_windows: int


def readout(
    x_F: Sequence[np.ndarray],
    target_N: np.ndarray,
    subject_id_N: np.ndarray,
    fold_N: np.ndarray,
    seed: int = 0,
    n_bootstrap: int = N_BOOTSTRAP,
    confidence: float = 0.95,
) -> Knowledge:
    """Ridge regression of a quantity of the window (heart rate, RR coefficient of variation), out of fold.

    Parameters
    ----------
    x_F : sequence of array, each (N, D)
        Embedding of all windows by the encoder of each fold.
    target_N : array of float
        The quantity, NaN where unknown.
    subject_id_N : array of int
        Patient of each window.
    fold_N : array of int
        Outer fold of each window; a patient lies in one.
    seed : int
        Of the inner folds and the bootstrap.
    n_bootstrap, confidence
        Of the interval over patients.

    Returns
    -------
    Knowledge
        NaN where fewer than two patients, or two folds, have the quantity.
    """
    target_N = np.asarray(target_N, np.float64)
    known = np.flatnonzero(np.isfinite(target_N))
    known = known[thinned(np.asarray(subject_id_N)[known], MOST_READ)]
    target, subject, fold = target_N[known], np.asarray(subject_id_N)[known], np.asarray(fold_N)[known]
    if len(np.unique(subject)) < 2 or len(np.unique(fold)) < 2:
        nowhere = Interval(np.nan, np.nan, np.nan, len(np.unique(subject)))
        return Knowledge(nowhere, nowhere, len(target))
    predicted = np.full(len(target), np.nan)
    for f in np.unique(fold):
        test, x = fold == f, np.asarray(x_F[f])[known]
        predicted[test] = ridge_predictions(x[~test], target[~test], subject[~test], x[test], seed)
    return judged_readings(predicted, target, subject, seed, n_bootstrap, confidence)


def judged_readings(
    predicted_N: np.ndarray,
    target_N: np.ndarray,
    subject_id_N: np.ndarray,
    seed: int = 0,
    n_bootstrap: int = N_BOOTSTRAP,
    confidence: float = 0.95,
) -> Knowledge:
    """How near predictions of windows come to the truth, over at least two patients.

    Parameters
    ----------
    predicted_N, target_N : array of float
        Finite.
    subject_id_N : array of int
        Patient of each window.
    seed, n_bootstrap, confidence
        Of the interval over patients.

    Returns
    -------
    Knowledge
    """
    n_patients = len(np.unique(subject_id_N))
    error_N = target_N - predicted_N
    terms = np.column_stack([np.ones(len(target_N)), np.abs(error_N), error_N**2, target_N, target_N**2])
    sums_PK = _sums(terms, subject_id_N)
    drawn_BK = draw_weights(np.arange(n_patients), n_bootstrap, seed).astype(np.float64) @ sums_PK
    whole = sums_PK.sum(axis=0, keepdims=True)
    r2, mae = (
        Interval(float(of(whole)[0]), *percentile_interval(of(drawn_BK), n_patients, confidence), n_patients)
        for of in (_r2, _mean_absolute)
    )
    return Knowledge(r2, mae, len(target_N))


def same_recording(
    x_F: Sequence[np.ndarray],
    record_N: np.ndarray,
    subject_id_N: np.ndarray,
    fold_N: np.ndarray,
    seed: int = 0,
) -> Retrieval:
    """Top-1 retrieval of the recording: is the nearest other window, by cosine, of the same one?

    Windows are sought among those of their own fold, in the embedding of the encoder that did not train on them.
    Nothing but the window itself is excluded, so neighbours in time count: this is the identity that discovery sees.

    Parameters
    ----------
    x_F : sequence of array, each (N, D)
        Embedding of all windows by the encoder of each fold.
    record_N : array of str
        Recording of each window.
    subject_id_N : array of int
        Patient of each window; a record name belongs to its patient.
    fold_N : array of int
        Fold of each window.
    seed : int
        Of the bootstrap over patients.

    Returns
    -------
    Retrieval
    """
    subject_id_N, fold_N = np.asarray(subject_id_N), np.asarray(fold_N)
    name_N = np.unique(np.asarray(record_N).astype(str), return_inverse=True)[1]
    recording_N = np.unique(np.column_stack([subject_id_N, name_N]), axis=0, return_inverse=True)[1].ravel()
    right_N, chance_N = np.full(len(fold_N), np.nan), np.full(len(fold_N), np.nan)
    for f in np.unique(fold_N):
        rows = np.flatnonzero(fold_N == f)
        rows = rows[thinned(subject_id_N[rows], MOST_SOUGHT)]
        recording = recording_N[rows]
        mates = np.bincount(recording)[recording] - 1
        asked = mates > 0
        if not asked.any():
            continue
        nearest = _nearest_other(np.asarray(x_F[f])[rows])
        right_N[rows[asked]] = (recording[nearest] == recording)[asked]
        chance_N[rows[asked]] = mates[asked] / (len(rows) - 1)
    asked_N = np.isfinite(right_N)
    top_1 = share_with_interval(right_N[asked_N], subject_id_N[asked_N], N_BOOTSTRAP, seed=seed)
    chance = float(chance_N[asked_N].mean()) if asked_N.any() else float("nan")
    return Retrieval(top_1, chance, int(asked_N.sum()))


def _nearest_other(x_ND: np.ndarray) -> np.ndarray:
    z_ND = unit_length(x_ND.astype(np.float32))
    nearest = np.empty(len(z_ND), np.int64)
    step = max(1, BLOCK // len(z_ND))
    for start in range(0, len(z_ND), step):
        cosine = z_ND[start : start + step] @ z_ND.T
        own = np.arange(start, start + len(cosine))
        cosine[np.arange(len(cosine)), own] = -np.inf
        nearest[own] = np.argmax(cosine, axis=1)
    return nearest


def _sums(terms_NK: np.ndarray, subject_id_N: np.ndarray) -> np.ndarray:
    """Sums over each patient's rows, shape (P, K)."""
    patients, at_N = np.unique(subject_id_N, return_inverse=True)
    sums_PK = np.zeros((len(patients), terms_NK.shape[1]))
    np.add.at(sums_PK, at_N, terms_NK)
    return sums_PK


def _r2(sums_BK: np.ndarray) -> np.ndarray:
    n, _, squared_error, total, squares = sums_BK.T
    variation = squares - total**2 / np.maximum(n, 1)
    return 1 - np.divide(squared_error, variation, out=np.full(len(n), np.nan), where=variation > 0)


def _mean_absolute(sums_BK: np.ndarray) -> np.ndarray:
    return sums_BK[:, 1] / np.maximum(sums_BK[:, 0], 1)
