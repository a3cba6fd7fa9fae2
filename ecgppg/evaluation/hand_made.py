"""What a careful person would measure in a window without any network: the yardstick of every embedding.

Rate, variability and irregularity of the beats, the share of power in the classical bands, the shape of the average
beat, and the quality of the window; of each channel on its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgppg.evaluation.hand_made_rhythm import rhythm_measures
from ecgppg.evaluation.hand_made_shape import (
    BEAT_MEASURES,
    ECG_BANDS_HZ,
    PPG_BANDS_HZ,
    beat_measures,
    spectral_measures,
)
from ecgppg.waveform.beats import detect_beats

VERSION = 2
"""Rises with every change of a measure: features kept in files are of one version."""


@dataclass(frozen=True, eq=False)
class HandMade:
    """Hand-made features of windows.

    Attributes
    ----------
    values_ND : ndarray of float32 (N, D)
        NaN where a measure cannot be taken: too few beats, no such channel.
    names : tuple of str
        Of the columns, each `channel_measure`; the last is `quality`.
    """

    values_ND: np.ndarray
    names: tuple[str, ...]

    @property
    def of_beat_shape(self) -> np.ndarray:
        """Which columns speak of the shape of the average beat (P wave, likeness, what is left), bool (D,)."""
        return np.array([name.removeprefix("ecg_") in BEAT_MEASURES for name in self.names])


def hand_made(x_NCT: np.ndarray, channel_names: Sequence[str], fs_hz: float, quality_N: np.ndarray) -> HandMade:
    """Measure windows.

    Parameters
    ----------
    x_NCT : ndarray of float (N, C, T)
        Filtered windows in physical units; an absent channel is all zeros. No measure depends on the unit.
    channel_names : sequence of str
        ECG and PPG, in the order of axis 1.
    fs_hz : float
    quality_N : ndarray of float (N,)
        The dataset's own quality of each window.

    Returns
    -------
    HandMade
    """
    columns: dict[str, np.ndarray] = {}
    for channel, name in enumerate(channel_names):
        x_NT = np.ascontiguousarray(x_NCT[:, channel])
        is_ecg = name == "ECG"
        beats = detect_beats(x_NT, fs_hz, "ecg" if is_ecg else "ppg")
        measures = rhythm_measures(beats.position_NB, beats.count_N, fs_hz)
        measures |= spectral_measures(x_NT, fs_hz, ECG_BANDS_HZ if is_ecg else PPG_BANDS_HZ)
        if is_ecg:
            measures |= beat_measures(x_NT, beats.position_NB, beats.count_N, fs_hz)
        there_N = (x_NT != 0).any(axis=1)
        columns |= {f"{name.lower()}_{key}": np.where(there_N, value, np.nan) for key, value in measures.items()}
    columns["quality"] = np.asarray(quality_N, np.float64)
    values_ND = np.stack(list(columns.values()), axis=1).astype(np.float32)
    return HandMade(values_ND, tuple(columns))
