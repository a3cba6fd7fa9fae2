"""Where a file keeps the chunks of its segments: read as bytes, many at a time, without HDF5 in between."""

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.store.layout import is_direct

BYTES_AT_ONCE = 2**24


class ChunkPlaces:
    """Offset and size of the chunk of every row of `/signals`.

    Parameters
    ----------
    path : Path
        The file.
    signals : h5py.Dataset
        Its `/signals`, open.

    Raises
    ------
    RunError
        If it is not stored one segment a chunk, shuffled and gzipped, or a chunk lies outside the file.
    """

    def __init__(self, path: Path, signals: h5py.Dataset) -> None:
        self.path = path
        self._descriptor = -1
        if not is_direct(signals):
            raise RunError(f"merge: {path} is not stored one segment a chunk, shuffled and gzipped")
        n = len(signals)
        self.offset_N, self.size_N = np.full(n, -1, np.int64), np.zeros(n, np.int64)
        masks = set()

        def note(chunk: h5py.h5d.StoreInfo) -> None:
            row = chunk.chunk_offset[0]
            if row < n:
                self.offset_N[row], self.size_N[row] = chunk.byte_offset, chunk.size
                masks.add(chunk.filter_mask)

        signals.id.chunk_iter(note)
        self._descriptor = os.open(path, os.O_RDONLY)
        n_bytes = os.fstat(self._descriptor).st_size
        if n and (masks != {0} or (self.offset_N < 0).any() or (self.offset_N + self.size_N).max() > n_bytes):
            self.close()
            raise RunError(f"merge: {path}: a segment is absent, unfiltered or outside the file")

    def read(self, rows: np.ndarray) -> Iterator[bytes]:
        """Chunks of the given rows, in their order; rows that follow each other in the file are read in one go."""
        offsets, sizes = self.offset_N[rows], self.size_N[rows]
        breaks = np.flatnonzero(offsets[1:] != offsets[:-1] + sizes[:-1]) + 1
        for part in np.split(np.arange(len(rows)), breaks):
            while part.size:
                end = offsets[part] + sizes[part]
                take = max(int(np.searchsorted(end, offsets[part[0]] + BYTES_AT_ONCE, side="right")), 1)
                here, part = part[:take], part[take:]
                begin, stop = int(offsets[here[0]]), int(offsets[here[-1]] + sizes[here[-1]])
                stored = os.pread(self._descriptor, stop - begin, begin)
                if len(stored) != stop - begin:
                    raise RunError(f"merge: {self.path} ends before its last segment")
                for i in here.tolist():
                    first = int(offsets[i]) - begin
                    yield stored[first : first + int(sizes[i])]

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
