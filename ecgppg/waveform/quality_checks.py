"""The checks that may drop a window: each a small function over a block, of the recorder's faults and nothing else.

Integrity is judged on ADC codes before filtering, noise and amplitude after. Shapes: N windows, T samples.
"""

from functools import lru_cache

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import sosfreqz

from ecgppg.waveform.codes import MISSING
from ecgppg.waveform.filters import band_pass

PLATEAU_S = 0.032
"""Samples at one extreme code for this long, entered by a jump, are a clipped top and not a round one."""

IMPLAUSIBLE_MV = 10.0
"""No ECG electrode sees this after a high-pass; a giant ectopic beat has half of it."""

NOISE_BLOCK_S = 0.16
MEDIAN_OF_BLOCKS = 0.9
"""Median of the power of so short blocks of white noise, as a share of its mean; measured."""

SLOW_S = {"ECG": 0.6, "PPG": 2.0}
"""What a moving average of this length leaves is slower than a beat of that signal: sway."""


def missing_share(codes_NT: np.ndarray) -> np.ndarray:
    """Share of samples that the recorder marked as missing, float (N,)."""
    return (codes_NT == MISSING).mean(axis=1)


def longest_constant_s(codes_NT: np.ndarray, fs_hz: float) -> np.ndarray:
    """Longest run of one code, s, float (N,); missing samples are no code.

    Coarse codes repeat for a while in any signal: what counts is seconds.
    """
    same_NT = (codes_NT[:, 1:] == codes_NT[:, :-1]) & (codes_NT[:, 1:] != MISSING)
    return (longest_true(same_NT) + 1) * (codes_NT != MISSING).any(axis=1) / fs_hz


def clipped(codes_NT: np.ndarray, fs_hz: float, code_limits: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """How much of a window is clipped, and over how many of its seconds that is spread.

    A sample is clipped at the ADC's limits, or in a plateau: at the window's least or greatest code for `PLATEAU_S`,
    entered or left by a jump of three of the steps that its codes are made of (analogue stages clip short of the ADC).

    Parameters
    ----------
    codes_NT : np.ndarray
        int32, `MISSING` where missing.
    fs_hz : float
        Rate of the codes, Hz.
    code_limits : tuple of int
        Least and greatest code the ADC can give.

    Returns
    -------
    share_N, spread_N : np.ndarray
        float, share of all samples, and share of the seconds that hold such a sample.
    """
    valid_NT = codes_NT != MISSING
    at_limit_NT = ((codes_NT <= code_limits[0]) | (codes_NT >= code_limits[1])) & valid_NT
    jump_N = 3 * code_step(codes_NT)
    greatest_N1 = codes_NT.max(axis=1, keepdims=True)
    least_N1 = np.where(valid_NT, codes_NT, np.iinfo(np.int32).max).min(axis=1, keepdims=True)
    for extreme_N1 in (greatest_N1, least_N1):
        _add_plateaus(at_limit_NT, codes_NT, (codes_NT == extreme_N1) & valid_NT, jump_N, fs_hz)
    n_seconds = max(round(codes_NT.shape[1] / fs_hz), 1)
    length = codes_NT.shape[1] // n_seconds
    seconds = at_limit_NT[:, : n_seconds * length].reshape(len(codes_NT), n_seconds, length).any(axis=2)
    return at_limit_NT.mean(axis=1), seconds.mean(axis=1)


def code_step(codes_NT: np.ndarray) -> np.ndarray:
    """Least difference between neighbouring codes that differ, int64 (N,); 1 where none does.

    Rescaled recordings step by more than one code.
    """
    step_NT = np.abs(np.diff(codes_NT.astype(np.int64), axis=1))
    step_NT[(step_NT == 0) | (codes_NT[:, 1:] == MISSING) | (codes_NT[:, :-1] == MISSING)] = 2**40
    step_N = step_NT.min(axis=1)
    return np.where(step_N == 2**40, 1, step_N)


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
    fast_NT = 2 * x_NT[:, 1:-1] - x_NT[:, 2:] - x_NT[:, :-2]
    length = round(NOISE_BLOCK_S * fs_hz)
    n_blocks = fast_NT.shape[1] // length
    np.square(fast_NT, out=fast_NT)
    power = fast_NT[:, : n_blocks * length].reshape(len(x_NT), n_blocks, length).mean(axis=2)
    return np.median(power, axis=1) / MEDIAN_OF_BLOCKS / _second_difference_gain(fs_hz, band_hz)


def steadiness(x_NT: np.ndarray, fs_hz: float, kind: str) -> np.ndarray:
    """How little a window sways, 1 to 0.5, float (N,): slow excursions beside the height of its beats.

    It halves a score at most, so that no slow wide rhythm is dropped for it alone.
    """
    slow_NT = uniform_filter1d(x_NT, round(SLOW_S[kind] * fs_hz), axis=1)
    height_N = typical_height(x_NT, fs_hz)
    sway_N = np.divide(slow_NT.std(axis=1), height_N, out=np.zeros_like(height_N), where=height_N > 0)
    return 0.5 + 0.5 / (1 + (sway_N / 0.25) ** 2)


def typical_height(x_NT: np.ndarray, fs_hz: float) -> np.ndarray:
    """Median over two-second pieces of the largest deflection, in the unit of `x_NT`, float (N,)."""
    n_pieces = max(round(x_NT.shape[1] / (2 * fs_hz)), 1)
    length = x_NT.shape[1] // n_pieces
    return np.median(np.abs(x_NT[:, : n_pieces * length]).reshape(len(x_NT), n_pieces, length).max(axis=2), axis=1)


def implausible_share(ecg_mv_NT: np.ndarray) -> np.ndarray:
    """Share of samples of a filtered, calibrated ECG beyond `IMPLAUSIBLE_MV`, float (N,)."""
    return (np.abs(ecg_mv_NT) > IMPLAUSIBLE_MV).mean(axis=1)


def longest_true(mask_NT: np.ndarray) -> np.ndarray:
    """Length of the longest run of True in each row, int (N,)."""
    longest_N = np.zeros(len(mask_NT), dtype=np.int64)
    row, start, stop = runs_of_true(mask_NT)
    np.maximum.at(longest_N, row, stop - start)
    return longest_N


def runs_of_true(mask_NT: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, first and one-past-last sample of every run of True."""
    padded = np.zeros((len(mask_NT), mask_NT.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask_NT
    edge = np.flatnonzero(np.diff(padded.ravel()))
    row, start = np.divmod(edge[0::2], padded.shape[1])
    return row, start, edge[1::2] - row * padded.shape[1]


def _add_plateaus(
    clipped_NT: np.ndarray, codes_NT: np.ndarray, extreme_NT: np.ndarray, jump_N: np.ndarray, fs_hz: float
) -> None:
    """Mark the plateaus among the samples at an extreme code."""
    row, start, stop = runs_of_true(extreme_NT)
    long = stop - start >= max(4, round(PLATEAU_S * fs_hz))
    row, start, stop = row[long], start[long], stop[long]
    last = codes_NT.shape[1] - 1
    here = codes_NT[row, start].astype(np.int64)
    beside = np.stack([codes_NT[row, np.maximum(start - 1, 0)], codes_NT[row, np.minimum(stop, last)]]).astype(np.int64)
    jumps = np.where(beside == MISSING, 0, np.abs(beside - here)).max(axis=0, initial=0) >= jump_N[row]
    for r, first, end in zip(row[jumps], start[jumps], stop[jumps], strict=True):
        clipped_NT[r, first:end] = True


@lru_cache(maxsize=64)
def _second_difference_gain(fs_hz: float, band_hz: tuple[float, float] | None) -> float:
    """Power of the second difference beside that of the signal itself, for white noise through the band-pass."""
    frequency_hz = np.linspace(0, fs_hz / 2, 4000)
    passed = np.ones(frequency_hz.size)
    if band_hz:
        _, response = sosfreqz(band_pass(*band_hz, fs_hz), frequency_hz, fs=fs_hz)
        passed = np.abs(response) ** 4  # forward and backward, and squared
    gain = (2 * np.sin(np.pi * frequency_hz / fs_hz)) ** 4
    return float((passed * gain).sum() / passed.sum())
