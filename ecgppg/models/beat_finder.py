"""Beats of a normalised window, found by the network itself: the same on a GPU as on a processor, many at a time.

A beat is a summit of the averaged slope. What is found here need not be as good as a detector that looks twice: the
network that reads it learns which beats to believe, and every augmented view has beats of its own.

Shapes: N windows of one channel, T samples, K beats, I = K - 1 intervals.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, max_pool1d, pad

SLOPE_S = (0.08, 0.05)
"""Moving averages of the slope, one after the other."""
APART_S = 0.25
AFTER_S, AFTER_SHARE = 0.36, 0.6
"""A summit so soon after a higher one must reach this share of it: T waves do not."""
LEVEL_S, SHARE, LEAST_OF_MAXIMUM = 2.0, 0.45, 0.15
"""A summit reaches a share of the median of two-second maxima, and a lesser share of the highest of all."""
PEAK_S = 0.08
"""The peak lies this near to the summit of the slope."""
INVERTED = 2.0
"""Peaks point down only where downward deflections are this many times the upward ones."""
LEAST_ROOM = 4
"""Beats of the shortest sequence, so that there are changes of intervals, and turns of changes, to speak of."""
BEFORE_S, WHOLE_S = 0.25, 0.7
"""A beat is cut from before its P wave, and so long that its T wave is in it."""
STILL_S, NEAR_STILL_S = 0.06, 0.1
"""A signal that does not move for so long is blanked or cut off, and what stands so near to it is its edge."""


@dataclass(frozen=True)
class FoundBeats:
    """Beats of each window, in order, those that are not there last.

    Attributes
    ----------
    at_NK : Tensor, int64
        Sample of each peak; a sample of the window also where no beat is.
    there_NK : Tensor, bool
    unbroken_NI : Tensor, bool
        Whether a beat and the next are there, and the signal between them is.
    moves_NT : Tensor, bool
        False where the signal stands still.
    sign_N1 : Tensor, float32
        -1 where the peaks point down, else 1.
    """

    at_NK: Tensor
    there_NK: Tensor
    unbroken_NI: Tensor
    moves_NT: Tensor
    sign_N1: Tensor


@torch.no_grad()
def find_beats(z_NT: Tensor, fs_hz: float) -> FoundBeats:
    """Find beats.

    Parameters
    ----------
    z_NT : Tensor
        Normalised windows of one channel.
    fs_hz : float

    Returns
    -------
    FoundBeats
        With room for the beats of the fullest window, at least `LEAST_ROOM`; a window without signal has none.
    """
    with torch.autocast(device_type=z_NT.device.type, enabled=False):
        z_NT = z_NT.float()
        T = z_NT.shape[1]
        slope_NT = pad(z_NT.diff(dim=1).abs(), (1, 0))
        moves_NT = _moves(slope_NT, fs_hz)
        beat_NT = _summits(slope_NT, fs_hz) & moves_NT
        sample_T = torch.arange(T, device=z_NT.device)
        at_NK = torch.where(beat_NT, sample_T, T).topk(_room(beat_NT, fs_hz), largest=False).values
        there_NK = at_NK < T
        at_NK, sign_N1 = _peaks(z_NT, at_NK, there_NK, round(PEAK_S * fs_hz))
        still_NK = (~moves_NT).cumsum(1).gather(1, at_NK)
        unbroken_NI = there_NK[:, 1:] & (still_NK[:, 1:] == still_NK[:, :-1])
        return FoundBeats(at_NK, there_NK, unbroken_NI, moves_NT, sign_N1)


@torch.no_grad()
def cut_beats(z_NT: Tensor, beats: FoundBeats, fs_hz: float) -> tuple[Tensor, Tensor]:
    """Beats cut out of their windows, upright, each with its own mean taken out.

    Parameters
    ----------
    z_NT : Tensor
        Normalised windows of one channel.
    beats : FoundBeats
        Of these windows.
    fs_hz : float

    Returns
    -------
    beat_NKL : Tensor, float32
        Of `beat_samples(fs_hz)` samples; the peak is number `round(BEFORE_S * fs_hz)`.
    whole_NK : Tensor, bool
        Where the beat is there, and all of it inside the window and moving.
    """
    T = z_NT.shape[1]
    around_L = torch.arange(beat_samples(fs_hz), device=z_NT.device) - round(BEFORE_S * fs_hz)
    place_NKL = beats.at_NK[..., None] + around_L
    whole_NK = beats.there_NK & (place_NKL[..., 0] >= 0) & (place_NKL[..., -1] < T)
    place_NP = place_NKL.clamp(0, T - 1).flatten(1)
    whole_NK &= beats.moves_NT.gather(1, place_NP).view(place_NKL.shape).all(2)
    beat_NKL = z_NT.float().gather(1, place_NP).view(place_NKL.shape)
    return (beat_NKL - beat_NKL.mean(2, keepdim=True)) * beats.sign_N1[..., None], whole_NK


def beat_samples(fs_hz: float) -> int:
    """Samples of a beat as `cut_beats` cuts it."""
    return round(WHOLE_S * fs_hz)


def _room(beat_NT: Tensor, fs_hz: float) -> int:
    """Beats to make room for: as many as fit in a window, or on a processor as the fullest window has.

    A GPU would have to be waited for to know their number, and is not slowed by room that nobody needs.
    """
    if beat_NT.device.type == "cpu" and len(beat_NT):
        return max(int(beat_NT.sum(1).max()), LEAST_ROOM)
    return beat_NT.shape[1] // round(APART_S * fs_hz) + 1


def _summits(slope_NT: Tensor, fs_hz: float) -> Tensor:
    """Where the averaged slope is highest around, and high."""
    envelope_NT = slope_NT
    for seconds in SLOPE_S:
        half = round(seconds * fs_hz) // 2
        envelope_NT = avg_pool1d(envelope_NT, 2 * half + 1, 1, half)
    T, apart = envelope_NT.shape[1], round(APART_S * fs_hz)
    block = T // max(round(T / (LEVEL_S * fs_hz)), 1)
    # Not torch's median, which has no deterministic kernel on a GPU.
    highest_NP = max_pool1d(envelope_NT, block).sort(dim=1).values
    level_N1 = highest_NP[:, (highest_NP.shape[1] - 1) // 2, None]
    least_N1 = torch.maximum(SHARE * level_N1, LEAST_OF_MAXIMUM * highest_NP[:, -1:])
    # Of two that are equally high the first.
    first_NT = envelope_NT > _highest_before(envelope_NT, apart)
    highest_NT = envelope_NT >= max_pool1d(pad(envelope_NT, (0, apart)), apart + 1, 1)
    after_NT = envelope_NT >= AFTER_SHARE * _highest_before(envelope_NT, round(AFTER_S * fs_hz))
    return first_NT & highest_NT & after_NT & (envelope_NT >= least_N1) & (envelope_NT > 0)


def _highest_before(envelope_NT: Tensor, samples: int) -> Tensor:
    """Highest of the `samples` before each; 0 where there are none."""
    return max_pool1d(pad(envelope_NT, (samples, 0)), samples, 1)[:, :-1]


def _moves(slope_NT: Tensor, fs_hz: float) -> Tensor:
    """False within and near a stretch in which nothing moves."""
    half, near = round(STILL_S * fs_hz) // 2, round((STILL_S + NEAR_STILL_S) * fs_hz)
    still_NT = (max_pool1d(slope_NT, 2 * half + 1, 1, half) == 0).float()
    return max_pool1d(still_NT, 2 * near + 1, 1, near) == 0


def _peaks(z_NT: Tensor, at_NK: Tensor, there_NK: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The largest deflection near each summit, in the direction that prevails in the window; and that direction."""
    T = z_NT.shape[1]
    near_O = torch.arange(-reach, reach + 1, device=z_NT.device)
    place_NKO = (at_NK[..., None] + near_O).clamp(0, T - 1)
    near_NKO = z_NT.gather(1, place_NKO.flatten(1)).view(place_NKO.shape) * there_NK[..., None]
    up_N, down_N = near_NKO.amax(2).sum(1), -near_NKO.amin(2).sum(1)
    sign_N1 = torch.where(down_N > INVERTED * up_N, -1.0, 1.0)[:, None]
    highest_NK1 = (near_NKO * sign_N1[..., None]).argmax(2, keepdim=True)
    return place_NKO.gather(2, highest_NK1).squeeze(2), sign_N1
