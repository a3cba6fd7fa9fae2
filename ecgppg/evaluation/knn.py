"""Nearest neighbours by cosine: what lies near what, without fitting a direction.

Shapes: N training rows, M test rows, D dimensions, K numbers of neighbours.
"""

from collections.abc import Sequence

import numpy as np

from ecgppg.evaluation.discrimination import auroc
from ecgppg.evaluation.probes import inner_folds
from ecgppg.evaluation.probes_scaling import standardised

NEIGHBOURS = (1, 3, 5, 9, 15, 25, 45, 75)
SHARPNESS = 0.07
"""Temperature of the votes, exp(cosine / temperature), as in Wu et al. 2018 (arXiv:1805.01978)."""

BLOCK = 4_000_000
"""Cosines held at a time."""


def knn_probe(
    x_train: np.ndarray, y_train: np.ndarray, subject_train: np.ndarray, x_test: np.ndarray, seed: int
) -> np.ndarray:
    """Weighted vote of the k nearest training rows, k chosen by folds of the training patients.

    Parameters
    ----------
    x_train : array of float, shape (N, D)
        NaN where missing. Standardised over the training rows before the cosine.
    y_train : array, shape (N,)
        Label, 1 or 0.
    subject_train : array, shape (N,)
        Patient of each row; the inner folds keep a patient whole.
    x_test : array of float, shape (M, D)
        Rows to predict.
    seed : int
        Of the inner folds.

    Returns
    -------
    array of float64, shape (M,)
        Share of the votes for label 1.
    """
    y = np.asarray(y_train) == 1
    if y.all() or not y.any():
        return np.full(len(x_test), float(y.mean()))
    ks = [k for k in NEIGHBOURS if k <= max(1, len(y) // 3)]
    votes, labels, folds = [], [], []
    for i, inside in enumerate(inner_folds(y, subject_train, seed)):
        votes.append(_votes(*standardised(x_train[~inside], x_train[inside]), y[~inside], ks))
        labels.append(y[inside])
        folds.append(np.full(int(inside.sum()), i))
    best = len(ks) // 2
    if votes:
        vote_NK, label_N, fold_N = np.concatenate(votes), np.concatenate(labels), np.concatenate(folds)
        right_K = np.array([auroc(label_N, vote_N, fold_N) for vote_N in vote_NK.T])
        best = int(np.argmax(np.nan_to_num(right_K)))
    return _votes(*standardised(x_train, x_test), y, [ks[best]])[:, 0]


def _votes(z_train: np.ndarray, z_test: np.ndarray, y_N: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Share of the votes for label 1 among the k nearest, shape (M, K)."""
    near_ND, at = unit_length(z_train), np.minimum(np.asarray(ks), len(z_train)) - 1
    step = max(1, BLOCK // len(z_train))
    blocks = [np.empty((0, len(ks)))]
    for start in range(0, len(z_test), step):
        cosine_MN = unit_length(z_test[start : start + step]) @ near_ND.T
        order_MK = np.argsort(-cosine_MN, axis=1, kind="stable")[:, : max(ks)]
        cosine_MK = np.take_along_axis(cosine_MN, order_MK, axis=1)
        weight_MK = np.exp((cosine_MK - cosine_MK[:, :1]) / SHARPNESS)
        blocks.append((np.cumsum(weight_MK * y_N[order_MK], axis=1) / np.cumsum(weight_MK, axis=1))[:, at])
    return np.concatenate(blocks)


def unit_length(x_ND: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays what it is and is at right angles to all."""
    length_N = np.linalg.norm(x_ND, axis=1, keepdims=True)
    return x_ND / np.where(length_N > 0, length_N, 1.0)
