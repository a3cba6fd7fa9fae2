"""Noise of our own making, planted in clean recordings at a known strength.

Strength is told in one of two ways. By power: the variance of the clean ECG over that of the noise, the usual ratio.
By height: that of a sine as high as the QRS complexes, as in the noise stress test (Moody, Muldrow and Mark 1984); a
fast rhythm and a slow one of equal beats then get the same noise, though the fast one has the greater power.

Shapes: N windows, T samples of one lead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.signal import butter, sosfiltfilt

PIECE_S = 2.0
CLEAN_DB = 24.0
"""A window is clean where what lies between its beats at 20 to 40 Hz is so far below their height ..."""

CLEAN_SWAY = 0.1
"""... and its part below 0.7 Hz (standard deviation), slower than any beat, within this share of it."""

ECG_HZ, QUICK_HZ, SLOW_HZ = (0.5, 40.0), (20.0, 40.0), 0.7
Measure = Literal["height", "power"]


@dataclass(frozen=True)
class CleanWindows:
    """Which windows of a recording are clean, and how strong its ECG is there.

    Attributes
    ----------
    clean_N : np.ndarray
        bool; windows lie end to end from the first sample.
    strength : dict
        {measure: float (N,), root of the mean square of a signal so strong}, in the recording's unit.
    """

    clean_N: np.ndarray
    strength: dict[Measure, np.ndarray]


def noise_envelope(strength_N: np.ndarray, n: int, length: int, snr_db: float) -> np.ndarray:
    """Root of the mean square of the noise that gives every window the same ratio, float (n,).

    Parameters
    ----------
    strength_N : np.ndarray
        Of windows end to end; the last holds for what comes after it.
    n, length : int
        Samples of the recording, and of a window.
    snr_db : float
        Ratio, dB.
    """
    strength_T = strength_N[np.minimum(np.arange(n) // length, len(strength_N) - 1)]
    # Within a tenth of a window the noise goes over from one strength to the next.
    return uniform_filter1d(strength_T, length // 10, mode="nearest") * 10 ** (-snr_db / 20)


def typical_height(ecg_T: np.ndarray, fs_hz: float) -> float:
    """Median over two-second pieces of top to bottom: a beat's height at any rate above 30 bpm.

    Parameters
    ----------
    ecg_T : np.ndarray
        Two seconds or more, within the ECG's band.
    fs_hz : float
        Hz.
    """
    length = round(PIECE_S * fs_hz)
    n = len(ecg_T) // length
    return float(np.median(np.ptp(ecg_T[: n * length].reshape(n, length), axis=1)))


def clean_windows(ecg_T: np.ndarray, fs_hz: float, seconds: float) -> CleanWindows:
    """Judge the windows of a recording by a rule that knows no beats and none of the build's checks.

    Parameters
    ----------
    ecg_T : np.ndarray
        The whole recording as taped, finite.
    fs_hz : float
        Hz, above 80.
    seconds : float
        Length of a window.
    """
    beats_T = sosfiltfilt(butter(2, ECG_HZ, "bandpass", fs=fs_hz, output="sos"), ecg_T)
    quick_T = sosfiltfilt(butter(4, QUICK_HZ, "bandpass", fs=fs_hz, output="sos"), ecg_T)
    slow_T = sosfiltfilt(butter(2, SLOW_HZ, fs=fs_hz, output="sos"), ecg_T)
    length = round(seconds * fs_hz)
    windows = [slice(start, start + length) for start in range(0, len(ecg_T) - length + 1, length)]
    height_N = np.array([typical_height(beats_T[w], fs_hz) for w in windows])
    # A QRS complex is quick too, but takes a tenth of the time: the median does not see it.
    quick_N = np.array([1.4826 * np.median(np.abs(quick_T[w])) for w in windows])
    sway_N = np.array([slow_T[w].std() for w in windows])
    clean_N = (height_N > np.sqrt(8) * 10 ** (CLEAN_DB / 20) * quick_N) & (sway_N <= CLEAN_SWAY * height_N)
    power_N = np.array([beats_T[w].std() for w in windows])
    return CleanWindows(clean_N, {"height": height_N / np.sqrt(8), "power": power_N})


def make_noise(kind: str, n: int, fs_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of one of `KINDS`, float (n,), of unit power."""
    noise_T = KINDS[kind](n, fs_hz, rng)
    noise_T = noise_T - noise_T.mean()
    return noise_T / noise_T.std()


def _white(n: int, fs_hz: float, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(n)


def _wander(n: int, fs_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Breathing and slow movement: 0.05 to 0.5 Hz."""
    return _in_band(n, fs_hz, 0.05, 0.5, rng)


def _muscle(n: int, fs_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Tension that comes and goes: 20 to 120 Hz."""
    tension_T = np.exp(0.6 * _in_band(n, fs_hz, 0.05, 0.5, rng))
    return tension_T * _in_band(n, fs_hz, 20.0, min(120.0, 0.45 * fs_hz), rng)


def _motion(n: int, fs_hz: float, rng: np.random.Generator) -> np.ndarray:
    """An electrode that is pushed: bumps up and down, 0.1 to 0.6 s wide, one a second, few of them large."""
    noise_T = np.zeros(n)
    for width_s in (0.05, 0.1, 0.2):
        pushes_T = (rng.random(n) < 0.35 / fs_hz) * rng.standard_normal(n) * rng.lognormal(0, 0.5, n)
        sigma = width_s / 2 * fs_hz
        noise_T += gaussian_filter1d(pushes_T, sigma, mode="constant") * sigma
    return noise_T + 1e-3 * noise_T.std() * rng.standard_normal(n) if noise_T.any() else rng.standard_normal(n)


def _in_band(n: int, fs_hz: float, low_hz: float, high_hz: float, rng: np.random.Generator) -> np.ndarray:
    """White noise between two frequencies, of unit power; shaped by its spectrum, so it has no start or end."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency_hz = np.fft.rfftfreq(n, 1 / fs_hz)
    spectrum[(frequency_hz < low_hz) | (frequency_hz > high_hz)] = 0
    noise_T = np.fft.irfft(spectrum, n)
    return noise_T / noise_T.std()


KINDS: dict[str, Callable[[int, float, np.random.Generator], np.ndarray]] = {
    "white": _white,
    "wander": _wander,
    "muscle": _muscle,
    "motion": _motion,
}
