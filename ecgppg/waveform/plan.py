"""Which windows of a patient are candidates, and in which order they are read.

Everything here follows from headers. The order spreads over the whole stay and depends on nothing but the candidates,
so the windows kept never depend on the number of workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.waveform.record import RecordPlan

WINDOWS_PER_RUN = 6


class Run(NamedTuple):
    """Consecutive windows of one stretch, read and filtered in one go."""

    record: int
    """index into the patient's records"""
    stretch: int
    first: int
    """window index k of the first window; window k begins at frame round(k * seconds * fs)"""
    n: int


@dataclass(frozen=True)
class PatientPlan:
    """Candidate windows of one patient, as runs in reading order."""

    n_candidates: int
    runs: tuple[Run, ...]


def frames_per_window(fs_hz: float, n_seconds: float) -> int:
    """Frames that a window takes: enough for `n_seconds` where the rate is no whole number."""
    return int(np.ceil(n_seconds * fs_hz - 1e-6))


def window_starts(k: np.ndarray, fs_hz: float, n_seconds: float) -> np.ndarray:
    """First frame of windows `k` on the grid that begins with the record."""
    return np.rint(k * (n_seconds * fs_hz)).astype(np.int64)


def candidate_windows(record: RecordPlan, n_seconds: float) -> np.ndarray:
    """Windows of the record's grid that lie wholly in one stretch.

    Parameters
    ----------
    record : RecordPlan
        Its stretches hold all required channels.
    n_seconds : float
        Length of a window, s.

    Returns
    -------
    np.ndarray
        int64, ascending window indices k.
    """
    windows = [_windows_within(record, s.start, s.stop, n_seconds) for s in record.stretches]
    return np.concatenate([np.arange(first, stop) for first, stop in windows] or [np.zeros(0, dtype=np.int64)])


def runs(record: RecordPlan, n_seconds: float, index: int = 0) -> list[Run]:
    """Candidates in groups of six: windows of the same k // 6 within one stretch, in time order."""
    found = []
    for s, stretch in enumerate(record.stretches):
        first, stop = _windows_within(record, stretch.start, stretch.stop, n_seconds)
        while first < stop:
            n = min(stop, (first // WINDOWS_PER_RUN + 1) * WINDOWS_PER_RUN) - first
            found.append(Run(index, s, first, n))
            first += n
    return found


def spread_order(n: int) -> np.ndarray:
    """Order in which every prefix of range(n) is spread evenly: bit reversal (van der Corput).

    Parameters
    ----------
    n : int
        Number of things.

    Returns
    -------
    np.ndarray
        int64, a permutation of range(n). The same n gives the same order, so a longer prefix only adds.
    """
    bits = max(int(n - 1).bit_length(), 0) if n > 0 else 0
    counted = np.arange(1 << bits, dtype=np.int64)
    reversed_bits = np.zeros_like(counted)
    for bit in range(bits):
        reversed_bits |= ((counted >> bit) & 1) << (bits - 1 - bit)
    return reversed_bits[reversed_bits < n]


def plan_patient(records: Sequence[RecordPlan], settings: BuildSettings) -> PatientPlan:
    """Runs of all records of a patient, in the order they are read.

    Parameters
    ----------
    records : sequence of RecordPlan
        In the order of their names.
    settings : BuildSettings
        segment_seconds.

    Returns
    -------
    PatientPlan
    """
    found = [run for i, record in enumerate(records) for run in runs(record, settings.segment_seconds, i)]
    return PatientPlan(sum(run.n for run in found), tuple(found[i] for i in spread_order(len(found))))


def _windows_within(record: RecordPlan, start: int, stop: int, n_seconds: float) -> tuple[int, int]:
    """Half-open range of window indices that lie within frames [start, stop)."""
    frames = n_seconds * record.fs_hz
    n = frames_per_window(record.fs_hz, n_seconds)
    # The grid is rounded to whole frames: settle the two ends by trying.
    first = max(int(start / frames) - 1, 0)
    while round(first * frames) < start:
        first += 1
    last = max(int((stop - n) / frames) + 1, -1)
    while last >= first and round(last * frames) + n > stop:
        last -= 1
    return first, max(last + 1, first)
