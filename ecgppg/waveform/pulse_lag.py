"""How long after its R wave a pulse comes, window by window, where the beats leave no doubt.

Recorders shift the PPG against the ECG, so which pulse belongs to which beat is not known beforehand, and in a regular
rhythm a lag and the same lag plus one RR interval look alike. What tells them apart is that a pulse follows its own
beat at an all but constant time, while from any other beat the variation of the RR intervals comes on top. Every lag
at which pulses follow beats is therefore tried and its misfit taken: how far the pulses lie from where it has them,
root mean square over the beats, where a beat without a pulse near there counts for a limit. The best lag is trusted
if its misfit is at most half of that of every other lag, and of the limit.

Shapes: N windows, T samples, B beats (padded), K beats or pulses of one window, L bins of lags.
"""

from typing import NamedTuple

import numpy as np

from ecgppg.core.compiled import compiled
from ecgppg.waveform.beats import Beats

LAG_RANGE_S = (-0.5, 1.4)
"""Lags tried. Recordings of the PhysioNet/CinC Challenge 2015 have them up to 1.3 s; a lag that is not tried would be
taken for the one a beat earlier."""

LIMIT_S = 0.06
"""A pulse further than this from where a lag has it belongs to another beat, or is none."""

MISFIT_RATIO = 2.0
LEAST_BEATS = 5
_RESOLUTION_S = 0.002
"""Misfit that any lag has: beats are not found more exactly."""

_BINS = 5
"""Pulses within `LIMIT_S` of a lag fill so many bins."""

_APART_S = 0.2
"""Two lags closer than this are one: no beat follows another sooner."""

_RISE_S = 0.3
_FINE_S = 0.008
_EDGE_S = 0.25
"""A pulse this near to a window's end may be cut off: nothing is expected there."""


class _Search(NamedTuple):
    """The constants above in samples of the window."""

    lowest: float
    highest: float
    limit: float
    resolution: float
    bin: float
    apart_bins: int
    rise: int
    fine: int
    edge: float


def pulse_lag(ecg_NT: np.ndarray, ppg_NT: np.ndarray, ecg_beats: Beats, ppg_beats: Beats, fs_hz: float) -> np.ndarray:
    """Time from an R peak to the steepest rise of the pulse it makes, in each window.

    Parameters
    ----------
    ecg_NT, ppg_NT : np.ndarray
        float (N, T), filtered; NaN is missing.
    ecg_beats, ppg_beats : Beats
        Of the same windows, as `detect_beats` finds them.
    fs_hz : float
        Sampling rate, Hz.

    Returns
    -------
    np.ndarray
        float32 (N,), seconds within `LAG_RANGE_S`; NaN where fewer than `LEAST_BEATS` beats have a pulse, where the
        pulses do not follow the beats, or where another lag is nearly as good.
    """
    lag_N = np.full(len(ecg_NT), np.nan, np.float32)
    ecg_NT, ppg_NT = np.asarray(ecg_NT, np.float32), np.asarray(ppg_NT, np.float32)
    _lags(ecg_NT, ppg_NT, ecg_beats.position_NB, ppg_beats.position_NB, float(fs_hz), lag_N)
    return lag_N


@compiled
def _search(fs_hz: float) -> _Search:
    bin_s = 2 * LIMIT_S / _BINS
    return _Search(
        LAG_RANGE_S[0] * fs_hz,
        LAG_RANGE_S[1] * fs_hz,
        LIMIT_S * fs_hz,
        _RESOLUTION_S * fs_hz,
        bin_s * fs_hz,
        round(_APART_S / bin_s),
        round(_RISE_S * fs_hz),
        max(round(_FINE_S * fs_hz), 1),
        _EDGE_S * fs_hz,
    )


@compiled
def _lags(
    ecg_NT: np.ndarray,
    ppg_NT: np.ndarray,
    peak_NB: np.ndarray,
    top_NB: np.ndarray,
    fs_hz: float,
    lag_N: np.ndarray,
) -> None:
    how = _search(fs_hz)
    r_K, pulse_K = np.empty(peak_NB.shape[1]), np.empty(top_NB.shape[1])
    n_bins = int((how.highest - how.lowest + 2 * how.limit) / how.bin) + 1
    sums_3L = np.empty((3, n_bins))
    for row in range(len(ecg_NT)):
        n = _peaks(ecg_NT[row], peak_NB[row], r_K)
        m = _rises(ppg_NT[row], top_NB[row], how, pulse_K)
        if n < LEAST_BEATS or m < LEAST_BEATS:
            continue
        _fill_bins(r_K[:n], pulse_K[:m], how, sums_3L)
        lag = _clearly_best(sums_3L, r_K[:n], how, ppg_NT.shape[1])
        if how.lowest <= lag <= how.highest:
            lag_N[row] = lag / fs_hz


@compiled
def _peaks(x_T: np.ndarray, peak_B: np.ndarray, r_K: np.ndarray) -> int:
    """R peaks between the samples; how many there are."""
    n = 0
    for t in peak_B:
        if t < 0:
            break
        r_K[n] = t + _summit(x_T[t - 1], x_T[t], x_T[t + 1]) if 0 < t < len(x_T) - 1 else t
        n += 1
    return n


@compiled
def _rises(x_T: np.ndarray, top_B: np.ndarray, how: _Search, pulse_K: np.ndarray) -> int:
    """Where each pulse rises most steeply, between the samples; how many there are. Those cut by the ends are left out.

    By long steps first, then by a quarter of one to either side: what the PPG's band leaves is smooth.
    """
    n, fine, last = 0, how.fine, len(x_T) - 1
    step = 4 * fine
    for top in top_B:
        if top < 0:
            break
        steepest, at = np.float32(0), -1
        highest, lowest = min(top, last - step), max(top - how.rise, step)
        above = x_T[highest]
        for t in range(highest - step, lowest, -step):
            rise = above - x_T[t]
            above = x_T[t]
            if rise > steepest:
                steepest, at = rise, t
        if at < 0:
            continue
        at += 2 * fine
        before, here, after = _rise(x_T, at - 2 * fine, fine), _rise(x_T, at, fine), _rise(x_T, at + 2 * fine, fine)
        if before > here:
            at -= 2 * fine
            before, here, after = _rise(x_T, at - 2 * fine, fine), before, here
        elif after > here:
            at += 2 * fine
            before, here, after = here, after, _rise(x_T, at + 2 * fine, fine)
        pulse = at + 2 * fine * _summit(before, here, after)
        if how.edge <= pulse <= last - how.edge:
            pulse_K[n] = pulse
            n += 1
    return n


@compiled
def _rise(x_T: np.ndarray, t: int, fine: int) -> np.float32:
    return x_T[t + fine] - x_T[t - fine]


@compiled
def _summit(before: float, here: float, after: float) -> float:
    """Where the parabola through three has its summit, in steps from `here`, at most half; 0 beside a missing one."""
    bend = before - 2 * here + after
    step = 0.5 * (before - after) / bend if bend != 0 else 0.0
    return step if abs(step) <= 0.5 else 0.0


@compiled
def _fill_bins(r_K: np.ndarray, pulse_K: np.ndarray, how: _Search, sums_3L: np.ndarray) -> None:
    """For each bin of lags, how many pulses follow a beat so, and the sums of their times and of the squares."""
    count_L, total_L, squares_L = sums_3L
    sums_3L[:] = 0
    lowest, first = how.lowest - how.limit, 0
    per_bin = 1 / how.bin
    for r in r_K:
        while first < len(pulse_K) and pulse_K[first] - r < lowest:
            first += 1
        for j in range(first, len(pulse_K)):
            after = pulse_K[j] - r
            k = int((after - lowest) * per_bin)
            if k >= len(count_L):
                break
            count_L[k] += 1
            total_L[k] += after
            squares_L[k] += after * after


@compiled
def _clearly_best(sums_3L: np.ndarray, r_K: np.ndarray, how: _Search, n_samples: int) -> float:
    """The lag whose misfit is far below that of all others; NaN where there is none."""
    best, best_misfit, next_misfit = np.nan, np.inf, how.limit**2
    count_L = sums_3L[0]
    n_near, most, at, end = 0.0, 0.0, -1, len(count_L) - 1
    for k in range(len(count_L)):
        n_near += count_L[k]
        if k >= _BINS:
            n_near -= count_L[k - _BINS]
        if n_near > most:
            most, at = n_near, k
        if at < 0 or (k - at < how.apart_bins and k < end):
            continue
        if most >= 3:
            lag, misfit = _misfit(sums_3L[:, max(at + 1 - _BINS, 0) : at + 1], r_K, how, n_samples)
            next_misfit = min(next_misfit, max(misfit, best_misfit))
            if misfit < best_misfit:
                best, best_misfit = lag if most >= LEAST_BEATS else np.nan, misfit
        most, at = 0.0, -1
    return best if best_misfit * MISFIT_RATIO**2 <= next_misfit else np.nan


@compiled
def _misfit(sums_3L: np.ndarray, r_K: np.ndarray, how: _Search, n_samples: int) -> tuple[float, float]:
    """The mean lag of what is in some bins, and its misfit, squared."""
    n, total, squares = 0.0, 0.0, 0.0
    for k in range(sums_3L.shape[1]):
        n += sums_3L[0, k]
        total += sums_3L[1, k]
        squares += sums_3L[2, k]
    lag, first, over = total / n, 0, len(r_K)
    while first < over and r_K[first] + lag < how.edge:
        first += 1
    while over > first and r_K[over - 1] + lag > n_samples - 1 - how.edge:
        over -= 1
    n_without = max(over - first - n, 0.0)
    apart = max(squares - n * lag**2, 0.0) + n_without * how.limit**2
    return lag, apart / (n + n_without) + how.resolution**2
