"""What a dataset holds, as one number: the same signals and columns give the same hash on every machine.

The content hash is SHA-256 over the SHA-256 of every segment's codes, then the steps, then every column of the
waveform in the order of its name; rows lie by (subject_id, record, start_sample). Nothing of it depends on times of
writing, paths, compression or the number of workers. What comes from the clinic (admissions and labels) has a hash of
its own, since it can be made anew over the same signals.
"""

import hashlib

import h5py
import numpy as np

from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.store.columns import category_names
from ecgppg.store.layout import ROWS_PER_BLOCK, blocks
from ecgppg.store.sha256 import sha256_of_each

CONTENT_COLUMNS = frozenset(column.name for column in SEGMENT_COLUMNS)


def segment_digests(signals_NCT: np.ndarray) -> np.ndarray:
    """SHA-256 of each segment's codes (int16, little endian, channel after channel), uint8 of shape (N, 32)."""
    n, n_channels, n_samples = signals_NCT.shape
    codes = np.ascontiguousarray(signals_NCT, "<i2").reshape(n, n_channels * n_samples)
    return sha256_of_each(codes.view(np.uint8))


class ContentHash:
    """The content hash, fed in order: digests, then steps and columns from the file."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def add_digests(self, digests: np.ndarray) -> None:
        """The next segments' digests, uint8 (n, 32)."""
        self._sum.update(digests.tobytes())

    def finish(self, file: h5py.File) -> str:
        """Add `/scale` and the waveform's columns of `file`; hexadecimal."""
        self._add(file["scale"])
        self._add_columns(file["segments"], CONTENT_COLUMNS & set(file["segments"]))
        return self._sum.hexdigest()

    def _add_columns(self, group: h5py.Group, names: set[str] | frozenset[str]) -> None:
        for name in sorted(names):
            self._sum.update(name.encode() + b"\0")
            if "categories" in group[name].attrs:
                for category in category_names(group[name]):
                    self._sum.update(category.encode() + b"\0")
            self._add(group[name])

    def _add(self, dataset: h5py.Dataset) -> None:
        for rows in blocks(len(dataset), ROWS_PER_BLOCK):
            block = dataset[rows]
            if block.dtype.kind == "S":
                # The file's fixed length depends on the longest string of all; the content does not.
                self._sum.update(b"\0".join(block.tolist()) + b"\0")
            else:
                self._sum.update(np.ascontiguousarray(block, block.dtype.newbyteorder("<")).tobytes())


def labels_hash(file: h5py.File) -> str:
    """SHA-256 over every column that is not the waveform's: admissions, grades, labels."""
    labels = ContentHash()
    labels._add_columns(file["segments"], set(file["segments"]) - CONTENT_COLUMNS)
    return labels._sum.hexdigest()
