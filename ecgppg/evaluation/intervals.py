"""Intervals whose unit is the patient: windows of one patient are no independent observations.

Resampling windows instead of patients gave intervals that covered the truth 37 % of the time instead of 95 %.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ecgppg.core.seeds import hash63


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval.

    Attributes
    ----------
    estimate : float
        The statistic over all rows; NaN where it is not defined.
    low, high : float
        Ends of the interval; NaN with fewer than two patients, or where too few draws defined the statistic.
    n_patients : int
        Patients it rests on.
    """

    estimate: float
    low: float
    high: float
    n_patients: int

    def to_json(self) -> dict[str, float | int | None]:
        """Plain values, None for NaN."""
        return {
            "estimate": number_or_none(self.estimate),
            "low": number_or_none(self.low),
            "high": number_or_none(self.high),
            "n_patients": self.n_patients,
        }


def number_or_none(value: float, digits: int = 6) -> float | None:
    """A rounded finite number, or None: JSON has no NaN."""
    return round(float(value), digits) if np.isfinite(value) else None


def patient_bootstrap(
    statistic: Callable[..., float],
    *arrays: np.ndarray,
    subject_id: np.ndarray,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic over resampled patients.

    Parameters
    ----------
    statistic : callable
        Takes the arrays, restricted to the drawn rows, and gives one number (NaN where undefined).
    *arrays : array, shape (n, ...)
        What the statistic is computed from, one row a window (or a patient).
    subject_id : array, shape (n,)
        Whose row it is. A drawn patient brings all of its rows, as often as it was drawn.
    n_bootstrap : int
        Draws.
    confidence : float
        Width of the interval.
    seed : int
        Root of the draws.

    Returns
    -------
    Interval
    """
    order = np.argsort(subject_id, kind="stable")
    _, starts, counts = np.unique(subject_id[order], return_index=True, return_counts=True)
    sorted_arrays = [np.asarray(a)[order] for a in arrays]
    n_patients = len(counts)
    if n_patients == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    estimate = float(statistic(*arrays))
    if n_patients < 2:
        return Interval(estimate, np.nan, np.nan, n_patients)
    draws = np.empty(n_bootstrap)
    for i, drawn in enumerate(patient_draws(n_patients, n_bootstrap, seed)):
        rows = _rows_of(starts[drawn], counts[drawn])
        draws[i] = statistic(*(a[rows] for a in sorted_arrays))
    low, high = percentile_interval(draws, n_patients, confidence)
    return Interval(estimate, low, high, n_patients)


def share_with_interval(
    member: np.ndarray, subject_id: np.ndarray, n_bootstrap: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Share of rows that are members, with its interval over patients.

    Where every row agrees resampling knows no spread; the interval is then the exact binomial one, a patient counted
    once, so that "none of 20 patients" still says "up to 17 %".
    """
    result = patient_bootstrap(
        _mean, member, subject_id=subject_id, n_bootstrap=n_bootstrap, confidence=confidence, seed=seed
    )
    if result.n_patients == 0 or 0 < result.estimate < 1:
        return result
    far = ((1 - confidence) / 2) ** (1 / result.n_patients)
    low, high = (0.0, 1 - far) if result.estimate == 0 else (far, 1.0)
    return Interval(result.estimate, low, high, result.n_patients)


def patient_draws(n_patients: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """Patients of each draw, with replacement: int array (n_bootstrap, n_patients)."""
    return np.random.default_rng(hash63("bootstrap", seed)).integers(0, n_patients, (n_bootstrap, n_patients))


def percentile_interval(draws: np.ndarray, n_patients: int, confidence: float) -> tuple[float, float]:
    """Expanded percentile interval: with few patients the plain one is too narrow.

    The tails are moved out as Student's t and the n / (n - 1) of a variance ask (Hesterberg 2015,
    doi:10.1080/00031305.2015.1089789, section 4.4).

    Parameters
    ----------
    draws : array
        The statistic over resampled patients; NaN where undefined.
    n_patients : int
        Patients resampled, at least 2.
    confidence : float
        Width wanted.

    Returns
    -------
    tuple of float
        (low, high); NaN where fewer than nine draws in ten are defined.
    """
    from scipy.special import ndtr, stdtrit

    defined = draws[np.isfinite(draws)]
    if len(defined) < 0.9 * len(draws) or len(defined) == 0:
        return np.nan, np.nan
    t = stdtrit(n_patients - 1, (1 - confidence) / 2)
    tail = float(ndtr(np.sqrt(n_patients / (n_patients - 1)) * t))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values))


def _rows_of(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Rows start, start + 1, ... of each drawn patient, one after another."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)
