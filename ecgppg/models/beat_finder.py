"""Beats of a normalised window, found by the network itself: the same on a GPU as on a processor, many at a time.

A beat is a summit of the averaged slope. What is found here need not be as good as a detector that looks twice: the
network that reads it learns which beats to believe, and every augmented view has beats of its own.

Shapes: N windows of one channel, T samples, K beats, I = K - 1 intervals.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ecgppg.models.moving import doubled, extremes, sums

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
    still_NU : Tensor, int32
        How many samples before each, of T + 1, belong to a stretch in which the signal stands still.
    sign_N1 : Tensor, float32
        -1 where the peaks point down, else 1.
    """

    at_NK: Tensor
    there_NK: Tensor
    unbroken_NI: Tensor
    still_NU: Tensor
    sign_N1: Tensor

    def of(self, rows: slice) -> "FoundBeats":
        """Those of some of the windows, as if these had been searched alone."""
        room = _room(self.there_NK[rows].sum(1), self.there_NK.shape[1])
        return FoundBeats(
            self.at_NK[rows, :room], self.there_NK[rows, :room], self.unbroken_NI[rows, : room - 1],
            self.still_NU[rows], self.sign_N1[rows],
        )  # fmt: skip


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
        at_NK = _first(beat_NT, T // round(APART_S * fs_hz) + 1)
        there_NK = at_NK < T
        at_NK, sign_N1 = _peaks(z_NT, at_NK, there_NK, round(PEAK_S * fs_hz))
        still_NU = pad((~moves_NT).cumsum(1, dtype=torch.int32), (1, 0))
        still_NK = still_NU.gather(1, at_NK)
        unbroken_NI = there_NK[:, 1:] & (still_NK[:, 1:] == still_NK[:, :-1])
        return FoundBeats(at_NK, there_NK, unbroken_NI, still_NU, sign_N1)


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
    T, before, samples = z_NT.shape[1], round(BEFORE_S * fs_hz), beat_samples(fs_hz)
    start_NK = beats.at_NK - before
    whole_NK = beats.there_NK & (start_NK >= 0) & (start_NK + samples <= T)
    start_NK, end_NK = start_NK.clamp(min=0), (start_NK + samples).clamp(max=T)
    whole_NK &= beats.still_NU.gather(1, start_NK) == beats.still_NU.gather(1, end_NK)
    beat_NKL = _around(z_NT.float(), beats.at_NK, before, samples)
    return (beat_NKL - beat_NKL.mean(2, keepdim=True)).mul_(beats.sign_N1[..., None]), whole_NK


def beat_samples(fs_hz: float) -> int:
    """Samples of a beat as `cut_beats` cuts it."""
    return round(WHOLE_S * fs_hz)


def _first(beat_NT: Tensor, most: int) -> Tensor:
    """Samples of the beats, at most so many, in order; T where there are no more."""
    n_so_far_NT = beat_NT.cumsum(1, dtype=torch.int32)
    room = _room(n_so_far_NT[:, -1], most)
    number_NK = torch.arange(1, room + 1, dtype=torch.int32, device=beat_NT.device).expand(len(beat_NT), room)
    return torch.searchsorted(n_so_far_NT, number_NK.contiguous())


def _room(n_beats_N: Tensor, most: int) -> int:
    """Beats to have room for, of windows that have so many.

    On a processor those of the fullest window. A GPU would have to be waited for to know their number, and is not
    slowed by room that nobody needs.
    """
    if n_beats_N.device.type == "cpu" and len(n_beats_N):
        most = int(n_beats_N.max())
    return max(most, LEAST_ROOM)


def _around(z_NT: Tensor, at_NK: Tensor, before: int, samples: int) -> Tensor:
    """The samples from `before` each place on, (N, K, samples); zeros beyond the window."""
    row_N1 = torch.arange(len(z_NT), device=z_NT.device)[:, None]
    return pad(z_NT, (before, samples)).unfold(1, samples, 1)[row_N1, at_NK]


def _summits(slope_NT: Tensor, fs_hz: float) -> Tensor:
    """Where the averaged slope is highest around, and high."""
    envelope_NT = slope_NT
    for seconds in SLOPE_S:
        half = round(seconds * fs_hz) // 2
        envelope_NT = sums(pad(envelope_NT, (half, half)), 2 * half + 1)
    N, T = envelope_NT.shape
    n_blocks = max(round(T / (LEVEL_S * fs_hz)), 1)
    highest_NP = envelope_NT[:, : n_blocks * (T // n_blocks)].reshape(N, n_blocks, -1).amax(2)
    # Not torch's median, which has no deterministic kernel on a GPU.
    highest_NP = highest_NP.sort(dim=1).values
    level_N1 = highest_NP[:, (n_blocks - 1) // 2, None]
    least_N1 = torch.maximum(SHARE * level_N1, LEAST_OF_MAXIMUM * highest_NP[:, -1:])
    apart, after = round(APART_S * fs_hz), round(AFTER_S * fs_hz)
    highest = doubled(pad(envelope_NT, (after, apart)), max(after, apart + 1), torch.maximum)
    before_NT = extremes(highest, apart, torch.maximum)[:, after - apart :][:, :T]
    onward_NT = extremes(highest, apart + 1, torch.maximum)[:, after:]
    long_before_NT = extremes(highest, after, torch.maximum)[:, :T]
    # Of two that are equally high the first. Nothing is as high as `before_NT` that is not above 0.
    is_summit_NT = (envelope_NT > before_NT) & (envelope_NT >= onward_NT)
    return is_summit_NT & (envelope_NT >= torch.maximum(AFTER_SHARE * long_before_NT, least_N1))


def _moves(slope_NT: Tensor, fs_hz: float) -> Tensor:
    """False within and near a stretch in which nothing moves."""
    half, near = round(STILL_S * fs_hz) // 2, round((STILL_S + NEAR_STILL_S) * fs_hz)
    # Bytes, of which a processor compares more at a time. Beyond the window nothing is known to move.
    zero_NT = pad((~slope_NT.bool()).view(torch.uint8), (half, half), value=1)
    still_NT = extremes(doubled(zero_NT, 2 * half + 1, torch.minimum), 2 * half + 1, torch.minimum)
    still_NT = pad(still_NT, (near, near))
    return ~extremes(doubled(still_NT, 2 * near + 1, torch.maximum), 2 * near + 1, torch.maximum).bool()


def _peaks(z_NT: Tensor, at_NK: Tensor, there_NK: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The largest deflection near each summit, in the direction that prevails in the window; and that direction."""
    T = z_NT.shape[1]
    at_NK = at_NK.clamp(max=T - 1)
    near_NKO = _around(z_NT, at_NK, reach, 2 * reach + 1) * there_NK[..., None]
    up_N, down_N = near_NKO.amax(2).sum(1), -near_NKO.amin(2).sum(1)
    sign_N1 = torch.where(down_N > INVERTED * up_N, -1.0, 1.0)[:, None]
    highest_NK = (near_NKO * sign_N1[..., None]).argmax(2)
    return (at_NK - reach + highest_NK).clamp(0, T - 1), sign_N1
