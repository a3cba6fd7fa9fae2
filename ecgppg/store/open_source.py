"""One file of a merge: its datasets, and where its chunks lie."""

import os
from pathlib import Path

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.store.audit import first_line
from ecgppg.store.chunk_index import PAGE_ROWS, ChunkIndex


class OpenSource:
    """An open file whose datasets stay open: rows read one after the other are decompressed once."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path, self.file = path, file
        self._datasets: dict[str, h5py.Dataset] = {}
        self._index: ChunkIndex | None = None
        self._descriptor = -1

    def dataset(self, name: str) -> h5py.Dataset:
        """One dataset of the file."""
        if name not in self._datasets:
            # As file[name], but for the look at what else it could be: a merge opens two dozen for every patient.
            self._datasets[name] = h5py.Dataset(h5py.h5d.open(self.file.id, name.encode()))
        return self._datasets[name]

    def chunks(self, rows: slice) -> tuple[int, np.ndarray, np.ndarray]:
        """A descriptor to read the file by, and (offset, size) of the chunks of some rows."""
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDONLY)
        signals = self.dataset("signals")
        if signals.maxshape[0] == 1:
            only = signals.id.get_chunk_info(0)
            return self._descriptor, np.array([only.byte_offset]), np.array([only.size])
        if self._index is None:
            self._index = ChunkIndex(self.path, self._descriptor, signals)
        offset, size = self._index.read(rows)
        self._refuse_damaged_pages(rows, size)
        return self._descriptor, offset, size

    def _refuse_damaged_pages(self, rows: slice, size: np.ndarray) -> None:
        """Have HDF5 read one chunk by each page of the index: it sums the page first."""
        read = self.dataset("signals").id.read_direct_chunk
        for row in {rows.start, *range(-(-rows.start // PAGE_ROWS) * PAGE_ROWS, rows.stop, PAGE_ROWS)}:
            try:
                n_bytes = len(read((row, 0, 0))[1])
            except (OSError, RuntimeError, ValueError) as error:
                raise RunError(f"merge: {self.path}: row {row}: {first_line(error)}") from None
            if n_bytes != size[row - rows.start]:
                raise RunError(f"merge: {self.path}: row {row}: the index of /signals says otherwise than HDF5")

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self.file.close()
