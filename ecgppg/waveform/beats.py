"""Beats of a block of filtered windows, found all at once.

A QRS complex is where the signal is steep for a tenth of a second; a pulse is where it rises steeply. The detector
averages the slope over that time, takes the summits of this envelope, and keeps those that reach a share of the level
around them. The level is the median of two-second maxima, so neither one artefact nor one tall ectopic beat sets it,
and it may fall where the beats around a summit are small. A T wave may be taller than its QRS and as steep, but it is
never as sharp: what follows a beat at once is measured a second time with the slow part of the signal taken out. The
detector looks at a window as a whole, forward and backward, and keeps no state from one window to the next.

Shapes: N windows, T samples, B beats (padded).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d


@dataclass(frozen=True)
class _Method:
    """How one kind of signal is searched; times in seconds."""

    slope_s: tuple[float, ...]  # moving averages of the slope, one after the other
    apart_s: float  # of two summits closer than this the lower is not a beat
    share: float  # of the level around it that a summit must reach
    after_s: float  # a summit this soon after a beat ...
    after_share: float  # ... must reach this share of it, and of its sharpness: T and dicrotic waves do not
    sharp_s: float  # a wave's sharpness is its slope without what is slower than this; 0: not asked for
    refine_s: tuple[float, float]  # where the peak lies, before and after the summit


_METHODS = {
    # 0.25 s apart: 240 bpm. A T wave follows within 0.36 s, as Pan and Tompkins (1985) have it.
    "ecg": _Method((0.08, 0.05), 0.25, 0.45, 0.36, 0.6, 0.08, (-0.08, 0.08)),
    "ppg": _Method((0.12, 0.06), 0.28, 0.40, 0.45, 0.6, 0.0, (-0.04, 0.30)),
}

_LEVEL_S = 2.0
_AROUND_S = 1.2
_LOWEST_LEVEL = 0.4
"""Around a summit the level may fall to this share of the window's: small beats count, noise in a pause does not."""

_LEAST_OF_MAXIMUM = 0.15
"""The level is at least this share of the steepest summit: a window that is mostly still has its few beats only."""

_INVERTED = 2.0
"""R peaks point down only where the downward deflections are this many times the upward ones."""


@dataclass(frozen=True)
class Beats:
    """Beats of N windows.

    Attributes
    ----------
    position_NB : np.ndarray
        int32, sample of each beat in order (R peak, or top of the pulse); -1 after the last.
    count_N : np.ndarray
        int16, beats of each window.
    """

    position_NB: np.ndarray
    count_N: np.ndarray

    def of(self, window: int) -> np.ndarray:
        """Samples of one window's beats."""
        return self.position_NB[window, : self.count_N[window]]


@dataclass(frozen=True)
class Rhythm:
    """What the beats say; float32 and NaN where there are fewer than 3 beats.

    Attributes
    ----------
    heart_rate_bpm_N : np.ndarray
        60 / median RR.
    rr_cv_N : np.ndarray
        Standard deviation / mean of the RR intervals.
    n_beats_N : np.ndarray
        int16.
    """

    heart_rate_bpm_N: np.ndarray
    rr_cv_N: np.ndarray
    n_beats_N: np.ndarray


def detect_beats(x_NT: np.ndarray, fs_hz: float, kind: Literal["ecg", "ppg"] = "ecg") -> Beats:
    """Find the beats of filtered windows; amplitude and polarity do not matter for the ECG.

    Parameters
    ----------
    x_NT : np.ndarray
        float (N, T), band-passed (ECG 0.5-40 Hz, PPG 0.3-8 Hz); NaN is missing, and no beat is found there.
    fs_hz : float
        Sampling rate, Hz.
    kind : "ecg" or "ppg"

    Returns
    -------
    Beats
        ECG: the largest deflection of each QRS in the direction that prevails in its window. PPG: the top of the pulse.
    """
    method = _METHODS[kind]
    x_NT = np.asarray(x_NT, dtype=np.float32)
    slope_NT = _slope(x_NT, fs_hz, method, rising=kind == "ppg")
    summit_NT, level_NT = _summits(slope_NT, fs_hz, method)
    summit_NT &= slope_NT > method.share * level_NT
    position_NB = _padded(summit_NT)
    heights = [slope_NT]
    if method.sharp_s:
        heights.append(_slope(_quick_part(x_NT, fs_hz, method.sharp_s), fs_hz, method, rising=kind == "ppg"))
    position_NB = _without_after_waves(position_NB, heights, fs_hz, method)
    position_NB = _peaks(position_NB, np.nan_to_num(x_NT), fs_hz, method, may_invert=kind == "ecg")
    count_N = (position_NB >= 0).sum(axis=1).astype(np.int16)
    return Beats(position_NB[:, : max(int(count_N.max(initial=0)), 1)], count_N)


def rhythm(beats: Beats, fs_hz: float) -> Rhythm:
    """Rate and irregularity of each window's beats.

    Parameters
    ----------
    beats : Beats
    fs_hz : float
        Sampling rate of the positions, Hz.

    Returns
    -------
    Rhythm
    """
    position_NB, count_N = beats.position_NB, beats.count_N
    rr_s_NB = np.diff(position_NB, axis=1) / fs_hz
    is_rr_NB = position_NB[:, 1:] >= 0
    enough_N = count_N >= 3
    n_rr_N = np.maximum(count_N - 1, 1)
    mean_N = np.where(is_rr_NB, rr_s_NB, 0).sum(axis=1) / n_rr_N
    variance_N = np.where(is_rr_NB, (rr_s_NB - mean_N[:, None]) ** 2, 0).sum(axis=1) / n_rr_N
    cv_N = np.sqrt(variance_N) / np.where(enough_N, mean_N, 1)
    heart_rate_N = 60.0 / np.where(enough_N, row_medians(rr_s_NB, is_rr_NB), 1)
    unknown = np.float32(np.nan)
    return Rhythm(
        np.where(enough_N, heart_rate_N, unknown).astype(np.float32),
        np.where(enough_N, cv_N, unknown).astype(np.float32),
        count_N,
    )


def row_medians(values_NB: np.ndarray, is_value_NB: np.ndarray) -> np.ndarray:
    """Median of each row's values, float (N,); NaN where there is none. `np.nanmedian` is many times slower here."""
    count_N = is_value_NB.sum(axis=1)
    if values_NB.shape[1] == 0:
        return np.full(len(values_NB), np.nan)
    ordered_NB = np.sort(np.where(is_value_NB, values_NB, np.inf), axis=1)
    middle_N2 = np.stack([np.maximum(count_N - 1, 0) // 2, count_N // 2], axis=1)
    middle_N2 = np.minimum(middle_N2, values_NB.shape[1] - 1)
    median_N = np.take_along_axis(ordered_NB, middle_N2, axis=1).mean(axis=1)
    return np.where(count_N > 0, median_N, np.nan)


def _slope(x_NT: np.ndarray, fs_hz: float, method: _Method, rising: bool) -> np.ndarray:
    """Averaged slope, float32 (N, T); the slope next to a missing sample is 0."""
    slope_NT = np.zeros_like(x_NT)
    np.subtract(x_NT[:, 2:], x_NT[:, :-2], out=slope_NT[:, 1:-1])
    slope_NT = np.maximum(slope_NT, 0) if rising else np.abs(slope_NT)
    np.nan_to_num(slope_NT, copy=False)
    for seconds in method.slope_s:
        slope_NT = uniform_filter1d(slope_NT, _odd(seconds * fs_hz), axis=1)
    return slope_NT


def _quick_part(x_NT: np.ndarray, fs_hz: float, seconds: float) -> np.ndarray:
    """The signal less its moving average, (N, T); missing samples stay so."""
    return x_NT - uniform_filter1d(np.nan_to_num(x_NT), _odd(seconds * fs_hz), axis=1)


def _summits(slope_NT: np.ndarray, fs_hz: float, method: _Method) -> tuple[np.ndarray, np.ndarray]:
    """Where the envelope is the greatest within `apart_s` on both sides, and the level it is measured against."""
    highest_NT = maximum_filter1d(slope_NT, 2 * round(method.apart_s * fs_hz) + 1, axis=1)
    summit_NT = (slope_NT == highest_NT) & (slope_NT > 0)
    summit_NT[:, 1:] &= ~summit_NT[:, :-1]  # of a flat top the first sample
    n_blocks = max(round(slope_NT.shape[1] / (_LEVEL_S * fs_hz)), 1)
    block = slope_NT.shape[1] // n_blocks
    maxima = slope_NT[:, : n_blocks * block].reshape(len(slope_NT), n_blocks, block).max(axis=2)
    level_N1 = np.median(maxima, axis=1, keepdims=True)
    level_N1 = np.maximum(level_N1, _LEAST_OF_MAXIMUM * maxima.max(axis=1, keepdims=True))
    around = 2 * round(_AROUND_S * fs_hz) + 1
    level_NT = uniform_filter1d(maximum_filter1d(slope_NT, around, axis=1), around, axis=1)
    return summit_NT, np.clip(level_NT, _LOWEST_LEVEL * level_N1, level_N1)


def _padded(mask_NT: np.ndarray) -> np.ndarray:
    """Samples where the mask is set, int32 (N, B), -1 after the last of each row."""
    row, sample = np.nonzero(mask_NT)
    count_N = np.bincount(row, minlength=len(mask_NT))
    position_NB = np.full((len(mask_NT), max(int(count_N.max(initial=0)), 1)), -1, dtype=np.int32)
    first_N = np.cumsum(count_N) - count_N
    position_NB[row, np.arange(row.size) - first_N[row]] = sample
    return position_NB


def _without_after_waves(
    position_NB: np.ndarray, heights: list[np.ndarray], fs_hz: float, method: _Method
) -> np.ndarray:
    """Take out summits that follow a beat at once and are much lower than it in any of the envelopes (N, T)."""
    rows = np.arange(len(position_NB))
    keep_NB = position_NB >= 0
    last_N = np.full(len(rows), -(10**6))
    last_KN = np.zeros((len(heights), len(rows)), dtype=np.float32)
    for j in range(position_NB.shape[1]):
        here_N = position_NB[:, j]
        here_KN = np.stack([height_NT[rows, here_N] for height_NT in heights])
        lower_N = (here_KN < method.after_share * last_KN).any(axis=0)
        keep_NB[:, j] &= ~(lower_N & (here_N - last_N < method.after_s * fs_hz))
        last_N = np.where(keep_NB[:, j], here_N, last_N)
        last_KN = np.where(keep_NB[:, j], here_KN, last_KN)
    return _packed(position_NB, keep_NB)


def _peaks(position_NB: np.ndarray, x_NT: np.ndarray, fs_hz: float, method: _Method, may_invert: bool) -> np.ndarray:
    """Move every beat from the steepest place to the largest deflection beside it."""
    before, after = (round(s * fs_hz) for s in method.refine_s)
    offsets = np.arange(before, after + 1)
    row, column = np.nonzero(position_NB >= 0)
    at = position_NB[row, column][:, None] + offsets
    inside = (at >= 0) & (at < x_NT.shape[1])
    x = np.where(inside, x_NT[row[:, None], np.clip(at, 0, x_NT.shape[1] - 1)], 0)
    if may_invert:
        x *= _direction(x, row, position_NB.shape)[row, None]
    moved_NB = position_NB.copy()
    moved_NB[row, column] = np.clip(at[np.arange(row.size), np.argmax(x, axis=1)], 0, x_NT.shape[1] - 1)
    ahead_NB = np.ones(moved_NB.shape, dtype=bool)
    ahead_NB[:, 1:] = moved_NB[:, 1:] > moved_NB[:, :-1]  # two summits may share a top
    return _packed(moved_NB, (moved_NB >= 0) & ahead_NB)


def _direction(x: np.ndarray, row: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """1 where a window's R peaks point up, -1 where they point down, float32 (N,)."""
    column = np.arange(row.size) - np.searchsorted(row, row)
    is_beat_NB = np.zeros(shape, dtype=bool)
    is_beat_NB[row, column] = True
    up_NB, down_NB = (np.zeros(shape, dtype=np.float32) for _ in range(2))
    up_NB[row, column], down_NB[row, column] = x.max(axis=1, initial=0), -x.min(axis=1, initial=0)
    down_N = row_medians(down_NB, is_beat_NB) > _INVERTED * row_medians(up_NB, is_beat_NB)
    return np.where(down_N, np.float32(-1), np.float32(1))


def _packed(position_NB: np.ndarray, keep_NB: np.ndarray) -> np.ndarray:
    """The kept positions of each row in order, -1 after them."""
    order_NB = np.argsort(~keep_NB, axis=1, kind="stable")
    packed_NB = np.take_along_axis(np.where(keep_NB, position_NB, -1), order_NB, axis=1)
    return packed_NB.astype(np.int32)


def _odd(samples: float) -> int:
    """The nearest odd number of samples, at least 1."""
    return max(2 * round((samples - 1) / 2) + 1, 1)
