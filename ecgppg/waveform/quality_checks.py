"""How long the checks look at a window, and the two scores that are made of what they measure.

Integrity is judged on ADC codes before filtering, noise and amplitude after: of the recorder's faults and nothing
else. The checks themselves are in `window_checks`. Shapes: N windows.
"""

from functools import lru_cache

import numpy as np

from ecgppg.waveform.filters import band_pass
from ecgppg.waveform.measures import Sizes

PLATEAU_S = 0.032
"""Samples at one extreme code for this long, entered by a jump, are a clipped top and not a round one."""

NOISE_BLOCK_S = 0.16
MEDIAN_OF_BLOCKS = 0.9
"""Median of the power of so short blocks of white noise, as a share of its mean; measured."""

SLOW_S = {"ECG": 0.6, "PPG": 2.0}
"""What a moving average of this length leaves is slower than a beat of that signal: sway."""

HEIGHT_S = 2.0
FLAT_SIZE_S = 0.1


def sizes_of(kind: str, n_codes: int, codes_fs_hz: float, n_samples: int, fs_hz: float) -> Sizes:
    """Lengths that the checks look at, for windows of `n_codes` codes and `n_samples` filtered samples.

    Parameters
    ----------
    kind : "ECG" or "PPG"
    n_codes, n_samples : int
        Of a window, as recorded and as filtered.
    codes_fs_hz, fs_hz : float
        The rates of the two, Hz.
    """
    return Sizes(
        plateau=max(4, round(PLATEAU_S * codes_fs_hz)),
        n_seconds=max(round(n_codes / codes_fs_hz), 1),
        noise_block=round(NOISE_BLOCK_S * fs_hz),
        slow=round(SLOW_S[kind] * fs_hz),
        n_pieces=max(round(n_samples / (HEIGHT_S * fs_hz)), 1),
        flat=round(FLAT_SIZE_S * fs_hz),
    )


def steadiness(slow_N: np.ndarray, height_N: np.ndarray) -> np.ndarray:
    """How little a window sways, 1 to 0.5, float (N,): what is slow beside the height of its beats.

    It halves a score at most, so that no slow wide rhythm is dropped for it alone.

    Parameters
    ----------
    slow_N, height_N : np.ndarray
        `Measures.slow_deviation` and `Measures.height`.
    """
    sway_N = np.divide(slow_N, height_N, out=np.zeros_like(height_N), where=height_N > 0)
    return 0.5 + 0.5 / (1 + (sway_N / 0.25) ** 2)


def noise_per_fast_power(fs_hz: float, band_hz: tuple[float, float] | None) -> float:
    """What turns `Measures.fast_power` into the power of the noise between the beats, in the band of the filter.

    The noise is taken to have been white before the filter.

    Parameters
    ----------
    fs_hz : float
        Hz.
    band_hz : tuple of float or None
        What `filters.zero_phase` was given; None: not filtered.
    """
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
