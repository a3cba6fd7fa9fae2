"""Which windows are kept, why the others are not, and what a kept window should be known for.

Integrity and regularity are two axes: a window is dropped for what the recorder did to it (missing, constant,
clipped, noisy, impossible), never for what the heart did.

Shapes: N windows, T samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.waveform.beats import Rhythm


@dataclass(frozen=True)
class ChannelBlock:
    """One channel of a block of windows, as recorded and as filtered.

    Attributes
    ----------
    kind : "ECG" or "PPG"
    codes_NT : np.ndarray
        int32 (N, T at fs_hz), ADC codes at the source's own rate; -2**31 where missing.
    fs_hz : float
        The source's own rate.
    code_limits : tuple of int
        Least and greatest code the format can hold, missing code excluded: (-127, 127) for format 80.
    raw_NT : np.ndarray
        float32 (N, T at the dataset's rate), physical units before the band-pass; NaN where missing.
    filtered_NT : np.ndarray
        float32 (N, T at the dataset's rate), after the band-pass; NaN where missing.
    calibrated : bool
        Whether physical units can be believed; without it no check in mV is made.
    """

    kind: Literal["ECG", "PPG"]
    codes_NT: np.ndarray
    fs_hz: float
    code_limits: tuple[int, int]
    raw_NT: np.ndarray
    filtered_NT: np.ndarray
    calibrated: bool


@dataclass(frozen=True)
class Quality:
    """Verdict on N windows.

    Attributes
    ----------
    keep_N : np.ndarray
        bool.
    reason_N : np.ndarray
        str, one of `schema.WINDOW_REASONS`, the first that applies; "" where kept.
    flags_N : np.ndarray
        uint16, bit i set: `schema.FLAGS[i]`.
    quality_N : np.ndarray
        float32, share of the window's power in the signal band, least over the channels.
    rhythm : Rhythm
        Of the ECG's beats, of the PPG's without ECG; ready for the segment columns.
    """

    keep_N: np.ndarray
    reason_N: np.ndarray
    flags_N: np.ndarray
    quality_N: np.ndarray
    rhythm: Rhythm


def assess(blocks: Sequence[ChannelBlock], settings: BuildSettings) -> Quality:
    """Judge a block of windows over all channels that are present.

    Parameters
    ----------
    blocks : sequence of ChannelBlock
        One per present channel, the same N windows in each.
    settings : BuildSettings
        Limits, and the channels a dataset should have: those without a block set `ecg_absent`, `ppg_absent`.

    Returns
    -------
    Quality
    """
    raise NotImplementedError
