"""What a patient has to offer, by headers and file sizes alone: windows, and the bytes to read for them.

Hundreds of thousands of headers are gone through before a build begins, so windows are counted a stretch at a time and
their runs are never listed.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ecgppg.config.build import BuildSettings
from ecgppg.config.errors import DamagedRecord
from ecgppg.waveform.plan import WINDOWS_PER_RUN, candidate_windows, frames_per_window, window_starts
from ecgppg.waveform.reader import bytes_per_frame
from ecgppg.waveform.record import RecordPlan, Stretch, open_record
from ecgppg.waveform.windows import CONTEXT_SECONDS


class Volume(NamedTuple):
    """Candidate windows, and the bytes of signal files that they and the context of their runs lie in."""

    n_candidates: int
    n_bytes: int


def patient_volume(root: Path, records: Sequence[str], settings: BuildSettings) -> Volume:
    """Count what a patient's headers promise.

    Parameters
    ----------
    root : Path
        The waveform folder.
    records : sequence of str
        Paths below `root`, without extension; one that cannot be read counts nothing.
    settings : BuildSettings
        channels, required_channels and segment_seconds.

    Returns
    -------
    Volume
    """
    n_candidates, n_bytes = 0, 0.0
    for name in sorted(set(records)):
        try:
            record = open_record(root, name, settings.channels, settings.required_channels)
        except DamagedRecord:
            continue
        for stretch in record.stretches:
            n_windows, n_frames = _windows_and_frames(record, stretch, settings)
            piece = stretch.pieces[0]
            n_candidates += n_windows
            n_bytes += n_frames * bytes_per_frame(piece.header, list(piece.signals.values()))
    return Volume(n_candidates, round(n_bytes))


def _windows_and_frames(record: RecordPlan, stretch: Stretch, settings: BuildSettings) -> tuple[int, int]:
    """Candidate windows of a stretch, and the frames read for them with their context.

    Where a patient's windows are limited, runs lie apart and each is read with its own context; where every window is
    wanted, neighbours are read in one go.
    """
    n_seconds = settings.segment_seconds
    n = frames_per_window(record.fs_hz, n_seconds)
    if stretch.n < n:
        return 0, 0
    windows = candidate_windows(replace(record, stretches=(stretch,)), n_seconds)
    if not len(windows):
        return 0, 0
    begin, last = window_starts(windows[[0, -1]], record.fs_hz, n_seconds).tolist()
    context = round(CONTEXT_SECONDS * record.fs_hz)
    n_frames = last + n - begin + min(context, begin - stretch.start) + min(context, stretch.stop - last - n)
    if settings.max_segments_per_patient is not None:
        n_frames += 2 * context * (int(windows[-1]) // WINDOWS_PER_RUN - int(windows[0]) // WINDOWS_PER_RUN)
    return len(windows), n_frames
