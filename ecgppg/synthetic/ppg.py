"""Pulse signals of given beats: finger PPG and arterial pressure, later than the ECG by the pulse arrival time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgppg.synthetic.ecg import preceding_rr
from ecgppg.synthetic.rhythm import PVC
from ecgppg.synthetic.waves import Floats, add_waves

SYSTOLIC_S = 0.13
"""Foot to systolic peak at an RR interval of 1 s."""


@dataclass(frozen=True)
class PulseShape:
    """Shape of one patient's pulse.

    Parameters
    ----------
    arrival_s : float
        R peak to the foot of the pulse, 0.2 to 0.35 s.
    dicrotic : float
        Height of the reflected wave as a share of the systolic one.
    dicrotic_s : float
        Foot to the reflected wave at an RR interval of 1 s.
    """

    arrival_s: float
    dicrotic: float
    dicrotic_s: float


def draw_pulse_shape(rng: np.random.Generator) -> PulseShape:
    """Draw one patient's pulse."""
    return PulseShape(rng.uniform(0.20, 0.35), rng.uniform(0.2, 0.5), rng.uniform(0.36, 0.44))


def pulse_heights(beats_s: Floats, types: NDArray[np.integer]) -> Floats:
    """Height of each beat's pulse, 1 at the usual interval, shape (B,).

    A short interval leaves little time to fill: the pulse of an early beat is small, at times hardly there.
    """
    rr_s = preceding_rr(beats_s)
    usual_s = np.median(rr_s) if len(rr_s) else 1.0
    height_B = np.clip(1.0 + 1.1 * (rr_s / usual_s - 1.0), 0.1, 1.35)
    return height_B * np.where(types == PVC, 0.65, 1.0)


def render(
    beats_s: Floats,
    types: NDArray[np.integer],
    fs_hz: float,
    shape: PulseShape,
    n_samples: int,
    shift_s: Floats | float = 0.0,
) -> tuple[Floats, NDArray[np.int64]]:
    """Noise-free pulse wave of given beats.

    Parameters
    ----------
    beats_s : array (B,)
        R peaks, s from the first sample, ascending.
    types : array (B,)
        Index into `rhythm.BEAT_TYPES`.
    fs_hz : float
        Sampling rate.
    shape : PulseShape
    n_samples : int
        Length T.
    shift_s : float or array (B,)
        How much later than the pulse arrival the recorder put the PPG.

    Returns
    -------
    x_T : array (T,)
        Foot about 0, usual systolic peak about 1.
    peaks : array (B,) int64
        Sample of each pulse's systolic maximum; may lie outside [0, T).
    """
    x_T = np.zeros(n_samples)
    if not len(beats_s):
        return x_T, np.zeros(0, np.int64)
    height_B = pulse_heights(beats_s, types)
    pace_B = np.sqrt(np.clip(preceding_rr(beats_s), 0.35, 1.2))
    foot_s = beats_s + shape.arrival_s + shift_s
    peak_s = foot_s + SYSTOLIC_S * pace_B
    add_waves(x_T, peak_s, height_B, 0.050 * pace_B, 0.095 * pace_B, fs_hz)
    dicrotic_s = foot_s + shape.dicrotic_s * pace_B
    add_waves(x_T, dicrotic_s, shape.dicrotic * height_B, 0.07 * pace_B, 0.12 * pace_B, fs_hz)
    # Blood runs off through the whole diastole: between slow beats the curve falls instead of lying flat.
    add_waves(x_T, foot_s + 0.42 * pace_B, 0.22 * height_B, 0.2 * pace_B, 0.38 * pace_B, fs_hz)
    return x_T, _maxima(x_T, np.rint(peak_s * fs_hz).astype(np.int64), int(0.06 * fs_hz))


def pressure_mmhg(x_T: Floats, systolic_mmhg: float, diastolic_mmhg: float) -> Floats:
    """Arterial pressure with the shape of a pulse wave, mmHg, shape (T,)."""
    return diastolic_mmhg + (systolic_mmhg - diastolic_mmhg) * x_T


def _maxima(x_T: Floats, near_B: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """The largest sample within `reach` of each index; indices outside the signal stay as they are."""
    window_BL = near_B[:, None] + np.arange(-reach, reach + 1)
    inside_BL = (window_BL >= 0) & (window_BL < len(x_T))
    value_BL = np.where(inside_BL, x_T[np.clip(window_BL, 0, max(len(x_T) - 1, 0))], -np.inf)
    best_B = window_BL[np.arange(len(near_B)), value_BL.argmax(1)]
    return np.where(inside_BL.any(1), best_B, near_B)
