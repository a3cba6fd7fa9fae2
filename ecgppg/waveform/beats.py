"""Beats of a block of filtered windows, found all at once.

A QRS complex is where the signal is steep for a tenth of a second; a pulse is where it rises steeply. The detector
averages the slope over that time, takes the summits of this envelope, and keeps those that reach a share of the level
around them. The level is the median of two-second maxima, so neither one artefact nor one tall ectopic beat sets it,
and it may fall where the beats around a summit are small. A T wave may be taller than its QRS and as steep, but it is
never as sharp: what follows a beat at once is measured a second time with the slow part of the signal taken out. The
detector looks at a window as a whole, forward and backward, and keeps no state from one window to the next.

Shapes: N windows, T samples, B beats (padded).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ecgppg.core.compiled import compiled
from ecgppg.waveform.beat_search import Search, search_beats
from ecgppg.waveform.moving import median_of
from ecgppg.waveform.sums import total, variance


@dataclass(frozen=True)
class _Method:
    """How one kind of signal is searched; times in seconds."""

    slope_s: tuple[float, float]  # moving averages of the slope, one after the other
    apart_s: float  # of two summits closer than this the lower is not a beat
    share: float  # of the level around it that a summit must reach
    after_s: float  # a summit this soon after a beat ...
    after_share: float  # ... must reach this share of it, and of its sharpness: T and dicrotic waves do not
    sharp_s: float  # a wave's sharpness is its slope without what is slower than this; 0: not asked for
    refine_s: tuple[float, float]  # where the peak lies, before and after the summit
    is_ecg: bool

    def in_samples(self, fs_hz: float, n_samples: int) -> Search:
        """The same for windows of `n_samples`."""
        return Search(
            rising=not self.is_ecg,
            slope_size=_odd(self.slope_s[0] * fs_hz),
            slope_size_again=_odd(self.slope_s[1] * fs_hz),
            sharp_size=_odd(self.sharp_s * fs_hz) if self.sharp_s else 0,
            apart=round(self.apart_s * fs_hz),
            share=self.share,
            n_blocks=max(round(n_samples / (_LEVEL_S * fs_hz)), 1),
            around=2 * round(_AROUND_S * fs_hz) + 1,
            lowest_level=_LOWEST_LEVEL,
            least_of_maximum=_LEAST_OF_MAXIMUM,
            after=self.after_s * fs_hz,
            after_share=self.after_share,
            refine_from=round(self.refine_s[0] * fs_hz),
            refine_to=round(self.refine_s[1] * fs_hz),
            may_invert=self.is_ecg,
            inverted=_INVERTED,
        )


_METHODS = {
    # 0.25 s apart: 240 bpm. A T wave follows within 0.36 s, as Pan and Tompkins (1985) have it.
    "ecg": _Method((0.08, 0.05), 0.25, 0.45, 0.36, 0.6, 0.08, (-0.08, 0.08), True),
    "ppg": _Method((0.12, 0.06), 0.28, 0.40, 0.45, 0.6, 0.0, (-0.04, 0.30), False),
}

_LEVEL_S = 2.0
_AROUND_S = 1.2
_LOWEST_LEVEL = 0.4
"""Around a summit the level may fall to this share of the window's: small beats count, noise in a pause does not."""

_LEAST_OF_MAXIMUM = 0.15
"""The level is at least this share of the steepest summit: a window that is mostly still has its few beats only."""

_INVERTED = 2.0
"""R peaks point down only where the downward deflections are this many times the upward ones."""


@dataclass(frozen=True)
class Beats:
    """Beats of N windows.

    Attributes
    ----------
    position_NB : np.ndarray
        int32, sample of each beat in order (R peak, or top of the pulse); -1 after the last.
    count_N : np.ndarray
        int16, beats of each window.
    """

    position_NB: np.ndarray
    count_N: np.ndarray

    def of(self, window: int) -> np.ndarray:
        """Samples of one window's beats."""
        return self.position_NB[window, : self.count_N[window]]


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


def detect_beats(
    x_NT: np.ndarray, fs_hz: float, kind: Literal["ecg", "ppg"] = "ecg", wanted_N: np.ndarray | None = None
) -> Beats:
    """Find the beats of filtered windows; amplitude and polarity do not matter for the ECG.

    Parameters
    ----------
    x_NT : np.ndarray
        float (N, T), band-passed (ECG 0.5-40 Hz, PPG 0.3-8 Hz); NaN is missing, and no beat is found there.
    fs_hz : float
        Sampling rate, Hz.
    kind : "ecg" or "ppg"
    wanted_N : np.ndarray, optional
        bool; the other windows are not searched and have no beats. All where not given.

    Returns
    -------
    Beats
        ECG: the largest deflection of each QRS in the direction that prevails in its window. PPG: the top of the pulse.
    """
    method = _METHODS[kind]
    x_NT = np.asarray(x_NT, dtype=np.float32)
    n, n_samples = x_NT.shape
    position_NB, count_N = np.empty((n, n_samples // 2 + 1), np.int32), np.empty(n, np.int16)
    wanted = np.arange(n) if wanted_N is None else np.flatnonzero(wanted_N)
    search_beats(x_NT, wanted[: n if n_samples else 0], method.in_samples(fs_hz, n_samples), position_NB, count_N)
    return Beats(position_NB[:, : max(int(count_N.max(initial=0)), 1)], count_N)


def rhythm(beats: Beats, fs_hz: float) -> Rhythm:
    """Rate and irregularity of each window's beats.

    Parameters
    ----------
    beats : Beats
    fs_hz : float
        Sampling rate of the positions, Hz.

    Returns
    -------
    Rhythm
    """
    rate_N, cv_N = _rhythm(beats.position_NB, float(fs_hz))
    return Rhythm(rate_N, cv_N, beats.count_N)


@compiled
def _rhythm(position_NB: np.ndarray, fs_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Rate and variation of each row's beats."""
    rate_N = np.full(len(position_NB), np.nan, np.float32)
    cv_N = np.full(len(position_NB), np.nan, np.float32)
    rr_s_B = np.empty(position_NB.shape[1])
    for row in range(len(position_NB)):
        n = 0
        for b in range(1, position_NB.shape[1]):
            if position_NB[row, b] < 0:
                break
            rr_s_B[n] = (position_NB[row, b] - position_NB[row, b - 1]) / fs_hz
            n += 1
        if n >= 2:
            cv_N[row] = np.sqrt(variance(rr_s_B[:n])) / (total(rr_s_B[:n]) / n)
            rate_N[row] = 60.0 / median_of(rr_s_B, n)
    return rate_N, cv_N


def _odd(samples: float) -> int:
    """The nearest odd number of samples, at least 1."""
    return max(2 * round((samples - 1) / 2) + 1, 1)
