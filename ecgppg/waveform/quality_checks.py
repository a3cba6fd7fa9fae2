"""The checks that may drop a window: each a small function over a block, of the recorder's faults and nothing else.

Integrity is judged on ADC codes before filtering, noise and amplitude after. Shapes: N windows, T samples.
"""

from functools import lru_cache

import numpy as np

from ecgppg.core.compiled import compiled
from ecgppg.waveform.filters import band_pass
from ecgppg.waveform.window_checks import (
    clipped_row,
    fast_power,
    height_of,
    longest_constant,
    n_implausible,
    n_missing,
    slow_deviation,
    step_of,
)

PLATEAU_S = 0.032
"""Samples at one extreme code for this long, entered by a jump, are a clipped top and not a round one."""

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
        share_N[row] = n_missing(codes_NT[row]) / codes_NT.shape[1]
    return share_N


@compiled
def longest_constant_s(codes_NT: np.ndarray, fs_hz: float) -> np.ndarray:
    """Longest run of one code, s, float (N,); missing samples are no code.

    Coarse codes repeat for a while in any signal: what counts is seconds.
    """
    longest_N = np.zeros(len(codes_NT))
    for row in range(len(codes_NT)):
        longest_N[row] = longest_constant(codes_NT[row]) / fs_hz
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
    plateau = plateau_size(fs_hz)
    limits_N2 = np.ascontiguousarray(np.broadcast_to(np.asarray(code_limits, np.int64), (len(codes_NT), 2)))
    return _clipped(codes_NT, limits_N2, plateau, n_seconds)


def plateau_size(fs_hz: float) -> int:
    """Samples that `PLATEAU_S` is, at least 4."""
    return max(4, round(PLATEAU_S * fs_hz))


@compiled
def code_step(codes_NT: np.ndarray) -> np.ndarray:
    """Least difference between neighbouring codes that differ, int64 (N,); 1 where none does.

    Rescaled recordings step by more than one code.
    """
    step_N = np.ones(len(codes_NT), np.int64)
    for row in range(len(codes_NT)):
        step_N[row] = step_of(codes_NT[row])
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
    return _fast_power(x_NT, round(NOISE_BLOCK_S * fs_hz)) * noise_per_fast_power(fs_hz, band_hz)


def steadiness(x_NT: np.ndarray, fs_hz: float, kind: str) -> np.ndarray:
    """How little a window sways, 1 to 0.5, float (N,): slow excursions beside the height of its beats.

    It halves a score at most, so that no slow wide rhythm is dropped for it alone.
    """
    return steady_score(_slow_deviation(x_NT, round(SLOW_S[kind] * fs_hz)), typical_height(x_NT, fs_hz))


def steady_score(slow_N: np.ndarray, height_N: np.ndarray) -> np.ndarray:
    """`steadiness` of the standard deviation of what is slow, and of the typical height."""
    sway_N = np.divide(slow_N, height_N, out=np.zeros_like(height_N), where=height_N > 0)
    return 0.5 + 0.5 / (1 + (sway_N / 0.25) ** 2)


def typical_height(x_NT: np.ndarray, fs_hz: float) -> np.ndarray:
    """Median over two-second pieces of the largest deflection, in the unit of `x_NT`, float (N,)."""
    return _typical_height(x_NT, max(round(x_NT.shape[1] / (2 * fs_hz)), 1))


@compiled
def implausible_share(ecg_mv_NT: np.ndarray) -> np.ndarray:
    """Share of samples of a filtered, calibrated ECG beyond `window_checks.IMPLAUSIBLE_MV`, float (N,)."""
    share_N = np.zeros(len(ecg_mv_NT))
    for row in range(len(ecg_mv_NT)):
        share_N[row] = n_implausible(ecg_mv_NT[row]) / ecg_mv_NT.shape[1]
    return share_N


@compiled
def _clipped(
    codes_NT: np.ndarray, limits_N2: np.ndarray, plateau: int, n_seconds: int
) -> tuple[np.ndarray, np.ndarray]:
    """`clipped` with lengths in samples."""
    n, n_samples = codes_NT.shape
    share_N, spread_N = np.zeros(n), np.zeros(n)
    is_clipped_T = np.zeros(n_samples, np.bool_)
    for row in range(n):
        share_N[row], spread_N[row] = clipped_row(
            codes_NT[row], limits_N2[row, 0], limits_N2[row, 1], plateau, n_seconds, is_clipped_T
        )
    return share_N, spread_N


@compiled
def _fast_power(x_NT: np.ndarray, length: int) -> np.ndarray:
    power_N = np.zeros(len(x_NT))
    for row in range(len(x_NT)):
        power_N[row] = fast_power(x_NT[row], length)
    return power_N


@compiled
def _slow_deviation(x_NT: np.ndarray, size: int) -> np.ndarray:
    deviation_N = np.zeros(len(x_NT))
    slow_T = np.empty(x_NT.shape[1], np.float32)
    for row in range(len(x_NT)):
        deviation_N[row] = slow_deviation(x_NT[row], size, slow_T)
    return deviation_N


@compiled
def _typical_height(x_NT: np.ndarray, n_pieces: int) -> np.ndarray:
    height_N = np.zeros(len(x_NT))
    for row in range(len(x_NT)):
        height_N[row] = height_of(x_NT[row], n_pieces)
    return height_N


def noise_per_fast_power(fs_hz: float, band_hz: tuple[float, float] | None) -> float:
    """What turns `fast_power` into the power of noise that was white before the filter."""
    return 1.0 / (MEDIAN_OF_BLOCKS * _second_difference_gain(fs_hz, band_hz))


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
