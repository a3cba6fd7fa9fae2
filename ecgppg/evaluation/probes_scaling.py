"""Predictors on one scale, learnt from the training rows alone.

Shapes: N training rows, M rows to predict, D predictors, E predictors with indicators of missing values.
"""

import numpy as np

LIMIT_SD = 5.0
"""Values beyond so many standard deviations are moved there: one artefact must not rule a linear model."""


def standardised(x_train_ND: np.ndarray, x_test_MD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean 0 and standard deviation 1 over the training rows; missing values become the mean and are marked.

    Parameters
    ----------
    x_train_ND, x_test_MD : array of float
        NaN where missing. A value that is not finite counts as missing.

    Returns
    -------
    tuple of array of float64, shapes (N, E) and (M, E)
        For each predictor that some but not all training rows lack a column follows that marks its absence.
    """
    train, test = (np.array(x, dtype=np.float64) for x in (x_train_ND, x_test_MD))
    for x in (train, test):
        x[~np.isfinite(x)] = np.nan
    absent_ND = np.isnan(train)
    n_D = (~absent_ND).sum(axis=0)
    mean_D = np.where(absent_ND, 0.0, train).sum(axis=0) / np.maximum(n_D, 1)
    variance_D = (np.where(absent_ND, 0.0, train - mean_D) ** 2).sum(axis=0) / np.maximum(n_D, 1)
    spread_D = np.sqrt(variance_D)
    # What is constant but for rounding tells nothing, and dividing by its rounding would make it noise.
    flat_D = spread_D <= 1e-10 * np.maximum(np.abs(mean_D), 1e-300)
    marked_D = (n_D > 0) & (n_D < len(train))
    share_D = 1 - n_D / max(len(train), 1)
    mark_spread_D = np.sqrt(share_D * (1 - share_D))
    both = []
    for x in (train, test):
        z = np.clip((x - mean_D) / np.where(flat_D, 1.0, spread_D), -LIMIT_SD, LIMIT_SD)
        z = np.where(np.isnan(z) | flat_D, 0.0, z)
        marks = (np.isnan(x)[:, marked_D] - share_D[marked_D]) / mark_spread_D[marked_D]
        both.append(np.hstack([z, marks]))
    return both[0], both[1]
