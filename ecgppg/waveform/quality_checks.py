"""The checks that may drop a window: each a small function over a block, of the recorder's faults and nothing else.

Integrity is judged on ADC codes before filtering, noise and amplitude after. Shapes: N windows, T samples.
"""

from functools import lru_cache

import numpy as np

from ecgppg.core.compiled import compiled
from ecgppg.waveform.codes import MISSING
from ecgppg.waveform.filters import band_pass
from ecgppg.waveform.moving import greatest_size, median_of, moving_average
from ecgppg.waveform.sums import variance

PLATEAU_S = 0.032
"""Samples at one extreme code for this long, entered by a jump, are a clipped top and not a round one."""

IMPLAUSIBLE_MV = 10.0
"""No ECG electrode sees this after a high-pass; a giant ectopic beat has half of it."""

NOISE_BLOCK_S = 0.16
MEDIAN_OF_BLOCKS = 0.9
"""Median of the power of so short blocks of white noise, as a share of its mean; measured."""

SLOW_S = {"ECG": 0.6, "PPG": 2.0}
"""What a moving average of this length leaves is slower than a beat of that signal: sway."""


@compiled
def missing_share(codes_NT: np.ndarray) -> np.ndarray:
    """Share of samples that the recorder marked as missing, float (N,)."""
    share_N = np.zeros(len(codes_NT))
    for row in range(len(codes_NT)):
        n = 0
        for code in codes_NT[row]:
            n += code == MISSING
        share_N[row] = n / codes_NT.shape[1]
    return share_N


@compiled
def longest_constant_s(codes_NT: np.ndarray, fs_hz: float) -> np.ndarray:
    """Longest run of one code, s, float (N,); missing samples are no code.

    Coarse codes repeat for a while in any signal: what counts is seconds.
    """
    longest_N = np.zeros(len(codes_NT))
    for row in range(len(codes_NT)):
        longest, length, last = 0, 0, MISSING
        for code in codes_NT[row]:
            length = (length + 1 if code == last else 1) if code != MISSING else 0
            longest = max(longest, length)
            last = code
        longest_N[row] = longest / fs_hz
    return longest_N


def clipped(
    codes_NT: np.ndarray, fs_hz: float, code_limits: tuple[int, int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How much of a window is clipped, and over how many of its seconds that is spread.

    A sample is clipped at the ADC's limits, or in a plateau: at the window's least or greatest code for `PLATEAU_S`,
    entered or left by a jump of three of the steps that its codes are made of (analogue stages clip short of the ADC).

    Parameters
    ----------
    codes_NT : np.ndarray
        int32, `MISSING` where missing.
    fs_hz : float
        Rate of the codes, Hz.
    code_limits : tuple of int, or np.ndarray
        Least and greatest code the ADC can give; (N, 2) where windows differ.

    Returns
    -------
    share_N, spread_N : np.ndarray
        float, share of all samples, and share of the seconds that hold such a sample.
    """
    n_seconds = max(round(codes_NT.shape[1] / fs_hz), 1)
    plateau = max(4, round(PLATEAU_S * fs_hz))
    limits_N2 = np.ascontiguousarray(np.broadcast_to(np.asarray(code_limits, np.int64), (len(codes_NT), 2)))
    return _clipped(codes_NT, limits_N2, plateau, n_seconds)


@compiled
def code_step(codes_NT: np.ndarray) -> np.ndarray:
    """Least difference between neighbouring codes that differ, int64 (N,); 1 where none does.

    Rescaled recordings step by more than one code.
    """
    step_N = np.ones(len(codes_NT), np.int64)
    for row in range(len(codes_NT)):
        step_N[row] = _step(codes_NT[row])
    return step_N


def noise_power(x_NT: np.ndarray, fs_hz: float, band_hz: tuple[float, float] | None) -> np.ndarray:
    """Power of the noise between the beats, in the band of the filter, float (N,).

    The second difference shows what is fast; its power in blocks of `NOISE_BLOCK_S` has its median between the beats
    (a QRS fills less than half of the blocks up to 200 bpm), however the beats are spaced, and if there are none. The
    noise is taken to have been white before the filter.

    Parameters
    ----------
    x_NT : np.ndarray
        float32 (N, T).
    fs_hz : float
        Hz.
    band_hz : tuple of float or None
        What `filters.zero_phase` was given to make `x_NT`; None: not filtered.
    """
    fast_N = _fast_power(x_NT, round(NOISE_BLOCK_S * fs_hz))
    return fast_N / MEDIAN_OF_BLOCKS / _second_difference_gain(fs_hz, band_hz)


def steadiness(x_NT: np.ndarray, fs_hz: float, kind: str) -> np.ndarray:
    """How little a window sways, 1 to 0.5, float (N,): slow excursions beside the height of its beats.

    It halves a score at most, so that no slow wide rhythm is dropped for it alone.
    """
    slow_N = _slow_deviation(x_NT, round(SLOW_S[kind] * fs_hz))
    height_N = typical_height(x_NT, fs_hz)
    sway_N = np.divide(slow_N, height_N, out=np.zeros_like(height_N), where=height_N > 0)
    return 0.5 + 0.5 / (1 + (sway_N / 0.25) ** 2)


def typical_height(x_NT: np.ndarray, fs_hz: float) -> np.ndarray:
    """Median over two-second pieces of the largest deflection, in the unit of `x_NT`, float (N,)."""
    return _typical_height(x_NT, max(round(x_NT.shape[1] / (2 * fs_hz)), 1))


@compiled
def implausible_share(ecg_mv_NT: np.ndarray) -> np.ndarray:
    """Share of samples of a filtered, calibrated ECG beyond `IMPLAUSIBLE_MV`, float (N,)."""
    share_N = np.zeros(len(ecg_mv_NT))
    for row in range(len(ecg_mv_NT)):
        n = 0
        for mv in ecg_mv_NT[row]:
            n += abs(mv) > IMPLAUSIBLE_MV
        share_N[row] = n / ecg_mv_NT.shape[1]
    return share_N


@compiled
def filled(x_NT: np.ndarray) -> np.ndarray:
    """A copy with 0 where a sample is missing, float32 (N, T)."""
    filled_NT = np.empty(x_NT.shape, np.float32)
    for row in range(len(x_NT)):
        for t in range(x_NT.shape[1]):
            filled_NT[row, t] = x_NT[row, t] if x_NT[row, t] == x_NT[row, t] else np.float32(0)
    return filled_NT


@compiled
def power(x_NT: np.ndarray) -> np.ndarray:
    """Variance of each window, float (N,)."""
    power_N = np.zeros(len(x_NT))
    for row in range(len(x_NT)):
        power_N[row] = variance(x_NT[row])
    return power_N


@compiled
def _clipped(
    codes_NT: np.ndarray, limits_N2: np.ndarray, plateau: int, n_seconds: int
) -> tuple[np.ndarray, np.ndarray]:
    """`clipped` with lengths in samples."""
    n, n_samples = codes_NT.shape
    share_N, spread_N = np.zeros(n), np.zeros(n)
    is_clipped_T = np.zeros(n_samples, np.bool_)
    for row in range(n):
        codes_T = codes_NT[row]
        lowest, highest = limits_N2[row, 0], limits_N2[row, 1]
        least, greatest = _range(codes_T)
        for t in range(n_samples):
            is_clipped_T[t] = False
        total = 0
        if greatest != MISSING:
            if least <= lowest or greatest >= highest:
                for t in range(n_samples):
                    code = codes_T[t]
                    is_clipped_T[t] = (code <= lowest or code >= highest) and code != MISSING
                    total += 1 if is_clipped_T[t] else 0
            total += _mark_plateaus(codes_T, greatest, plateau, is_clipped_T)
            total += _mark_plateaus(codes_T, least, plateau, is_clipped_T)
        share_N[row] = total / n_samples
        length = n_samples // n_seconds
        seconds = 0
        for s in range(n_seconds if total else 0):
            seconds += 1 if is_clipped_T[s * length : (s + 1) * length].any() else 0
        spread_N[row] = seconds / n_seconds
    return share_N, spread_N


@compiled
def _mark_plateaus(codes_T: np.ndarray, extreme: int, plateau: int, is_clipped_T: np.ndarray) -> int:
    """Mark the runs of an extreme code that are long enough and stand apart; how many samples that adds."""
    n, n_extreme = len(codes_T), 0
    for t in range(n):
        n_extreme += 1 if codes_T[t] == extreme else 0
    if n_extreme < plateau:
        return 0
    added, start = 0, -1
    for t in range(n + 1):
        if t < n and codes_T[t] == extreme:
            if start < 0:
                start = t
            continue
        if start >= 0 and t - start >= plateau:
            jump = 3 * _step(codes_T)
            before = start > 0 and codes_T[start - 1] != MISSING and abs(codes_T[start - 1] - extreme) >= jump
            after = t < n and codes_T[t] != MISSING and abs(codes_T[t] - extreme) >= jump
            if before or after:
                for k in range(start, t):
                    added += not is_clipped_T[k]
                    is_clipped_T[k] = True
        start = -1
    return added


@compiled
def _range(codes_T: np.ndarray) -> tuple[int, int]:
    """Least and greatest code that is not missing; MISSING is the greatest where all are."""
    most, missing = np.int32(2**31 - 1), np.int32(MISSING)
    least, greatest = most, missing
    for t in range(len(codes_T)):
        code = codes_T[t]
        present = code if code != missing else most
        least = present if present < least else least
        greatest = code if code > greatest else greatest
    return int(least), int(greatest)


@compiled
def _step(codes_T: np.ndarray) -> int:
    """Least step of one window; in 32 bits, which a processor takes eight at a time, wherever no step needs more."""
    none = 2**31 - 1
    least, greatest = _range(codes_T)
    if greatest == MISSING:
        return 1
    if np.int64(greatest) - np.int64(least) < none:
        step = _step_in_32_bits(codes_T[:-1], codes_T[1:])
        return 1 if step == none else int(step)
    wide = np.int64(2**40)
    for t in range(1, len(codes_T)):
        apart = abs(np.int64(codes_T[t]) - np.int64(codes_T[t - 1]))
        if apart != 0 and codes_T[t] != MISSING and codes_T[t - 1] != MISSING:
            wide = min(wide, apart)
    return 1 if wide == 2**40 else int(wide)


@compiled
def _step_in_32_bits(before_T: np.ndarray, after_T: np.ndarray) -> np.int32:
    none, missing = np.int32(2**31 - 1), np.int32(MISSING)
    step = none
    for t in range(len(before_T)):
        rise = np.int32(after_T[t] - before_T[t])
        rise = rise if rise > 0 else np.int32(-rise)
        rise = rise if rise != 0 else none
        rise = rise if after_T[t] != missing else none
        rise = rise if before_T[t] != missing else none
        step = rise if rise < step else step
    return step


@compiled
def _fast_power(x_NT: np.ndarray, length: int) -> np.ndarray:
    """Median over blocks of the mean square of the second difference."""
    n, n_samples = x_NT.shape
    n_blocks = (n_samples - 2) // length
    power_N, blocks = np.zeros(n), np.empty(n_blocks)
    square_T = np.empty(n_samples - 2)
    for row in range(n):
        before, here, after = x_NT[row, :-2], x_NT[row, 1:-1], x_NT[row, 2:]
        for t in range(len(square_T)):
            fast = 2 * np.float64(here[t]) - before[t] - after[t]
            square_T[t] = fast * fast
        for b in range(n_blocks):
            block = square_T[b * length : (b + 1) * length]
            even, odd = 0.0, 0.0
            for k in range(length // 2):
                even += block[2 * k]
                odd += block[2 * k + 1]
            if length % 2:
                even += block[length - 1]
            blocks[b] = (even + odd) / length
        power_N[row] = median_of(blocks, n_blocks)
    return power_N


@compiled
def _slow_deviation(x_NT: np.ndarray, size: int) -> np.ndarray:
    """Standard deviation of a window's moving average."""
    deviation_N = np.zeros(len(x_NT))
    slow_T = np.empty(x_NT.shape[1], np.float32)
    for row in range(len(x_NT)):
        moving_average(x_NT[row], size, slow_T)
        deviation_N[row] = np.sqrt(variance(slow_T))
    return deviation_N


@compiled
def _typical_height(x_NT: np.ndarray, n_pieces: int) -> np.ndarray:
    height_N, heights = np.zeros(len(x_NT)), np.zeros(n_pieces)
    length = x_NT.shape[1] // n_pieces
    for row in range(len(x_NT)):
        for piece in range(n_pieces):
            heights[piece] = greatest_size(x_NT[row, piece * length : (piece + 1) * length])
        height_N[row] = median_of(heights, n_pieces)
    return height_N


@lru_cache(maxsize=64)
def _second_difference_gain(fs_hz: float, band_hz: tuple[float, float] | None) -> float:
    """Power of the second difference beside that of the signal itself, for white noise through the band-pass."""
    frequency_hz = np.linspace(0, fs_hz / 2, 4000)
    passed = np.ones(frequency_hz.size)
    if band_hz:
        delay = np.exp(-2j * np.pi * frequency_hz / fs_hz)
        sections = band_pass(*band_hz, fs_hz)
        response = np.prod([np.polyval(s[2::-1], delay) / np.polyval(s[:2:-1], delay) for s in sections], axis=0)
        passed = np.abs(response) ** 4  # forward and backward, and squared
    gain = (2 * np.sin(np.pi * frequency_hz / fs_hz)) ** 4
    return float((passed * gain).sum() / passed.sum())
