"""Hand-made measures of the rhythm of a window, from the intervals between its beats.

Shapes: N windows, B beats (padded), R intervals (B - 1), D differences of intervals (B - 2).

References
----------
.. [1] Lake, Moorman (2011). Accurate estimation of entropy in very short physiological time series: the problem of
   atrial fibrillation detection in implanted ventricular devices. Am J Physiol Heart Circ Physiol 300:H319-H325.
.. [2] Dash, Chon, Lu, Raeder (2009). Automatic real time detection of atrial fibrillation. Ann Biomed Eng 37:1701-9.
.. [3] Brennan, Palaniswami, Kamen (2001). Do existing measures of Poincare plot geometry reflect nonlinear features of
   heart rate variability? IEEE Trans Biomed Eng 48:1342-7.
"""

import warnings

import numpy as np

LEAST_BEATS = 4
"""With fewer there are no two differences of intervals, and every measure of variability is missing."""
ENTROPY_EDGES = np.concatenate([[-np.inf], np.linspace(-0.5, 0.5, 11), [np.inf]])
"""Bins of a difference of intervals, as a share of the mean interval."""
SAME = 1e-9
FEWEST_MATCHES = 5
TOLERANCES_S = np.array([0.03, 0.045, 0.06, 0.09, 0.12, 0.18, 0.3])


def rhythm_measures(position_NB: np.ndarray, count_N: np.ndarray, fs_hz: float) -> dict[str, np.ndarray]:
    """Rate, variability and irregularity.

    Parameters
    ----------
    position_NB : ndarray of int (N, B)
        Sample of each beat, in order; what is behind the last is not read.
    count_N : ndarray of int (N,)
        Beats of each window.
    fs_hz : float

    Returns
    -------
    dict
        {name: float64 (N,)}; NaN where there are too few beats. Measures without a unit in their name are shares of
        the mean interval, counts or ratios.
    """
    n_beats = np.asarray(count_N, np.float64)
    width = max(int(count_N.max(initial=0)), LEAST_BEATS)
    beat_s_NB = np.full((len(count_N), width), np.nan)
    held = np.arange(min(width, position_NB.shape[1])) < np.asarray(count_N)[:, None]
    beat_s_NB[:, : held.shape[1]][held] = position_NB[:, : held.shape[1]][held] / fs_hz
    beat_s_NB[n_beats < LEAST_BEATS] = np.nan
    rr_NR = np.diff(beat_s_NB, axis=1)
    with warnings.catch_warnings():
        # Windows with too few beats are rows of NaN: their measures are NaN, and that is what is wanted.
        warnings.simplefilter("ignore", RuntimeWarning)
        measures = {**_spread(rr_NR), **_succession(rr_NR)}
    return {"n_beats": n_beats, **measures, "sample_entropy": _sample_entropy(rr_NR)}


def _spread(rr_NR: np.ndarray) -> dict[str, np.ndarray]:
    """Measures in which the order of the intervals plays no part."""
    mean_N, median_N = np.nanmean(rr_NR, axis=1), np.nanmedian(rr_NR, axis=1)
    share_NR = rr_NR / median_N[:, None]
    return {
        "heart_rate_bpm": 60 / median_N,
        "rr_mean_s": mean_N,
        "rr_sd_s": np.nanstd(rr_NR, axis=1),
        "rr_cv": np.nanstd(rr_NR, axis=1) / mean_N,
        "rr_mad": np.nanmedian(np.abs(share_NR - 1), axis=1),
        "rr_shortest": np.nanmin(share_NR, axis=1),
        "rr_longest": np.nanmax(share_NR, axis=1),
    }


def _succession(rr_NR: np.ndarray) -> dict[str, np.ndarray]:
    """Measures of how one interval follows another."""
    mean_N, known_N = np.nanmean(rr_NR, axis=1), np.isfinite(rr_NR).any(axis=1)
    change_ND = np.diff(rr_NR, axis=1) / mean_N[:, None]
    # Beats lie on samples: equal intervals differ by rounding alone, and that is no turn.
    change_ND[np.abs(change_ND) < SAME] = 0.0
    sum_ND = (rr_NR[:, 1:] + rr_NR[:, :-1]) / mean_N[:, None]
    there_ND = np.isfinite(change_ND)
    turns_NT = np.isfinite(change_ND[:, 1:] * change_ND[:, :-1])
    opposite_NT = (change_ND[:, 1:] * change_ND[:, :-1] < 0) & turns_NT
    # A short interval that a long one follows is how an ectopic beat stands in a regular rhythm.
    median_N1 = np.nanmedian(rr_NR, axis=1, keepdims=True)
    early_ND = (rr_NR[:, :-1] < 0.85 * median_N1) & (rr_NR[:, 1:] > 1.1 * median_N1)
    sd_1, sd_2 = np.nanstd(change_ND, axis=1) / np.sqrt(2), np.nanstd(sum_ND, axis=1) / np.sqrt(2)
    centred_NR = rr_NR - mean_N[:, None]
    lag_1 = np.nansum(centred_NR[:, 1:] * centred_NR[:, :-1], axis=1)
    variance = np.nansum(centred_NR**2, axis=1)
    return {
        "rmssd": np.sqrt(np.nanmean(change_ND**2, axis=1)),
        "change_median": np.nanmedian(np.abs(change_ND), axis=1),
        "change_over_50_ms": _share(np.abs(change_ND) * mean_N[:, None] > 0.05, there_ND, known_N),
        "change_over_10_percent": _share(np.abs(change_ND) > 0.1, there_ND, known_N),
        "change_entropy": _change_entropy(change_ND, there_ND, known_N),
        "turning_points": _share(opposite_NT, turns_NT, known_N),
        "early_beats": _share(early_ND, there_ND, known_N),
        "poincare_sd1": sd_1,
        "poincare_sd2": sd_2,
        "poincare_ratio": np.divide(sd_1, sd_2, out=np.full(len(sd_1), np.nan), where=sd_2 > 0),
        "rr_autocorrelation": np.divide(lag_1, variance, out=np.full(len(lag_1), np.nan), where=variance > 0),
    }


def _share(hit: np.ndarray, of: np.ndarray, known_N: np.ndarray) -> np.ndarray:
    """Hits among those that count, NaN where none does."""
    n = of.sum(axis=1)
    return np.divide((hit & of).sum(axis=1), n, out=np.full(len(n), np.nan), where=known_N & (n > 0))


def _change_entropy(change_ND: np.ndarray, there_ND: np.ndarray, known_N: np.ndarray) -> np.ndarray:
    """Shannon entropy of the binned differences [2]_, as a share of the largest that their number allows."""
    n_bins = len(ENTROPY_EDGES) - 1
    bin_ND = np.digitize(np.where(there_ND, change_ND, 0.0), ENTROPY_EDGES[1:-1])
    count_NK = np.stack([((bin_ND == k) & there_ND).sum(axis=1) for k in range(n_bins)], axis=1)
    n_N = there_ND.sum(axis=1)
    share_NK = count_NK / np.maximum(n_N, 1)[:, None]
    entropy_N = -(share_NK * np.log(np.where(share_NK > 0, share_NK, 1.0))).sum(axis=1)
    largest_N = np.log(np.clip(n_N, 2, n_bins))
    return np.where(known_N & (n_N > 1), entropy_N / largest_N, np.nan)


def _sample_entropy(rr_NR: np.ndarray) -> np.ndarray:
    """Coefficient of sample entropy [1]_, m = 1: sample entropy less ln(2 r) and ln of the mean interval.

    The tolerance r grows from 30 ms until enough pairs match, so that ten seconds are enough; without a match of two
    intervals in a row one is assumed, as a bound.
    """
    apart_NRR = np.abs(rr_NR[:, :, None] - rr_NR[:, None, :])
    later = np.triu(np.ones(apart_NRR.shape[1:], bool), 1)
    result_N = np.full(len(rr_NR), np.nan)
    known_N = np.isfinite(rr_NR).sum(axis=1) >= LEAST_BEATS - 1
    open_N = known_N.copy()
    for tolerance_s in TOLERANCES_S:
        close_NRR = (apart_NRR <= tolerance_s) & later
        both = np.isfinite(rr_NR)
        # Templates of one interval: only those that have a successor, as those of two must.
        one_N = (close_NRR[:, :-1, :-1] & both[:, 1:, None] & both[:, None, 1:]).sum(axis=(1, 2))
        two_N = (close_NRR[:, :-1, :-1] & close_NRR[:, 1:, 1:]).sum(axis=(1, 2))
        last = tolerance_s == TOLERANCES_S[-1]
        done_N = open_N & ((two_N >= FEWEST_MATCHES) | last)
        entropy_N = np.log(np.maximum(one_N, 1) / np.maximum(two_N, 1)) - np.log(2 * tolerance_s)
        result_N[done_N] = entropy_N[done_N]
        open_N &= ~done_N
    mean_N = np.nanmean(rr_NR[known_N], axis=1) if known_N.any() else np.empty(0)
    result_N[known_N] -= np.log(mean_N)
    return result_N
