"""Beats of a block of windows, and the rhythm they make.

Shapes: N windows, T samples, B beats (padded).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Beats:
    """Beats of N windows.

    Attributes
    ----------
    position_NB : np.ndarray
        int32, sample of each beat in order (R peak; foot-to-peak maximum for PPG); -1 after the last.
    count_N : np.ndarray
        int16, beats of each window.
    """

    position_NB: np.ndarray
    count_N: np.ndarray


@dataclass(frozen=True)
class Rhythm:
    """What the beats say; float32 and NaN where there are fewer than 3 beats.

    Attributes
    ----------
    heart_rate_bpm_N : np.ndarray
        60 / median RR.
    rr_cv_N : np.ndarray
        Standard deviation / mean of the RR intervals.
    n_beats_N : np.ndarray
        int16.
    """

    heart_rate_bpm_N: np.ndarray
    rr_cv_N: np.ndarray
    n_beats_N: np.ndarray


def detect_beats(x_NT: np.ndarray, fs_hz: float, kind: Literal["ecg", "ppg"] = "ecg") -> Beats:
    """Find the beats of filtered windows."""
    raise NotImplementedError


def rhythm(beats: Beats, fs_hz: float) -> Rhythm:
    """Rate and irregularity of each window's beats."""
    raise NotImplementedError
