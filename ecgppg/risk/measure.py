"""Every number of the report with its interval: patients are drawn anew, models are compared on the same draw.

Shapes: N patients, M models, B bootstrap draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ecgppg.evaluation.calibration import brier_score, calibration_intercept, calibration_slope
from ecgppg.evaluation.discrimination import auroc, average_precision
from ecgppg.evaluation.intervals import patient_draws, percentile_interval

METRICS = ("auroc", "auprc", "brier", "calibration_intercept", "calibration_slope")
DIFFERENCES = ("auroc", "auprc", "brier")


@dataclass(frozen=True)
class Estimate:
    """A number and its interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """Performance of every model of one cohort.

    Attributes
    ----------
    models : dict
        {model: {metric: Estimate}}.
    differences : dict
        {metric: Estimate} of clinical + waveform less clinical, on the same patients; empty where either is absent.
    """

    models: dict[str, dict[str, Estimate]]
    differences: dict[str, Estimate]


def measure(
    y_N: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    fold_N: np.ndarray,
    n_bootstrap: int,
    confidence: float,
    seed: int,
) -> Measured:
    """Metrics of out-of-fold predictions with percentile intervals over resampled patients.

    The intervals hold the predictions fixed: they say how the numbers would vary over other patients like these, not
    over other fits.

    Parameters
    ----------
    y_N : np.ndarray
        Outcome, 1 or 0; one row a patient.
    predictions : mapping
        {model: out-of-fold probability, shape (N,)}.
    fold_N : np.ndarray
        Outer fold of each patient.
    n_bootstrap, confidence, seed
        Draws, width of the interval, root of the draws.
    """
    names = list(predictions)
    p_NM = np.column_stack([predictions[name] for name in names])
    point_MK = _metrics(y_N, p_NM, fold_N)
    # One row a patient, so that drawing rows draws patients; every model is judged on the same draw.
    drawn_BN = patient_draws(y_N.size, n_bootstrap, seed)
    draws_BMK = np.array([_metrics(y_N[rows], p_NM[rows], fold_N[rows]) for rows in drawn_BN])
    models = {
        name: {
            metric: _estimate(point_MK[m, k], draws_BMK[:, m, k], y_N.size, confidence)
            for k, metric in enumerate(METRICS)
        }
        for m, name in enumerate(names)
    }
    differences = {}
    if {"clinical", "clinical_waveform"} <= set(names):
        a, b = names.index("clinical_waveform"), names.index("clinical")
        for metric in DIFFERENCES:
            k = METRICS.index(metric)
            draws = draws_BMK[:, a, k] - draws_BMK[:, b, k]
            differences[metric] = _estimate(point_MK[a, k] - point_MK[b, k], draws, y_N.size, confidence)
    return Measured(models, differences)


def _metrics(y_N: np.ndarray, p_NM: np.ndarray, fold_N: np.ndarray) -> np.ndarray:
    return np.array(
        [
            (
                auroc(y_N, p_N, fold_N),
                average_precision(y_N, p_N),
                brier_score(y_N, p_N),
                calibration_intercept(y_N, p_N),
                calibration_slope(y_N, p_N),
            )
            for p_N in p_NM.T
        ]
    )


def _estimate(value: float, draws_B: np.ndarray, n_patients: int, confidence: float) -> Estimate:
    low, high = percentile_interval(draws_B, n_patients, confidence) if np.isfinite(value) else (np.nan, np.nan)
    return Estimate(float(value), low, high)
