"""Which windows of a run are kept: a bad required channel drops a window, a bad optional one is left out of it.

Shapes: N windows, C channels (in the order of `settings.channels`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.waveform.quality import assess
from ecgppg.waveform.windows import RunWindows


@dataclass(frozen=True)
class Verdict:
    """What becomes of N windows, and the channels each keeps.

    Attributes
    ----------
    keep_N : np.ndarray
        bool.
    reason_N : np.ndarray
        str, of `schema.WINDOW_REASONS`; "" where kept.
    present_NC : np.ndarray
        bool; False where the source has no such channel, or an optional one that does not pass.
    flags_N, quality_N, heart_rate_bpm_N, rr_cv_N, n_beats_N : np.ndarray
        As the columns of the schema.
    """

    keep_N: np.ndarray
    reason_N: np.ndarray
    present_NC: np.ndarray
    flags_N: np.ndarray
    quality_N: np.ndarray
    heart_rate_bpm_N: np.ndarray
    rr_cv_N: np.ndarray
    n_beats_N: np.ndarray


def judge(windows: RunWindows, settings: BuildSettings) -> Verdict:
    """Judge a run over all its channels, and what fails there once more over the required ones alone."""
    present = [channel for channel in settings.channels if channel in windows.blocks]
    verdict = _judge(windows, present, settings)
    required = [channel for channel in present if channel in settings.required_channels]
    if required == present or verdict.keep_N.all():
        return verdict
    alone = _judge(windows, required, settings)
    take_N = ~verdict.keep_N
    merged = {}
    for name, values in vars(verdict).items():
        other = getattr(alone, name)
        merged[name] = np.where(take_N[:, None] if values.ndim == 2 else take_N, other, values)
    return Verdict(**merged)


def _judge(windows: RunWindows, channels: Sequence[str], settings: BuildSettings) -> Verdict:
    quality = assess([windows.blocks[channel] for channel in channels], settings)
    present_C = np.array([channel in channels for channel in settings.channels])
    return Verdict(
        keep_N=quality.keep_N,
        reason_N=quality.reason_N,
        present_NC=np.repeat(present_C[None], len(quality.keep_N), axis=0),
        flags_N=quality.flags_N,
        quality_N=quality.quality_N,
        heart_rate_bpm_N=quality.rhythm.heart_rate_bpm_N,
        rr_cv_N=quality.rhythm.rr_cv_N,
        n_beats_N=quality.rhythm.n_beats_N,
    )
