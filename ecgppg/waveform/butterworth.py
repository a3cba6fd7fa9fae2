"""The design of the band-pass, so that a worker need not load all of `scipy.signal` for eight numbers.

Source: S. Butterworth (1930), "On the theory of filter amplifiers", and the bilinear transform with both edges
prewarped; the result is that of `scipy.signal.butter(2, [low, high], "bandpass")`, sections in another order perhaps.
"""

import cmath
import math

import numpy as np


def butterworth_band_pass(low_hz: float, high_hz: float, fs_hz: float) -> np.ndarray:
    """Second-order sections of a Butterworth band-pass with two poles at each edge.

    Parameters
    ----------
    low_hz, high_hz : float
        Edges (-3 dB), 0 < low_hz < high_hz < fs_hz / 2.
    fs_hz : float
        Sampling rate, Hz.

    Returns
    -------
    np.ndarray
        float64 (2, 6): b0, b1, b2, 1, a1, a2 of the section that passes what is high, then of the other.
    """
    low, high = (2 * fs_hz * math.tan(math.pi * edge / fs_hz) for edge in (low_hz, high_hz))
    width, centre_squared = high - low, low * high
    # The prototype's poles lie at exp(+-3/4 i pi); each becomes a pair at the edges, of which one of each conjugate
    # couple is enough.
    prototype = cmath.exp(0.75j * math.pi) * width / 2
    root = cmath.sqrt(prototype**2 - centre_squared)
    poles = sorted(((2 * fs_hz + p) / (2 * fs_hz - p) for p in (prototype + root, prototype - root)), key=abs)
    sections = np.zeros((2, 6))
    # Two zeros at 0 Hz stand with the poles nearest to it, two at half the rate with the others.
    for section, pole, zero in zip(sections, reversed(poles), (1.0, -1.0), strict=True):
        section[:] = (1.0, -2.0 * zero, 1.0, 1.0, -2.0 * pole.real, abs(pole) ** 2)
    # 1 in the middle of the band.
    middle = 2 * math.atan(math.sqrt(centre_squared) / (2 * fs_hz))
    z = cmath.exp(1j * middle)
    for section in sections:
        gain = abs((section[0] + section[1] / z + section[2] / z**2) / (1 + section[4] / z + section[5] / z**2))
        section[:3] /= gain
    return sections
