"""Segments read past HDF5: the place of every chunk is learnt once, then bytes are read and inflated in any thread.

HDF5 takes ten microseconds and a lock to hand out one chunk, as long as inflating it takes; reading a file's bytes at a
known place and inflating them hold no lock of the interpreter.

Shapes: n segments asked for, C channels, T samples.
"""

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.store.audit import first_line
from ecgppg.store.chunk_index import ChunkIndex
from ecgppg.store.codec import decode_planes
from ecgppg.store.layout import blocks

SEGMENTS_PER_READ = 64
"""Segments inflated together: their planes stay in a processor's cache until they are turned into values."""
GAP_BYTES = 4096
"""Chunks this near to each other are read in one go: the kernel fetches whole pages anyway."""


class ChunkReads:
    """Chunks of `/signals` of an open dataset file, one segment each behind shuffle + gzip.

    Keeps a descriptor of its own for as long as it lives, so a thread that reads never meets a closed one.

    Parameters
    ----------
    path : Path
        For messages.
    file : h5py.File
        Audited, open for reading.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        signals = file["signals"]
        _, c, t = signals.shape
        self._n_values = c * t
        self._descriptor = os.dup(file.id.get_vfd_handle())
        weakref.finalize(self, os.close, self._descriptor)
        self._offset_N, self._size_N = _places(path, self._descriptor, signals)

    def planes(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, bytes]]:
        """Inflate some segments in the order in which they lie in the file, a few dozen at a time.

        Parameters
        ----------
        rows : ndarray of int64
            Rows that exist, in any order, repeats allowed.

        Yields
        ------
        place : ndarray of int64
            Which of `rows` follow.
        planes : bytes
            Their byte planes one after the other, for `codec.unshuffle`.

        Raises
        ------
        RunError
            If a chunk cannot be read or decoded; names its row.
        """
        order = np.argsort(self._offset_N[rows], kind="stable")
        for block in blocks(len(rows), SEGMENTS_PER_READ):
            place = order[block]
            yield place, b"".join(self._inflate(rows[place]))

    def _inflate(self, rows: np.ndarray) -> Iterator[bytes]:
        offset, size = self._offset_N[rows], self._size_N[rows]
        end = offset + size
        starts = np.flatnonzero(np.concatenate([[True], offset[1:] > end[:-1] + GAP_BYTES]))
        stops = [*starts[1:].tolist(), len(rows)]
        reach = np.maximum.reduceat(end, starts)
        row, offset, end = rows.tolist(), offset.tolist(), end.tolist()
        for first, stop, last in zip(starts.tolist(), stops, reach.tolist(), strict=True):
            begin = offset[first]
            i = first
            try:
                stretch = memoryview(os.pread(self._descriptor, last - begin, begin))
                for i in range(first, stop):
                    if end[i] == offset[i]:
                        raise ValueError("its chunk is not packed as it should be")
                    yield decode_planes(stretch[offset[i] - begin : end[i] - begin], self._n_values)
            except (ValueError, OSError) as error:
                raise RunError(f"{self.path}: segment in row {row[i]} cannot be read: {error}") from None


def _places(path: Path, descriptor: int, signals: h5py.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """(offset, size) of the chunk of every row, int64; size 0 where it cannot be that of a segment.

    The index is read in one piece where it is of the kind that this program writes, and asked from HDF5 entry by entry
    where the file is somebody else's.
    """
    if len(signals) == 0:
        # Without a chunk there is no index either.
        return np.empty(0, np.int64), np.empty(0, np.int64)
    try:
        index = ChunkIndex(path, descriptor, signals)
        if index.n_rows == len(signals):
            return _possible(signals, *index.read(slice(0, len(signals))))
    except (RunError, ValueError):
        pass
    found = np.zeros((len(signals), 3), np.int64)

    def visit(chunk: Any) -> None:
        found[chunk.chunk_offset[0]] = chunk.byte_offset, chunk.size, chunk.filter_mask

    try:
        signals.id.chunk_iter(visit)
    except (OSError, RuntimeError) as error:
        raise RunError(f"{path}: the index of /signals cannot be read: {first_line(error)}") from None
    offset, size, mask = found.T
    return _possible(signals, offset, np.where(mask == 0, size, 0))


def _possible(signals: h5py.Dataset, offset: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is twice as long as a segment was not packed by gzip: nobody shall have it read."""
    _, c, t = signals.shape
    return offset, np.where(size <= 4 * c * t + 1024, size, 0)
