"""Probes: small models that ask what a representation holds. Each sees the training rows alone.

A probe takes (x_train, y_train, subject_train, x_test, seed) and gives the predicted probability of every test row.
Whatever it chooses, it chooses by folds of the training patients.

Shapes: N training rows, M test rows, D dimensions.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from scipy.special import expit

from ecgppg.core.blas_threads import one_blas_thread
from ecgppg.evaluation.probes_logistic import logistic_path
from ecgppg.evaluation.probes_scaling import standardised
from ecgppg.evaluation.units import patient_folds

INVERSE_PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(-8, 3))
"""The grid of C, from 0.0001 to 10 in half decades."""
UNCHOSEN = 4
"""Place in the grid (C = 0.01) where too few patients are there to choose."""
PATIENCE = 3
"""Weaker penalties tried after the best so far: the weakest take the longest and win the least."""
INNER_FOLDS = 5
BOOSTED_ROUNDS = 120
BOOSTED_RATE = 0.05


class Probe(Protocol):
    """A model to be fitted and asked in one call."""

    def __call__(
        self, x_train: np.ndarray, y_train: np.ndarray, subject_train: np.ndarray, x_test: np.ndarray, seed: int
    ) -> np.ndarray:
        """Predicted probability of label 1 of the test rows, shape (M,)."""


def linear_probe(
    x_train: np.ndarray, y_train: np.ndarray, subject_train: np.ndarray, x_test: np.ndarray, seed: int
) -> np.ndarray:
    """Logistic regression on standardised predictors, its L2 penalty chosen by folds of the training patients.

    Parameters
    ----------
    x_train : array of float, shape (N, D)
        NaN where missing.
    y_train : array, shape (N,)
        Label, 1 or 0.
    subject_train : array, shape (N,)
        Patient of each row; the inner folds keep a patient whole.
    x_test : array of float, shape (M, D)
        Rows to predict; nothing is learnt from them.
    seed : int
        Of the inner folds.

    Returns
    -------
    array of float64, shape (M,)
        The share of label 1 where the training rows have one label only.
    """
    y = np.asarray(y_train) == 1
    if y.all() or not y.any():
        return np.full(len(x_test), float(y.mean()))
    with one_blas_thread():
        return _chosen_fit(x_train, y, subject_train, x_test, seed)


def _chosen_fit(
    x_train: np.ndarray, y: np.ndarray, subject_train: np.ndarray, x_test: np.ndarray, seed: int
) -> np.ndarray:
    folds = [
        (logistic_path(z_in, y[~inside], INVERSE_PENALTIES), z_out, y[inside])
        for inside in inner_folds(y, subject_train, seed)
        for z_in, z_out in [standardised(x_train[~inside], x_train[inside])]
    ]
    best, least = UNCHOSEN, np.inf
    for i in range(len(INVERSE_PENALTIES) if folds else 0):
        loss = sum(_loss(*next(path), z_out, y_out) for path, z_out, y_out in folds)
        if loss < least:
            best, least = i, loss
        elif i >= best + PATIENCE:
            break
    z_train, z_test = standardised(x_train, x_test)
    *_, (weights, intercept) = logistic_path(z_train, y, INVERSE_PENALTIES[: best + 1])
    return expit(z_test @ weights + intercept)


def _loss(weights: np.ndarray, intercept: float, z_ND: np.ndarray, y_N: np.ndarray) -> float:
    eta_N = z_ND @ weights + intercept
    return float((np.logaddexp(0, eta_N) - y_N * eta_N).sum())


def boosted_probe(
    x_train: np.ndarray, y_train: np.ndarray, subject_train: np.ndarray, x_test: np.ndarray, seed: int
) -> np.ndarray:
    """Histogram gradient boosting of small trees, its shape fixed beforehand so that nothing is tuned on few patients.

    Parameters and returned array as in `linear_probe`; missing values (NaN) are used as they are. The seed draws the
    predictors offered at each split.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    y = np.asarray(y_train) == 1
    if y.all() or not y.any():
        return np.full(len(x_test), float(y.mean()))
    model = HistGradientBoostingClassifier(
        max_iter=BOOSTED_ROUNDS,
        learning_rate=BOOSTED_RATE,
        max_leaf_nodes=8,
        min_samples_leaf=int(np.clip(len(y) // 20, 2, 20)),
        l2_regularization=1.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )
    # A few hundred rows: threads would wait for one another longer than they work.
    with threadpool_limits(1, user_api="openmp"):
        model.fit(np.asarray(x_train, np.float64), y)
        return model.predict_proba(np.asarray(x_test, np.float64))[:, 1]


def inner_folds(y_N: np.ndarray, subject_N: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Masks of rows held out inside the training rows; none where a label has fewer than two patients.

    Parameters
    ----------
    y_N : array of bool
        Label of each training row.
    subject_N : array
        Patient of each training row.
    seed : int
        Of the folds.

    Yields
    ------
    array of bool, shape (N,)
        Both labels are left on the other side.
    """
    n_least = min(len(np.unique(subject_N[y_N])), len(np.unique(subject_N[~y_N])))
    if n_least < 2 or len(np.unique(subject_N)) < 2:
        return
    fold_N = patient_folds(subject_N, y_N, min(INNER_FOLDS, n_least), seed)
    for fold in np.unique(fold_N):
        left = y_N[fold_N != fold]
        if left.any() and not left.all():
            yield fold_N == fold
