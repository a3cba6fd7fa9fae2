"""What the beats of a window say: how they follow one another, and what they look like on the average.

A network that is pooled over time sees each moment beside its neighbours and never one beat beside the next. Here the
intervals between beats are a sequence of their own, and beats are laid on top of each other, by which noise sinks and
what belongs to every beat stays: a P wave, or its absence.

Shapes: B windows, C channels, T samples, K beats, I intervals, L samples of a beat, R features.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ecgppg.models.beat_finder import FoundBeats, beat_samples, cut_beats, find_beats

TYPICAL_RR_S, RR_SPREAD, CHANGE_SPREAD = 0.8, 0.3, 0.2
"""Centre and spread of the log interval, and spread of its changes, by which they are brought to about one."""
LARGEST = 5.0
TALLEST = 3.0
WIDTH = 32
FEATURES = 64
"""Of the rhythm, and again of the average beat."""


class Beats(nn.Module):
    """Windows to features of their beats, each channel by itself.

    Parameters
    ----------
    n_channels : int
        Channels of a window.
    fs_hz : float
        Sampling rate of the windows.
    """

    def __init__(self, n_channels: int, fs_hz: float) -> None:
        super().__init__()
        self.fs_hz, self.features = fs_hz, 2 * FEATURES * n_channels
        self.intervals = nn.ModuleList(IntervalNetwork() for _ in range(n_channels))
        self.shapes = nn.ModuleList(ShapeNetwork(beat_samples(fs_hz)) for _ in range(n_channels))

    def forward(self, z_BCT: Tensor, present_BC: Tensor) -> Tensor:
        """(B, C, T) to (B, features); zeros in those of an absent channel."""
        found, B = [], len(z_BCT)
        # Of all channels at once: half of the time is taken by how many operations there are, not by how large.
        of_all = find_beats(z_BCT.transpose(0, 1).flatten(0, 1), self.fs_hz)
        for channel, (intervals, shape) in enumerate(zip(self.intervals, self.shapes, strict=True)):
            beats = of_all.of(slice(channel * B, (channel + 1) * B))
            rhythm_BR = intervals(*interval_rows(beats, self.fs_hz))
            shape_BR = shape(average_beat(z_BCT[:, channel], beats, self.fs_hz))
            found.append(torch.cat([rhythm_BR, shape_BR], dim=1) * present_BC[:, channel, None])
        return torch.cat(found, dim=1)


class IntervalNetwork(nn.Module):
    """A network over the sequence of intervals, pooled as mean and standard deviation over those that are known.

    Two convolutions over three intervals, as products with each interval and its neighbours: for so short a sequence
    torch takes longer to set up a convolution than to compute it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3 * 5, WIDTH), nn.Linear(3 * WIDTH, WIDTH)
        self.linear = nn.Linear(2 * WIDTH, FEATURES)

    def forward(self, rows_BI5: Tensor, known_BI1: Tensor) -> Tensor:
        """(B, I, 5) and (B, I, 1) to (B, FEATURES)."""
        h_BIW = self.first(_with_neighbours(rows_BI5)).relu() * known_BI1
        h_BIW = self.second(_with_neighbours(h_BIW)).relu().float()
        n_B1 = known_BI1.sum(1)
        of_n_B1 = 1 / n_B1.clamp(min=1)
        mean_BW = (h_BIW * known_BI1).sum(1) * of_n_B1
        from_mean_BIW = (h_BIW - mean_BW[:, None]) * known_BI1
        deviation_BW = _deviation(from_mean_BIW.square().sum(1) * of_n_B1, n_B1)
        return self.linear(torch.cat([mean_BW, deviation_BW], dim=1)).relu()


class ShapeNetwork(nn.Module):
    """A network over the average beat and how much single beats differ from it.

    Parameters
    ----------
    samples : int
        Of a beat.
    """

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(2, WIDTH // 2, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv1d(WIDTH // 2, WIDTH, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(WIDTH * ((samples + 3) // 4), FEATURES),
            nn.ReLU(),
        )

    def forward(self, beat_B2L: Tensor) -> Tensor:
        """(B, 2, L) to (B, FEATURES)."""
        return self.layers(beat_B2L)


@torch.no_grad()
def interval_rows(beats: FoundBeats, fs_hz: float) -> tuple[Tensor, Tensor]:
    """The sequence of intervals as numbers of about one.

    Parameters
    ----------
    beats : FoundBeats
    fs_hz : float

    Returns
    -------
    rows_BI5 : Tensor, float32
        Log interval; its difference from the window's median; its difference from the one before; whether interval
        and difference are known. 0 where they are not.
    known_BI1 : Tensor, float32
        1 where the interval is known.
    """
    known_BI = beats.unbroken_NI
    log_BI = ((beats.at_NK[:, 1:] - beats.at_NK[:, :-1]).clamp(min=1) / fs_hz).log()
    # Not torch's median, which has no deterministic kernel on a GPU.
    sorted_BI = log_BI.where(known_BI, torch.inf).sort(dim=1).values
    middle_B1 = ((known_BI.sum(1, keepdim=True) - 1) // 2).clamp(min=0)
    from_median_BI = log_BI - sorted_BI.gather(1, middle_B1).nan_to_num(posinf=0.0)
    change_BI = torch.zeros_like(log_BI)
    change_BI[:, 1:] = log_BI.diff(dim=1)
    changes_BI = known_BI.clone()
    changes_BI[:, 0] = False
    changes_BI[:, 1:] &= known_BI[:, :-1]
    centred_BI = (log_BI - math.log(TYPICAL_RR_S)) / RR_SPREAD
    rows = [centred_BI * known_BI, from_median_BI / CHANGE_SPREAD * known_BI, change_BI / CHANGE_SPREAD * changes_BI]
    rows_BI5 = torch.stack([*rows, known_BI.float(), changes_BI.float()], dim=2)
    return rows_BI5.clamp(-LARGEST, LARGEST), known_BI.float()[..., None]


@torch.no_grad()
def average_beat(z_BT: Tensor, beats: FoundBeats, fs_hz: float) -> Tensor:
    """Mean of a window's whole beats, compressed, and their standard deviation.

    Parameters
    ----------
    z_BT : Tensor
        Normalised windows of one channel.
    beats : FoundBeats
        Of these windows.
    fs_hz : float

    Returns
    -------
    Tensor, float32
        (B, 2, L); zeros where no beat is whole.
    """
    with torch.autocast(device_type=z_BT.device.type, enabled=False):
        beat_BKL, whole_BK = cut_beats(z_BT, beats, fs_hz)
        # A tall QRS must not drown the rest: what is small is left alone, and nothing is larger than `TALLEST`.
        beat_BKL = beat_BKL / (1 + beat_BKL.abs() / TALLEST)
        whole_B1K = whole_BK.float()[:, None]
        n_B11 = whole_B1K.sum(2, keepdim=True)
        share_B1K = whole_B1K / n_B11.clamp(min=1)
        mean_B1L = share_B1K @ beat_BKL
        variance_B1L = share_B1K @ (beat_BKL - mean_B1L).square_()
        return torch.cat([mean_B1L, _deviation(variance_B1L, n_B11)], dim=1)


def _with_neighbours(h_BIH: Tensor) -> Tensor:
    """The features of each place beside those of the place before and after, zeros beyond the ends; (B, I, 3 H)."""
    padded = pad(h_BIH, (0, 0, 1, 1))
    return torch.cat([padded[:, :-2], h_BIH, padded[:, 2:]], dim=2)


def _deviation(variance: Tensor, n: Tensor) -> Tensor:
    """Standard deviation with a gradient also where it is 0; 0 where there was nothing."""
    return (variance + 1e-5).sqrt() * (n > 0)
