"""Whether a predicted risk of 10 % is seen in 10 of 100: Brier score, intercept, slope, groups, net benefit.

Every function takes outcomes y_N (1, 0) and predicted probabilities p_N.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

_EPSILON = 1e-6


def brier_score(y_N: np.ndarray, p_N: np.ndarray) -> float:
    """Mean squared difference between outcome and predicted probability; lower is better."""
    return float(np.mean((np.asarray(p_N, dtype=float) - np.asarray(y_N)) ** 2))


def calibration_intercept(y_N: np.ndarray, p_N: np.ndarray) -> float:
    """Calibration in the large: the shift of the predicted log odds that makes their mean right; ideal 0.

    Above 0 the risk is predicted too low, under 0 too high.

    Returns
    -------
    float
        NaN where all or none have the outcome.
    """
    y_N = np.asarray(y_N, dtype=float)
    if not 0 < y_N.mean() < 1:
        return float("nan")
    offset_N = _log_odds(p_N)
    shift = 0.0
    for _ in range(50):
        fitted = expit(offset_N + shift)
        step = (y_N - fitted).sum() / max((fitted * (1 - fitted)).sum(), 1e-12)
        shift += float(np.clip(step, -2, 2))
        if abs(step) < 1e-10:
            break
    return shift


def calibration_slope(y_N: np.ndarray, p_N: np.ndarray) -> float:
    """Slope of the outcome on the predicted log odds; ideal 1, under 1 the predictions are too extreme.

    Returns
    -------
    float
        NaN where all or none have the outcome, or where the predictions do not vary.
    """
    return recalibration(y_N, p_N)[1]


def recalibration(y_N: np.ndarray, p_N: np.ndarray) -> tuple[float, float]:
    """(a, b) of outcome log odds = a + b * predicted log odds, by maximum likelihood (Cox 1958)."""
    y_N = np.asarray(y_N, dtype=float)
    x_N = _log_odds(p_N)
    if not 0 < y_N.mean() < 1 or np.ptp(x_N) < 1e-9:
        return float("nan"), float("nan")
    centre, spread = x_N.mean(), x_N.std()
    z_N = (x_N - centre) / spread
    a, b = float(logit(y_N.mean())), 0.0
    for _ in range(100):
        fitted = expit(a + b * z_N)
        weight = fitted * (1 - fitted)
        wz, wzz, w = (weight * z_N).sum(), (weight * z_N * z_N).sum(), weight.sum()
        residual = y_N - fitted
        g0, g1, det = residual.sum(), (residual * z_N).sum(), w * wzz - wz * wz
        if det < 1e-12:
            return float("nan"), float("nan")
        da, db = (wzz * g0 - wz * g1) / det, (w * g1 - wz * g0) / det
        scale = min(1.0, 3.0 / max(abs(da), abs(db), 1e-12))
        a, b = a + scale * float(da), b + scale * float(db)
        if max(abs(da), abs(db)) < 1e-10:
            break
    return a - b * centre / spread, float(b / spread)


@dataclass(frozen=True)
class CalibrationGroup:
    """Patients of neighbouring predicted risk."""

    n: int
    n_events: int
    predicted: float
    observed: float


def calibration_groups(y_N: np.ndarray, p_N: np.ndarray, n_groups: int = 10, least: int = 1) -> list[CalibrationGroup]:
    """Groups of equal size along the predicted risk, merged until each may be shown.

    Parameters
    ----------
    y_N, p_N : np.ndarray
        Outcome and predicted probability.
    n_groups : int
        Groups before merging.
    least : int
        Patients with and patients without the outcome that a group must hold, so that no small cell is shown.

    Returns
    -------
    list of CalibrationGroup
        By rising predicted risk; empty where even all patients together are too few.
    """
    y_N, p_N = np.asarray(y_N), np.asarray(p_N, dtype=float)
    order = np.argsort(p_N, kind="stable")
    groups: list[np.ndarray] = []
    # From the top: there the events are, so that merging costs the fewest groups.
    waiting = np.empty(0, dtype=int)
    for part in reversed(np.array_split(order, n_groups)):
        waiting = np.concatenate([part, waiting])
        n_events = int((y_N[waiting] == 1).sum())
        if min(n_events, waiting.size - n_events) >= least:
            groups.append(waiting)
            waiting = np.empty(0, dtype=int)
    if waiting.size and groups:
        groups[-1] = np.concatenate([waiting, groups[-1]])
    return [
        CalibrationGroup(g.size, int((y_N[g] == 1).sum()), float(p_N[g].mean()), float((y_N[g] == 1).mean()))
        for g in reversed(groups)
    ]


def net_benefit(y_N: np.ndarray, p_N: np.ndarray, thresholds_T: np.ndarray, least: int = 1) -> np.ndarray:
    """Net benefit of acting where the predicted risk reaches a threshold (Vickers and Elkin 2006), shape (T,).

    True positives less false positives at the odds of the threshold, per patient. NaN where fewer than `least`
    patients, but some, would be acted on.
    """
    y_N, p_N = np.asarray(y_N), np.asarray(p_N, dtype=float)
    acted_TN = p_N[None, :] >= np.asarray(thresholds_T)[:, None]
    true_T = (acted_TN & (y_N == 1)).sum(axis=1)
    false_T = acted_TN.sum(axis=1) - true_T
    odds_T = thresholds_T / (1 - thresholds_T)
    benefit_T = (true_T - false_T * odds_T) / y_N.size
    n_acted_T = true_T + false_T
    return np.where((n_acted_T > 0) & (n_acted_T < least), np.nan, benefit_T)


def _log_odds(p_N: np.ndarray) -> np.ndarray:
    return logit(np.clip(np.asarray(p_N, dtype=float), _EPSILON, 1 - _EPSILON))
