"""Ridge regression with its penalty chosen by folds of the training patients.

Shapes: N training rows, M test rows, D predictors, L penalties.
"""

import numpy as np

from ecgppg.core.blas_threads import one_blas_thread
from ecgppg.evaluation.probes_scaling import standardised
from ecgppg.evaluation.units import patient_folds

PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(-8, 9))
"""Grid of the penalty in units of the number of rows, from 0.0001 to 10,000 in half decades."""
INNER_FOLDS = 5


def ridge_predictions(
    x_train_ND: np.ndarray, target_N: np.ndarray, subject_train_N: np.ndarray, x_test_MD: np.ndarray, seed: int
) -> np.ndarray:
    """Fit on standardised training rows and predict the test rows; nothing is learnt from them.

    Parameters
    ----------
    x_train_ND, x_test_MD : array of float
        NaN where missing.
    target_N : array of float
        Finite.
    subject_train_N : array of int
        Patient of each training row; the inner folds keep a patient whole.
    seed : int
        Of the inner folds.

    Returns
    -------
    array of float64, shape (M,)
    """
    with one_blas_thread():
        return _chosen_fit(x_train_ND, target_N, subject_train_N, x_test_MD, seed)


def _chosen_fit(
    x_train_ND: np.ndarray, target_N: np.ndarray, subject_train_N: np.ndarray, x_test_MD: np.ndarray, seed: int
) -> np.ndarray:
    n_folds = min(INNER_FOLDS, len(np.unique(subject_train_N)))
    error_L = np.zeros(len(PENALTIES))
    if n_folds >= 2:
        fold_N = patient_folds(subject_train_N, np.zeros(len(target_N)), n_folds, seed)
        for fold in range(n_folds):
            out = fold_N == fold
            predicted_LM = _path(*standardised(x_train_ND[~out], x_train_ND[out]), target_N[~out])
            error_L += ((predicted_LM - target_N[out]) ** 2).sum(axis=1)
    # With one patient nothing can be chosen: the strongest penalty, which is the mean, promises least.
    best = int(np.argmin(error_L)) if n_folds >= 2 else len(PENALTIES) - 1
    return _path(*standardised(x_train_ND, x_test_MD), target_N)[best]


def _path(z_train: np.ndarray, z_test: np.ndarray, target_N: np.ndarray) -> np.ndarray:
    """Predictions of the test rows for every penalty, shape (L, M), from one decomposition."""
    n = len(z_train)
    mean_D, mean = z_train.mean(axis=0), target_N.mean()
    centred = z_train - mean_D
    value_D, axes_DD = np.linalg.eigh(centred.T @ centred / n)
    along_D = axes_DD.T @ (centred.T @ (target_N - mean)) / n
    shrunk_LD = along_D / (np.maximum(value_D, 0.0) + np.asarray(PENALTIES)[:, None])
    return mean + shrunk_LD @ ((z_test - mean_D) @ axes_DD).T
