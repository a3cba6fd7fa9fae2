"""For a window, another of the same patient and record near in time: a function of (seed, epoch, segment_id) alone.

A partner is drawn from the windows of the same split, never read from what came before, so that an epoch's partners are
the same whatever worker reads them and wherever training was resumed.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ecgppg.config.schema import UNKNOWN_TIME_US
from ecgppg.data.counter_rng import hash_ints
from ecgppg.data.dataset import BatchLoader, SegmentBatch, SplitWindows

_STREAM = 0x9A27
"""Keeps the draws of partners apart from those of views, which are keyed by the same three numbers."""
_NO_CLOCK, _SAMPLE_CLOCK, _WALL_CLOCK = range(3)
_log = logging.getLogger("ecgppg.training")


@dataclass(frozen=True)
class NearPartners:
    """Who may be whose partner.

    Attributes
    ----------
    segment_id_N : ndarray, int64
        Of the windows, in the order of their `SplitWindows`.
    order_N : ndarray, int64
        Positions of the windows by patient, record and time.
    place_N : ndarray, int64
        Where each window stands in `order_N`.
    first_N, count_N : ndarray, int64
        The windows near it stand at first to first + count - 1 of `order_N`, itself among them.
    """

    segment_id_N: np.ndarray
    order_N: np.ndarray
    place_N: np.ndarray
    first_N: np.ndarray
    count_N: np.ndarray

    def of(self, positions: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        """Partner of each window, by position; -1 where it has none.

        Parameters
        ----------
        positions : ndarray, int64
            Windows, in any order.
        seed, epoch : int
            The rest of the key.
        """
        others = self.count_N[positions] - 1
        key = hash_ints(_STREAM, torch.from_numpy(self.segment_id_N[positions]), seed, epoch).numpy()
        drawn = ((key >> 1) & (2**62 - 1)) % np.maximum(others, 1)
        place = self.first_N[positions] + drawn
        # The window itself is stepped over, so that all others are equally likely.
        place += place >= self.place_N[positions]
        return np.where(others > 0, self.order_N[np.where(others > 0, place, 0)], -1)


def near_partners(windows: SplitWindows, near_seconds: float) -> NearPartners:
    """Find the windows within `near_seconds` of each other, start to start, in the same record of the same patient.

    Parameters
    ----------
    windows : SplitWindows
        Their source has the columns record, start_sample, start_time_us and fs_hz. Time is start_time_us where it is
        known, else start_sample at the lowest rate that a channel of the record was sampled at.
    near_seconds : float
    """
    rows, subject_N = windows.row_N, windows.subject_id_N
    _, record_N = np.unique(np.asarray(windows.source.column("record"), dtype=object)[rows], return_inverse=True)
    time_us_N, clock_N = _times_us(windows, record_N)
    near_us = int(near_seconds * 1e6)
    order_N = np.lexsort((time_us_N, clock_N, record_N, subject_N))
    # One axis for all: gaps, also those between records, shrink to just more than near, which keeps sums small.
    same_N = clock_N[order_N][1:] != _NO_CLOCK
    for key_N in (subject_N, record_N, clock_N):
        same_N &= np.diff(key_N[order_N]) == 0
    gap_us_N = np.diff(time_us_N[order_N].view(np.uint64))
    gap_us_N = np.where(same_N & (gap_us_N <= near_us), gap_us_N, near_us + 1).astype(np.int64)
    axis_us_N = np.concatenate([np.zeros(min(len(rows), 1), np.int64), np.cumsum(gap_us_N)])
    first_N, last_N, place_N = (np.empty(len(rows), np.int64) for _ in range(3))
    first_N[order_N] = np.searchsorted(axis_us_N, axis_us_N - near_us, side="left")
    last_N[order_N] = np.searchsorted(axis_us_N, axis_us_N + near_us, side="right")
    place_N[order_N] = np.arange(len(rows))
    found = NearPartners(windows.segment_id_N, order_N, place_N, first_N, last_N - first_N)
    _log.info(
        "objective_near: %d of %d windows have a partner within %g s",
        int((found.count_N > 1).sum()), len(rows), near_seconds,
    )  # fmt: skip
    return found


def paired_batches(
    loader: BatchLoader, plan: list[np.ndarray], partners: NearPartners | None, seed: int, epoch: int
) -> Iterator[SegmentBatch]:
    """Batches of a plan, each followed by the partners of its windows, all read in one call.

    Parameters
    ----------
    loader : BatchLoader
    plan : list of ndarray
        Positions of each batch.
    partners : NearPartners or None
        None reads the plan as it is.
    seed, epoch : int
        What the partners depend on.
    """
    if partners is None:
        yield from loader.batches(plan)
        return
    drawn = [partners.of(positions, seed, epoch) for positions in plan]
    together = [np.concatenate([p, d[d >= 0]]) for p, d in zip(plan, drawn, strict=True)]
    for partner_B, batch in zip(drawn, loader.batches(together), strict=True):
        yield replace(batch, anchor_K=torch.from_numpy(np.flatnonzero(partner_B >= 0)))


def _times_us(windows: SplitWindows, record_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start of each window in microseconds, and by which clock; times of different clocks cannot be compared."""
    rows, source = windows.row_N, windows.source
    time_us_N = np.asarray(source.column("start_time_us"), dtype=np.int64)[rows]
    known_N = time_us_N != UNKNOWN_TIME_US
    if known_N.all():
        return time_us_N, np.full(len(rows), _WALL_CLOCK)
    fs_hz_NC = np.asarray(source.column("fs_hz"), dtype=np.float64)[rows]
    fs_hz_R = np.full(record_N.max() + 1, np.inf)
    # An absent channel has rate 0. The lowest is nearest to the record's own, by which start_sample counts.
    np.minimum.at(fs_hz_R, record_N, np.where(fs_hz_NC > 0, fs_hz_NC, np.inf).min(axis=1))
    fs_hz_N = fs_hz_R[record_N]
    start_us_N = np.asarray(source.column("start_sample"), dtype=np.int64)[rows] / fs_hz_N * 1e6
    clock_N = np.where(known_N, _WALL_CLOCK, np.where(np.isfinite(fs_hz_N), _SAMPLE_CLOCK, _NO_CLOCK))
    return np.where(known_N, time_us_N, start_us_N.astype(np.int64)), clock_N
