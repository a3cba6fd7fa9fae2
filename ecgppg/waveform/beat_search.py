"""The search for beats in one window after another, in samples; `beats` says what is searched for and why.

Shapes: N windows, T samples, B beats.
"""

from typing import NamedTuple

import numpy as np

from ecgppg.core.compiled import compiled
from ecgppg.core.greatest import greatest_size
from ecgppg.waveform.moving import median_of, moving_average, moving_maximum


class Search(NamedTuple):
    """How a window is searched; lengths in samples, heights as shares."""

    rising: bool
    """only slopes upward count"""
    slope_size: int
    slope_size_again: int
    sharp_size: int
    """0: sharpness is not asked for"""
    apart: int
    share: float
    n_blocks: int
    """pieces of which the maxima make the level"""
    around: int
    lowest_level: float
    least_of_maximum: float
    after: float
    after_share: float
    refine_from: int
    refine_to: int
    may_invert: bool
    inverted: float


@compiled
def search_beats(
    x_NT: np.ndarray, wanted: np.ndarray, how: Search, position_NB: np.ndarray, count_N: np.ndarray
) -> None:
    """Find the beats of every window.

    Parameters
    ----------
    x_NT : np.ndarray
        float32 (N, T); NaN is missing.
    wanted : np.ndarray
        int64, indices of the windows to search.
    how : Search
    position_NB : np.ndarray
        int32 (N, T // 2 + 1), filled from the left with the beats of each window, -1 after them.
    count_N : np.ndarray
        int16 (N,), filled with how many they are.
    """
    n_samples = x_NT.shape[1]
    slope_T = np.empty(n_samples, np.float32)
    sharp_T = np.empty(n_samples, np.float32)
    scratch_T = np.empty(n_samples, np.float32)
    filled_T = np.empty(n_samples, np.float32)
    # In eights, as `_tops` looks at them.
    is_top_T = np.zeros(-(-n_samples // 8) * 8, np.uint8)
    position_NB[:] = -1
    count_N[:] = 0
    for row in wanted:
        x_T, position_B = x_NT[row], position_NB[row]
        for t in range(n_samples):
            filled_T[t] = x_T[t] if x_T[t] == x_T[t] else np.float32(0)
        _envelope(x_T, how, slope_T)
        n = _tops(slope_T, how.apart, is_top_T, scratch_T, position_B)
        n_found = n
        n = _high_enough(position_B, n, slope_T, how, scratch_T)
        if _any_closer(position_B, n, how.after):
            if how.sharp_size:
                moving_average(filled_T, how.sharp_size, sharp_T)
                for t in range(n_samples):
                    sharp_T[t] = x_T[t] - sharp_T[t]
                _envelope(sharp_T, how, sharp_T)
                n = _without_after_waves(position_B, n, slope_T, sharp_T, how)
            else:
                n = _without_after_waves(position_B, n, slope_T, slope_T, how)
        n = _peaks(position_B, n, filled_T, how)
        for b in range(n, n_found):
            position_B[b] = -1
        count_N[row] = n


@compiled
def _envelope(x_T: np.ndarray, how: Search, slope_T: np.ndarray) -> None:
    """Averaged slope; beside a missing sample it is 0. `slope_T` may be `x_T`."""
    raw_T = np.zeros(len(x_T), np.float32)
    before, after, inner = x_T[:-2], x_T[2:], raw_T[1:-1]
    sign = np.float32(0) if how.rising else np.float32(-1)
    for t in range(len(inner)):
        rise = after[t] - before[t]
        # A slope that is not a number is neither above nor below 0, and stays 0.
        inner[t] = rise if rise > 0 else (sign * rise if rise < 0 else np.float32(0))
    moving_average(raw_T, how.slope_size, raw_T)
    moving_average(raw_T, how.slope_size_again, slope_T)


@compiled
def _tops(slope_T: np.ndarray, apart: int, is_top_T: np.ndarray, highest_T: np.ndarray, position_B: np.ndarray) -> int:
    """Samples at which the envelope is the greatest within `apart`; how many there are. Of a flat top the first."""
    n_samples = len(slope_T)
    moving_maximum(slope_T, apart, highest_T)
    for t in range(n_samples):
        is_top_T[t] = 1 if slope_T[t] == highest_T[t] and slope_T[t] > 0 else 0
    n, last = 0, -2
    eights = is_top_T.view(np.uint64)
    for k in range(len(eights)):
        if eights[k] == 0:
            continue
        for t in range(8 * k, 8 * k + 8):
            if is_top_T[t]:
                if t != last + 1:
                    position_B[n] = t
                    n += 1
                last = t
    return n


@compiled
def _high_enough(position_B: np.ndarray, n: int, slope_T: np.ndarray, how: Search, level_T: np.ndarray) -> int:
    """Take out tops that do not reach a share of the level around them; how many stay.

    The level lies between two bounds, and is worked out only where a top lies between them too.
    """
    n_samples = len(slope_T)
    length = n_samples // how.n_blocks
    maxima = np.zeros(how.n_blocks, np.float32)
    greatest = np.float32(0)
    for b in range(how.n_blocks):
        maxima[b] = greatest_size(slope_T[b * length : (b + 1) * length])
        greatest = max(greatest, maxima[b])
    typical = max(np.float32(median_of(maxima, how.n_blocks)), np.float32(how.least_of_maximum) * greatest)
    lowest, share = np.float32(how.lowest_level) * typical, np.float32(how.share)
    has_level = False
    kept = 0
    for b in range(n):
        here = slope_T[position_B[b]]
        if here <= share * typical and here > share * lowest and not has_level:
            moving_maximum(slope_T, (how.around - 1) // 2, level_T)
            moving_average(level_T, how.around, level_T)
            has_level = True
        level = min(max(level_T[position_B[b]], lowest), typical) if has_level else typical
        if here > share * level:
            position_B[kept] = position_B[b]
            kept += 1
    return kept


@compiled
def _any_closer(position_B: np.ndarray, n: int, apart: float) -> bool:
    n_close = 0
    for b in range(1, n):
        n_close += 1 if position_B[b] - position_B[b - 1] < apart else 0
    return n_close > 0


@compiled
def _without_after_waves(position_B: np.ndarray, n: int, slope_T: np.ndarray, sharp_T: np.ndarray, how: Search) -> int:
    """Take out summits that follow a beat at once and are much lower than it in either envelope."""
    share = np.float32(how.after_share)
    kept = 0
    for b in range(n):
        here = position_B[b]
        if kept:
            last = position_B[kept - 1]
            lower = slope_T[here] < share * slope_T[last] or sharp_T[here] < share * sharp_T[last]
            if lower and here - last < how.after:
                continue
        position_B[kept] = here
        kept += 1
    return kept


@compiled
def _peaks(position_B: np.ndarray, n: int, x_T: np.ndarray, how: Search) -> int:
    """Move every beat from the steepest place to the largest deflection beside it; two may share one top."""
    sign = _direction(position_B, n, x_T, how) if how.may_invert else np.float32(1)
    last_sample = len(x_T) - 1
    kept, before = 0, -1
    for b in range(n):
        best, place = np.float32(-np.inf), 0
        for t in range(position_B[b] + how.refine_from, position_B[b] + how.refine_to + 1):
            value = sign * x_T[t] if 0 <= t <= last_sample else np.float32(0)
            if value > best:
                best, place = value, t
        place = min(max(place, 0), last_sample)
        if place > before:
            position_B[kept] = place
            kept += 1
        before = place
    return kept


@compiled
def _direction(position_B: np.ndarray, n: int, x_T: np.ndarray, how: Search) -> np.float32:
    """1 where the window's R peaks point up, -1 where they point down."""
    up_B, down_B = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for b in range(n):
        first = max(position_B[b] + how.refine_from, 0)
        last = min(position_B[b] + how.refine_to, len(x_T) - 1)
        for t in range(first, last + 1):
            up_B[b] = max(up_B[b], x_T[t])
            down_B[b] = max(down_B[b], -x_T[t])
    if n and median_of(down_B, n) > how.inverted * median_of(up_B, n):
        return np.float32(-1)
    return np.float32(1)
