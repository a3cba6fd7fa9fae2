"""What a kept window should be known for: flat stretches, and beats unlike each other. Never a reason to drop one.

Shapes: N windows, T samples, B beats (padded).
"""

import numpy as np

from ecgppg.core.compiled import compiled
from ecgppg.core.greatest import greatest_size
from ecgppg.waveform.beats import Beats
from ecgppg.waveform.moving import median_of, moving_average
from ecgppg.waveform.run_length import longest_run
from ecgppg.waveform.sums import dot, total

FLAT_SHARE = 0.1
"""A signal is flat where its size stays within this share of the window's greatest, or within the noise floor."""


def template_correlation(x_NT: np.ndarray, beats: Beats, fs_hz: float, before_s: float, after_s: float) -> np.ndarray:
    """Median correlation of a window's beats with their mean, float (N,); NaN under 3 whole beats.

    Parameters
    ----------
    x_NT : np.ndarray
        float32, filtered.
    beats : Beats
        Of the same windows.
    fs_hz : float
        Hz.
    before_s, after_s : float
        What of a beat is compared, s; beats cut by the window's ends are left out.
    """
    return _template_correlation(x_NT, beats.position_NB, round(before_s * fs_hz), round(after_s * fs_hz))


@compiled
def longest_flat(x_T: np.ndarray, size: int, floor: float, size_T: np.ndarray) -> int:
    """Longest stretch of one window without any deflection, in samples; `size_T` is filled.

    A pause, asystole, or a lead that is off. Noise (rms) up to `floor` is the recorder's own.
    """
    for t in range(len(x_T)):
        size_T[t] = abs(x_T[t])
    moving_average(size_T, size, size_T)
    limit = max(np.float32(FLAT_SHARE) * greatest_size(size_T), np.float32(floor))
    is_flat_T = np.empty(len(size_T), np.uint8)
    for t in range(len(size_T)):
        is_flat_T[t] = 1 if size_T[t] <= limit else 0
    return longest_run(is_flat_T)


@compiled
def _template_correlation(x_NT: np.ndarray, position_NB: np.ndarray, before: int, after: int) -> np.ndarray:
    """The same with lengths in samples."""
    n, n_samples = x_NT.shape
    most, width = position_NB.shape[1], before + after + 1
    correlation_N = np.full(n, np.nan)
    beat_BW, mean_W = np.empty((most, width)), np.empty(width)
    correlation_B, per_length_B = np.empty(most), np.empty(most)
    for row in range(n):
        n_beats = 0
        mean_W[:] = 0.0
        for position in position_NB[row]:
            if position < 0:
                break
            if position - before < 0 or position + after >= n_samples:
                continue
            source_W, beat_W = x_NT[row, position - before : position + after + 1], beat_BW[n_beats]
            for w in range(width):
                beat_W[w] = source_W[w] if source_W[w] == source_W[w] else 0.0
            mean = total(beat_W) / width
            for w in range(width):
                beat_W[w] -= mean
            per_length = _per_length(beat_W)
            for w in range(width):
                mean_W[w] += beat_W[w] * per_length
            per_length_B[n_beats] = per_length
            n_beats += 1
        if n_beats < 3:
            continue
        per_length = _per_length(mean_W)
        for b in range(n_beats):
            correlation_B[b] = dot(beat_BW[b], mean_W) * (per_length * per_length_B[b])
        correlation_N[row] = median_of(correlation_B, n_beats)
    return correlation_N


@compiled
def _per_length(x_W: np.ndarray) -> float:
    """What brings a row to length 1."""
    return 1.0 / max(np.sqrt(dot(x_W, x_W)), 1e-12)
