"""Building blocks of every simulated signal: trains of bell-shaped waves, coloured noise, slow drift."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class Wave(NamedTuple):
    """A bell with two widths: `amplitude * exp(-0.5 * ((t - center) / width)^2)`.

    Parameters
    ----------
    amplitude : float
        Height at the centre, in the signal's unit.
    center_s : float
        Centre relative to the beat, s.
    left_s, right_s : float
        Standard deviation before and after the centre, s.
    """

    amplitude: float
    center_s: float
    left_s: float
    right_s: float


def add_waves(
    x_T: Floats,
    times_s: Floats,
    amplitudes: Floats,
    left_s: Floats | float,
    right_s: Floats | float,
    fs_hz: float,
) -> None:
    """Add one bell per time to a signal, in place, with centres between samples.

    Parameters
    ----------
    x_T : array (T,)
        Signal that is added to.
    times_s : array (B,)
        Centres, s from the first sample; those outside the signal are cut.
    amplitudes : array (B,)
        Heights.
    left_s, right_s : array (B,) or float
        Widths before and after each centre, s.
    fs_hz : float
        Sampling rate.
    """
    if not len(times_s):
        return
    left_B1 = np.broadcast_to(left_s, times_s.shape)[:, None]
    right_B1 = np.broadcast_to(right_s, times_s.shape)[:, None]
    before = int(np.ceil(4 * left_B1.max() * fs_hz))
    after = int(np.ceil(4 * right_B1.max() * fs_hz)) + 1
    index_BL = np.floor(times_s * fs_hz).astype(np.int64)[:, None] + np.arange(-before, after + 1)
    lag_BL = index_BL / fs_hz - times_s[:, None]
    bell_BL = np.exp(-0.5 * (lag_BL / np.where(lag_BL < 0, left_B1, right_B1)) ** 2) * amplitudes[:, None]
    inside_BL = (index_BL >= 0) & (index_BL < len(x_T))
    x_T += np.bincount(index_BL[inside_BL], weights=bell_BL[inside_BL], minlength=len(x_T))


def band_noise(n: int, low_hz: float, high_hz: float, fs_hz: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise with power between two frequencies only, standard deviation about 1, shape (n,)."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency_hz = np.fft.rfftfreq(n, 1 / fs_hz)
    spectrum[(frequency_hz < low_hz) | (frequency_hz > high_hz)] = 0
    x_T = np.fft.irfft(spectrum, n)
    spread = x_T.std()
    return x_T / spread if spread > 0 else x_T


def pink_noise(n: int, rng: np.random.Generator) -> Floats:
    """Noise whose power falls as 1/f, mean 0 and standard deviation 1, shape (n,)."""
    if n < 2:
        return np.zeros(n)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    x_T = np.fft.irfft(spectrum, n)
    return x_T / x_T.std()


def slow_drift(n: int, knot_s: float, fs_hz: float, rng: np.random.Generator) -> Floats:
    """Straight lines between standard normal knots `knot_s` seconds apart, shape (n,)."""
    step = knot_s * fs_hz
    knots = rng.standard_normal(int(np.ceil(n / step)) + 2)
    return np.interp(np.arange(n), np.arange(len(knots)) * step, knots)
