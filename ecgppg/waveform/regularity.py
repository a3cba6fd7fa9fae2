"""What a kept window should be known for: flat stretches, and beats unlike each other. Never a reason to drop one.

Shapes: N windows, T samples, B beats (padded).
"""

import numpy as np
from scipy.ndimage import uniform_filter1d

from ecgppg.waveform.beats import Beats, row_medians
from ecgppg.waveform.quality_checks import longest_true

FLAT_SHARE = 0.1
"""A signal is flat where its size stays within this share of the window's greatest, or within the noise floor."""

SIZE_S = 0.1


def longest_flat_s(x_NT: np.ndarray, fs_hz: float, floor_N: np.ndarray) -> np.ndarray:
    """Longest stretch without any deflection, s, float (N,): a pause, asystole, or a lead that is off.

    Parameters
    ----------
    x_NT : np.ndarray
        float32, filtered.
    fs_hz : float
        Hz.
    floor_N : np.ndarray
        Noise (rms) up to this is the recorder's own, in the unit of `x_NT`.
    """
    size_NT = uniform_filter1d(np.abs(x_NT), round(SIZE_S * fs_hz), axis=1)
    limit_N = np.maximum(FLAT_SHARE * size_NT.max(axis=1), floor_N)
    return longest_true(size_NT <= limit_N[:, None]) / fs_hz


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
    offsets = np.arange(-round(before_s * fs_hz), round(after_s * fs_hz) + 1)
    position_NB = beats.position_NB
    whole_NB = (position_NB + offsets[0] >= 0) & (position_NB + offsets[-1] < x_NT.shape[1]) & (position_NB >= 0)
    row, column = np.nonzero(whole_NB)
    beat = x_NT[row[:, None], position_NB[row, column][:, None] + offsets]
    beat -= beat.mean(axis=1, keepdims=True)
    beat /= np.maximum(np.sqrt((beat**2).sum(axis=1, keepdims=True)), 1e-12)
    count_N = whole_NB.sum(axis=1)
    with_beats_N = np.flatnonzero(count_N)
    mean = np.zeros((len(x_NT), offsets.size), dtype=np.float32)
    if row.size:
        mean[with_beats_N] = np.add.reduceat(beat, np.searchsorted(row, with_beats_N), axis=0)
    mean /= np.maximum(np.sqrt((mean**2).sum(axis=1, keepdims=True)), 1e-12)
    correlation_NB = np.zeros(position_NB.shape)
    correlation_NB[row, column] = (beat * mean[row]).sum(axis=1)
    return np.where(count_N >= 3, row_medians(correlation_NB, whole_NB), np.nan)
