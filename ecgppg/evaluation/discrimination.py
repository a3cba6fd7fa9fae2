"""How well a prediction ranks those with the outcome above those without: AUROC, average precision, ROC curve.

Shapes: N predictions, F folds, V distinct predicted values.
Every function takes labels y_N (1, 0) and predictions p_N.
"""

from statistics import NormalDist

import numpy as np


def auroc(y_N: np.ndarray, p_N: np.ndarray, fold_N: np.ndarray | None = None) -> float:
    """Share of (with, without) pairs that the prediction ranks rightly; ties count a half.

    Parameters
    ----------
    y_N : np.ndarray
        Outcome, 1 or 0.
    p_N : np.ndarray
        Prediction; any monotone scale.
    fold_N : np.ndarray, optional
        Fold in which each prediction was out of sample. Only pairs of one fold are then compared: models of
        different folds differ in their intercept, against the outcome of the fold they are judged on, so that
        pooled pairs put a model without any signal below 0.5 (Airola et al., Comput Stat Data Anal 2011).

    Returns
    -------
    float
        NaN where no pair exists.
    """
    y_N, p_N = np.asarray(y_N), np.asarray(p_N, dtype=float)
    _, value_N = np.unique(p_N, return_inverse=True)
    _, group_N = np.unique(np.zeros(y_N.size) if fold_N is None else fold_N, return_inverse=True)
    shape = (group_N.max(initial=0) + 1, value_N.max(initial=0) + 1)
    cell_N = group_N * shape[1] + value_N
    with_FV, without_FV = (
        np.bincount(cell_N[has], minlength=shape[0] * shape[1]).reshape(shape) for has in (y_N == 1, y_N != 1)
    )
    below_FV = np.cumsum(without_FV, axis=1) - without_FV
    pairs = int((with_FV.sum(axis=1) * without_FV.sum(axis=1)).sum())
    return float((with_FV * (below_FV + without_FV / 2)).sum() / pairs) if pairs else float("nan")


def average_precision(y_N: np.ndarray, p_N: np.ndarray) -> float:
    """Area under the precision-recall curve as a sum of steps (AUPRC); a useless model has the share of events.

    Returns
    -------
    float
        NaN where nobody has the outcome.
    """
    y_N, p_N = np.asarray(y_N), np.asarray(p_N, dtype=float)
    n_with = int((y_N == 1).sum())
    if not n_with:
        return float("nan")
    order = np.argsort(-p_N, kind="stable")
    hits = np.cumsum(y_N[order] == 1)
    last_of_tie = np.append(np.diff(p_N[order]) != 0, True)
    hits, flagged = hits[last_of_tie], np.flatnonzero(last_of_tie) + 1
    return float(np.sum(np.diff(hits, prepend=0) * hits / flagged) / n_with)


def roc_curve(
    y_N: np.ndarray, p_N: np.ndarray, fold_N: np.ndarray | None = None, n_points: int = 201
) -> tuple[np.ndarray, np.ndarray]:
    """False positive rate on an even grid and the sensitivity there, averaged over folds by their pairs.

    Returns
    -------
    tuple of np.ndarray
        (false positive rate, sensitivity), each (n_points,), from (0, 0) to (1, 1).
    """
    grid = np.linspace(0, 1, n_points)
    y_N, p_N = np.asarray(y_N), np.asarray(p_N, dtype=float)
    groups = [np.ones(y_N.size, bool)] if fold_N is None else [np.asarray(fold_N) == f for f in np.unique(fold_N)]
    total, pairs = np.zeros(n_points), 0
    for group in groups:
        y, p = y_N[group], p_N[group]
        order = np.argsort(-p, kind="stable")
        last_of_tie = np.append(np.diff(p[order]) != 0, True)
        true_positives = np.append(0, np.cumsum(y[order] == 1)[last_of_tie])
        false_positives = np.append(0, np.cumsum(y[order] != 1)[last_of_tie])
        n_pairs = int(true_positives[-1] * false_positives[-1])
        if n_pairs:
            at = np.interp(grid, false_positives / false_positives[-1], true_positives / true_positives[-1])
            total += n_pairs * at
            pairs += n_pairs
    sensitivity = total / pairs if pairs else np.full(n_points, np.nan)
    sensitivity[0] = 0.0
    return grid, sensitivity


def expected_half_width(n_with: int, n_without: int, auroc_value: float = 0.75, confidence: float = 0.95) -> float:
    """Half the interval that an AUROC of `auroc_value` will have with so many events, before anything is fitted.

    Hanley and McNeil, Radiology 1982: the standard error under exponential score distributions.

    Returns
    -------
    float
        NaN without both kinds of patients.
    """
    if n_with < 1 or n_without < 1:
        return float("nan")
    a = auroc_value
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (n_with - 1) * (q1 - a * a) + (n_without - 1) * (q2 - a * a)) / (n_with * n_without)
    return NormalDist().inv_cdf((1 + confidence) / 2) * variance**0.5
