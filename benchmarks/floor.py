"""What no build of the same file can go under: read, decode, deflate and write alone, on the windows that were kept.

Two floors are given. *source*: the recorded codes as int16, shuffled and deflated. *stored*: the same reading and
decoding, but deflating what the dataset really holds, filtered and finer in step, which costs more. Neither counts
start-up, headers, filters, quality, HDF5 or fsync.

Shapes: N windows, C channels, T samples of a window.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np

from ecgppg.store.codec import encode_segments
from ecgppg.store.reader import open_dataset
from ecgppg.waveform.record import Piece, RecordPlan, open_record

STORED = {"80": ("u1", 128), "16": ("<i2", 0)}
"""Format -> type of a stored sample, and what is taken off it."""
SEGMENTS_PER_SPAN = 60


@dataclass
class Seconds:
    """Time of one worker in each step."""

    decode_s: float = 0.0
    deflate_source_s: float = 0.0
    deflate_stored_s: float = 0.0
    write_s: float = 0.0

    def add(self, other: "Seconds") -> None:
        """Add another worker's."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True)
class Floor:
    """Seconds of wall time that the workers need at least, work spread evenly."""

    n_windows: int
    source_s: float
    stored_s: float
    seconds: Seconds


@dataclass(frozen=True)
class _Job:
    dataset: Path
    waveforms: Path
    record: str
    rows: np.ndarray
    starts: np.ndarray


def measure_floor(dataset: Path, waveforms: Path, workers: int) -> Floor:
    """Decode and deflate what a dataset kept.

    Parameters
    ----------
    dataset : Path
        Made by our build from `waveforms`.
    waveforms : Path
        Format 80 or 16 throughout, one sample a frame.
    workers : int
        Processes that work side by side.
    """
    with open_dataset(dataset) as held:
        records, starts, n = held.column("record"), held.column("start_sample"), len(held)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, record in enumerate(records.tolist()):
        rows_of[record].append(row)
    jobs = [_Job(dataset, waveforms, record, np.array(rows), starts[rows]) for record, rows in rows_of.items()]
    total = Seconds()
    with get_context("spawn").Pool(workers) as pool:
        for seconds in pool.imap_unordered(_floor_of_record, jobs):
            total.add(seconds)
    both = total.decode_s + total.write_s
    return Floor(n, (both + total.deflate_source_s) / workers, (both + total.deflate_stored_s) / workers, total)


def _floor_of_record(job: _Job) -> Seconds:
    seconds = Seconds()
    with open_dataset(job.dataset) as held, TemporaryFile(dir=job.dataset.parent) as out:
        (_, c, t), channels = held.shape, held.channel_names
        plan = open_record(job.waveforms, job.record, channels, channels)
        encode_segments(np.zeros((1, c, t), np.int16))  # What is compiled on first use is not part of the floor.
        for first, stop in _spans(job.starts, t):
            stored_NCT, _ = held.read_raw(job.rows[first:stop])
            began_s = time.perf_counter()
            source_CT = _read_codes(plan, int(job.starts[first]), (stop - first) * t, channels)
            source_NCT = source_CT.reshape(c, -1, t).transpose(1, 0, 2)
            decoded_s = time.perf_counter()
            encode_segments(source_NCT)
            source_s = time.perf_counter()
            chunks = encode_segments(stored_NCT)
            stored_s = time.perf_counter()
            _write(chunks, out)
            written_s = time.perf_counter()
            seconds.add(Seconds(decoded_s - began_s, source_s - decoded_s, stored_s - source_s, written_s - stored_s))
    return seconds


def _spans(starts: np.ndarray, t: int) -> Iterator[tuple[int, int]]:
    """(first, stop) of windows that follow each other without a break, at most `SEGMENTS_PER_SPAN`."""
    first = 0
    for i in range(1, len(starts) + 1):
        if i == len(starts) or starts[i] != starts[i - 1] + t or i - first == SEGMENTS_PER_SPAN:
            yield first, i
            first = i


def _read_codes(plan: RecordPlan, start: int, n: int, channels: Sequence[str]) -> np.ndarray:
    """Codes of record frames [start, start + n), int16 (C, n)."""
    out_CT = np.empty((len(channels), n), np.int16)
    for stretch in plan.stretches:
        for piece in stretch.pieces:
            begin, end = max(start, piece.start), min(start + n, piece.start + piece.n)
            if begin < end:
                frames = _read_frames(piece, piece.first + begin - piece.start, end - begin)
                for c, channel in enumerate(channels):
                    codes = frames[:, piece.signals[channel]]
                    _, offset = STORED[piece.header.signals[0].fmt]
                    np.subtract(codes, offset, out=out_CT[c, begin - start : end - start], dtype=np.int16)
    return out_CT


def _read_frames(piece: Piece, first: int, n: int) -> np.ndarray:
    """Stored samples of frames of one segment, all its signals: (n, signals)."""
    spec, width = piece.header.signals[0], len(piece.header.signals)
    if spec.fmt not in STORED or len({(s.file_name, s.fmt, s.samples_per_frame) for s in piece.header.signals}) != 1:
        raise ValueError(f"{piece.header.name}: the floor is measured on one file a segment, format 80 or 16")
    dtype = np.dtype(STORED[spec.fmt][0])
    descriptor = os.open(piece.header.folder / spec.file_name, os.O_RDONLY)
    try:
        stored = os.pread(descriptor, n * width * dtype.itemsize, spec.byte_offset + first * width * dtype.itemsize)
    finally:
        os.close(descriptor)
    return np.frombuffer(stored, dtype).reshape(n, width)


def _write(chunks: list[bytes], out: BinaryIO) -> None:
    for chunk in chunks:
        out.write(chunk)
