"""A slow reference of the beat detector: one window at a time, in float64, straight from the definition."""

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

import numpy as np

from tests.quality_reference import moving_average, pieces


@dataclass(frozen=True)
class Constants:
    """How one kind of signal is searched; seconds and shares."""

    averages_s: tuple[float, float]
    apart_s: float
    share: float
    after_s: float
    sharp_s: float | None
    peak_s: tuple[float, float]


CONSTANTS = {
    "ecg": Constants((0.08, 0.05), 0.25, 0.45, 0.36, 0.08, (0.08, 0.08)),
    "ppg": Constants((0.12, 0.06), 0.28, 0.40, 0.45, None, (0.04, 0.30)),
}


def detect_beats(x_T: np.ndarray, fs_hz: float, kind: str) -> list[int]:
    """Samples of the beats of one window; NaN is missing."""
    c, x_T = CONSTANTS[kind], x_T.astype(float)
    slope = envelope(x_T, fs_hz, c, kind)
    level = levels(slope, fs_hz)
    found = [i for i in summits(slope, round(c.apart_s * fs_hz)) if slope[i] > c.share * level[i]]
    heights = [slope]
    if c.sharp_s:
        quick = x_T - moving_average(np.nan_to_num(x_T), odd(c.sharp_s * fs_hz))
        heights.append(envelope(quick, fs_hz, c, kind))
    return peaks(without_after_waves(found, heights, c.after_s * fs_hz), np.nan_to_num(x_T), fs_hz, c, kind)


def envelope(x_T: np.ndarray, fs_hz: float, c: Constants, kind: str) -> np.ndarray:
    """The slope, averaged twice; only what rises, of a pulse."""
    rise = np.nan_to_num(x_T[2:] - x_T[:-2])
    slope = np.pad(np.maximum(rise, 0) if kind == "ppg" else np.abs(rise), 1)
    for seconds in c.averages_s:
        slope = moving_average(slope, odd(seconds * fs_hz))
    return slope


def summits(slope: np.ndarray, apart: int) -> list[int]:
    """The greatest within `apart` samples on either side; of a flat top the first sample."""
    values, found = slope.tolist(), []
    for i, value in enumerate(values):
        is_top = value >= max(values[max(i - 1, 0) : i + 2])
        if is_top and value > 0 and value == max(values[max(i - apart, 0) : i + apart + 1]):
            found.append(i)
    return [i for i in found if i - 1 not in found]


def levels(slope: np.ndarray, fs_hz: float) -> np.ndarray:
    """What a summit is measured against, at each sample."""
    maxima = [max(piece) for piece in pieces(slope.tolist(), max(round(len(slope) / (2 * fs_hz)), 1))]
    level = max(median(maxima), 0.15 * max(maxima))
    around = round(1.2 * fs_hz)
    padded = np.pad(slope, around, constant_values=-np.inf)
    greatest = np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1).max(axis=1)
    return np.minimum(np.maximum(moving_average(greatest, 2 * around + 1), 0.4 * level), level)


def without_after_waves(found: list[int], heights: list[np.ndarray], after: float) -> list[int]:
    """A summit soon after a beat goes if any of its heights is below 0.6 of that beat's."""
    kept: list[int] = []
    for i in found:
        soon = bool(kept) and i - kept[-1] < after
        if not (soon and any(height[i] < 0.6 * height[kept[-1]] for height in heights)):
            kept.append(i)
    return kept


def peaks(found: list[int], x_T: np.ndarray, fs_hz: float, c: Constants, kind: str) -> list[int]:
    """The largest deflection beside each steep place; beyond the ends the signal is 0."""
    before, after = (round(seconds * fs_hz) for seconds in c.peak_s)
    padded = np.pad(x_T, (before, after))
    around = {i: padded[i : i + before + after + 1] for i in found}
    sign = 1
    if kind == "ecg" and found:
        down = median(max(-float(near.min()), 0.0) for near in around.values())
        up = median(max(float(near.max()), 0.0) for near in around.values())
        sign = -1 if down > 2 * up else 1
    tops = [min(max(i - before + int(np.argmax(sign * near)), 0), len(x_T) - 1) for i, near in around.items()]
    return [top for j, top in enumerate(tops) if j == 0 or top > tops[j - 1]]


def rhythm(positions: list[int], fs_hz: float) -> tuple[float, float, int]:
    """Rate (bpm) and variation of RR, NaN under 3 beats, and the number of beats."""
    if len(positions) < 3:
        return np.nan, np.nan, len(positions)
    rr_s = [(b - a) / fs_hz for a, b in pairwise(positions)]
    mean = fmean(rr_s)
    return 60 / median(rr_s), fmean((rr - mean) ** 2 for rr in rr_s) ** 0.5 / mean, len(positions)


def odd(samples: float) -> int:
    return max(2 * round((samples - 1) / 2) + 1, 1)
