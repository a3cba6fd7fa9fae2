"""Slow references of the quality checks: one window at a time, in float64, straight from the definitions.

They share no code with `ecgppg`. Each takes one row (T,) and says what the check of the same name says of it.
"""

import math
from functools import cache
from itertools import groupby, pairwise
from statistics import median

import numpy as np
from scipy.signal import butter, sosfiltfilt

MISSING = -(2**31)


def missing_share(codes_T: np.ndarray) -> float:
    return codes_T.tolist().count(MISSING) / len(codes_T)


def longest_constant_s(codes_T: np.ndarray, fs_hz: float) -> float:
    lengths = [len(list(run)) for code, run in groupby(codes_T.tolist()) if code != MISSING]
    return max(lengths, default=0) / fs_hz


def code_step(codes_T: np.ndarray) -> int:
    codes = codes_T.tolist()
    steps = [abs(b - a) for a, b in pairwise(codes) if a != b and a != MISSING and b != MISSING]
    return min(steps, default=1)


def clipped(codes_T: np.ndarray, fs_hz: float, code_limits: tuple[int, int]) -> tuple[float, float]:
    codes = codes_T.tolist()
    valid = [code for code in codes if code != MISSING]
    is_clipped = [code != MISSING and (code <= code_limits[0] or code >= code_limits[1]) for code in codes]
    least_run, jump = max(4, round(0.032 * fs_hz)), 3 * code_step(codes_T)
    for extreme in {min(valid), max(valid)} if valid else ():
        for start, stop in runs([code == extreme for code in codes]):
            beside = [codes[i] for i in (start - 1, stop) if 0 <= i < len(codes) and codes[i] != MISSING]
            if stop - start >= least_run and any(abs(code - extreme) >= jump for code in beside):
                is_clipped[start:stop] = [True] * (stop - start)
    seconds = pieces(is_clipped, max(round(len(codes) / fs_hz), 1))
    return sum(is_clipped) / len(codes), sum(any(second) for second in seconds) / len(seconds)


def noise_power(x_T: np.ndarray, fs_hz: float, band_hz: tuple[float, float] | None) -> float:
    x = x_T.astype(float).tolist()
    fast = [(2 * x[i] - x[i - 1] - x[i + 1]) ** 2 for i in range(1, len(x) - 1)]
    length = round(0.16 * fs_hz)
    blocks = [sum(fast[i : i + length]) / length for i in range(0, len(fast) - length + 1, length)]
    return median(blocks) / 0.9 / second_difference_gain(fs_hz, band_hz)


@cache
def second_difference_gain(fs_hz: float, band_hz: tuple[float, float] | None) -> float:
    """By Parseval: power of the second difference of the filter's impulse response, beside the response's own."""
    response = np.zeros(60 * round(fs_hz))
    response[len(response) // 2] = 1
    if band_hz:
        response = sosfiltfilt(butter(2, band_hz, "bandpass", fs=fs_hz, output="sos"), response)
    return float((np.diff(response, 2) ** 2).sum() / (response**2).sum())


def steadiness(x_T: np.ndarray, fs_hz: float, kind: str) -> float:
    sway = moving_average(x_T, round({"ECG": 0.6, "PPG": 2.0}[kind] * fs_hz)).std()
    height = typical_height(x_T, fs_hz)
    return 0.5 + 0.5 / (1 + (sway / height / 0.25) ** 2) if height > 0 else 1.0


def typical_height(x_T: np.ndarray, fs_hz: float) -> float:
    return median(max(map(abs, piece)) for piece in pieces(x_T.tolist(), max(round(len(x_T) / (2 * fs_hz)), 1)))


def implausible_share(ecg_mv_T: np.ndarray) -> float:
    return sum(abs(mv) > 10.0 for mv in ecg_mv_T.tolist()) / len(ecg_mv_T)


def longest_flat_s(x_T: np.ndarray, fs_hz: float, floor: float) -> float:
    size_T = moving_average(np.abs(x_T), round(0.1 * fs_hz))
    limit = max(0.1 * size_T.max(), floor)
    return max((stop - start for start, stop in runs((size_T <= limit).tolist())), default=0) / fs_hz


def template_correlation(x_T: np.ndarray, positions: list[int], fs_hz: float, before_s: float, after_s: float) -> float:
    before, after = round(before_s * fs_hz), round(after_s * fs_hz)
    whole = [p for p in positions if p - before >= 0 and p + after < len(x_T)]
    if len(whole) < 3:
        return math.nan
    beats = [_standard(x_T[p - before : p + after + 1].astype(float)) for p in whole]
    template = sum(beats) / len(beats)
    template = template / max(math.sqrt(template @ template), 1e-12)
    return median(float(beat @ template) for beat in beats)


def zero_phase(x_T: np.ndarray, low_hz: float, high_hz: float, fs_hz: float) -> np.ndarray:
    """scipy's own, over each stretch between gaps of more than 0.1 s; shorter gaps are a straight line."""
    x_T = x_T.astype(float)
    sos = butter(2, [low_hz, high_hz], "bandpass", fs=fs_hz, output="sos")
    finite = np.flatnonzero(np.isfinite(x_T))
    for start, stop in runs(np.isnan(x_T).tolist()):
        if start > 0 and stop < len(x_T) and stop - start <= round(0.1 * fs_hz):
            x_T[start:stop] = np.interp(range(start, stop), finite, x_T[finite])
    y_T = np.full(len(x_T), np.nan)
    for start, stop in runs(np.isfinite(x_T).tolist()):
        y_T[start:stop] = sosfiltfilt(sos, x_T[start:stop], padlen=min(15, stop - start - 1))
    return y_T


def moving_average(x_T: np.ndarray, size: int) -> np.ndarray:
    """Mean of `size` samples about each, the ends mirrored; an even size has one more sample before than after."""
    padded = np.pad(x_T.astype(float), (size // 2, size - 1 - size // 2), "symmetric")
    return np.convolve(padded, np.full(size, 1 / size), "valid")


def runs(mask: list[bool]) -> list[tuple[int, int]]:
    """First and one-past-last of every run of True."""
    found, start = [], 0
    for here, run in groupby(mask):
        stop = start + len(list(run))
        if here:
            found.append((start, stop))
        start = stop
    return found


def pieces(values: list, n: int) -> list[list]:
    """`n` pieces of equal length; what is left over at the end belongs to none."""
    length = len(values) // n
    return [values[i * length : (i + 1) * length] for i in range(n)]


def _standard(beat: np.ndarray) -> np.ndarray:
    beat = beat - beat.mean()
    return beat / max(math.sqrt(beat @ beat), 1e-12)
