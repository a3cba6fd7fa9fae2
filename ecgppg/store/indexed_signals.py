"""`/signals` written past HDF5: chunks in stretches, as they lie in another file or as they are made, then an index.

HDF5 takes chunks one by one, at 15 microseconds each; a stretch of them it need not even see.
"""

import os
from pathlib import Path

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.store.audit import first_line
from ecgppg.store.background_copies import BackgroundCopies
from ecgppg.store.chunk_index import PAGE_ROWS, ChunkIndex
from ecgppg.store.codec import decode_segment
from ecgppg.store.laid_chunks import LaidChunks
from ecgppg.store.layout import create_signals
from ecgppg.store.merged_rows import Run
from ecgppg.store.open_source import OpenSource

PAGES_AT_ONCE = 64
RESERVED = "bytes of the chunks"


class IndexedSignals:
    """Signals that grow run by run, in order, or are taken as they were laid.

    HDF5 makes the dataset, its index and room for all chunks; what goes into the room and the index is written past
    it, and HDF5 reads it when the file is closed and opened again.

    Parameters
    ----------
    file : h5py.File
        New and open for writing.
    shape_CT : (int, int)
        Channels and samples of a segment.
    n_rows, n_bytes : int
        Chunks in all, and their bytes together.
    """

    def __init__(self, file: h5py.File, shape_CT: tuple[int, int], n_rows: int, n_bytes: int) -> None:
        self._file, self._shape_CT, self._n_rows = file, shape_CT, n_rows
        self._path = Path(file.filename)
        self._index: ChunkIndex | None = None
        self._waiting: list[np.ndarray] = []
        self._n_indexed = self._n_copied = self._at = 0
        self._descriptor = -1
        self._copies: BackgroundCopies | None = None
        if n_rows > 1:
            self._at = _reserve(file, n_bytes)
        self._signals = create_signals(file, n_rows, shape_CT)
        if n_rows > 1:
            # HDF5 makes the index with the first chunk; what this one holds does not matter.
            self._signals.id.write_direct_chunk((0, 0, 0), b"\0")
            file.flush()
            self._descriptor = os.open(self._path, os.O_RDWR)
            self._copies = BackgroundCopies(self._descriptor)
            self._index = ChunkIndex(self._path, self._descriptor, self._signals)

    def add(self, source: OpenSource, run: Run) -> None:
        """Copy the next run; it may be copied when `finish` has returned, and not before.

        Raises
        ------
        RunError
            The source, or one before it, is not as its index says.
        """
        descriptor, offset, size = source.chunks(run.rows)
        if self._index is None or self._copies is None:
            _, chunk = source.dataset("signals").id.read_direct_chunk((run.first, 0, 0))
            self._signals.id.write_direct_chunk((0, 0, 0), chunk)
            return
        ends = offset + size
        breaks = np.flatnonzero(offset[1:] != ends[:-1]) + 1
        at, stretches = self._at, []
        for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), run.n], strict=True):
            n_bytes = int(ends[last - 1] - offset[first])
            stretches.append((n_bytes, int(offset[first]), at))
            at += n_bytes
        self._copies.add(source.path, descriptor, stretches)
        self._enter(self._index, size)

    def adopt(self, laid: LaidChunks) -> None:
        """Take all chunks that were laid behind what HDF5 knows of the file.

        Raises
        ------
        RunError
            HDF5 has made room elsewhere.
        """
        if self._index is None:
            if laid.first:
                self._signals.id.write_direct_chunk((0, 0, 0), laid.first)
            return
        if self._at != laid.begin:
            raise RunError(
                f"{self._path.name}: HDF5 {h5py.version.hdf5_version} lays out files otherwise than expected"
            )
        self._enter(self._index, np.array(laid.sizes, np.int64))

    def _enter(self, index: ChunkIndex, size: np.ndarray) -> None:
        """Note where the next chunks lie."""
        ends = self._at + np.cumsum(size)
        self._waiting.append(index.entries(ends - size, size))
        self._at = int(ends[-1])
        self._n_copied += len(size)
        if self._n_copied - self._n_indexed >= PAGES_AT_ONCE * PAGE_ROWS:
            self._write_index()

    def _write_index(self) -> None:
        """Entries that wait, as far as they fill pages; all of them at the end."""
        assert self._index is not None
        entries = np.concatenate(self._waiting)
        n = len(entries) if self._n_copied == self._n_rows else len(entries) - len(entries) % PAGE_ROWS
        self._index.write(self._n_indexed, entries[:n])
        self._waiting = [entries[n:].copy()]
        self._n_indexed += n

    def finish(self) -> None:
        """Close the file, complete the index, and see that HDF5 finds every page of it and what it points to.

        Raises
        ------
        RunError
            If it does not, or something could not be copied.
        """
        if self._copies is not None:
            self._copies.finish()
        if self._index is not None:
            del self._file[RESERVED]
        self._file.close()
        if self._index is None:
            return
        if self._n_indexed < self._n_rows:
            self._write_index()
        self._index.finish()
        with h5py.File(self._path, "r", locking=False) as file:
            for row in sorted({*range(0, self._n_rows, PAGE_ROWS), self._n_rows - 1}):
                try:
                    _, chunk = file["signals"].id.read_direct_chunk((row, 0, 0))
                    decode_segment(chunk, *self._shape_CT)
                except (OSError, RuntimeError, ValueError) as error:
                    raise RunError(f"merge: row {row} cannot be read back: {first_line(error)}") from None

    def close(self) -> None:
        """Let go of the file, however it ended."""
        if self._copies is not None:
            self._copies.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)


def _reserve(file: h5py.File, n_bytes: int) -> int:
    """Room in the file that nothing else is put into while the file is open; where it begins."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple((n_bytes,))
    room = h5py.h5d.create(file.id, RESERVED.encode(), h5py.h5t.STD_U8LE, space, plist)
    offset = room.get_offset()
    assert offset is not None
    return int(offset)
