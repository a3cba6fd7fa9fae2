"""Read a dataset: lazily, in any order, from any number of processes.

Shapes: n segments asked for, C channels, T samples.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np

from ecgppg.config.errors import InputError, RunError
from ecgppg.store.audit import audit_file, first_line
from ecgppg.store.chunk_reads import ChunkReads
from ecgppg.store.codec import unshuffle, unshuffle_into
from ecgppg.store.columns import read_column
from ecgppg.store.content_hash import ContentHash, segment_digests
from ecgppg.store.layout import blocks, is_direct
from ecgppg.store.segments import KNOWN_COLUMNS, Categories, Values

if TYPE_CHECKING:
    import pandas as pd

SEGMENTS_PER_BLOCK = 256
ROWS_PER_FRAME = 32768
_OPENING = threading.RLock()
RANK = {name: rank for rank, name in enumerate(KNOWN_COLUMNS)}


def open_file(path: Path, audited: bool = False, cache_bytes: int = 2**20) -> h5py.File:
    """A dataset file, open for reading.

    Parameters
    ----------
    path : Path
        The file.
    audited : bool
        It was audited by this process and not changed since: skip that.
    cache_bytes : int
        What HDF5 may keep of each dataset that is open.

    Raises
    ------
    InputError
        If there is no such file, it is not HDF5, or the audit refuses it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        # Files are renamed into place whole and never changed after: no lock is needed, and network disks refuse it.
        file = h5py.File(path, "r", locking=False, rdcc_nbytes=cache_bytes)
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({first_line(error)})") from None
    try:
        if not audited:
            audit_file(file, path)
    except BaseException:
        file.close()
        raise
    return file


class SegmentDataset:
    """A dataset file; pickles as its path and opens itself again in each process.

    Parameters
    ----------
    path : Path
        The file. Audited here and again in every process that opens it.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._reads: ChunkReads | None = None
        self._process = -1
        signals = self.file["signals"]
        self.shape: tuple[int, int, int] = signals.shape
        self._is_direct = is_direct(signals)
        self._steps: np.ndarray | None = self._checked_steps()

    @property
    def file(self) -> h5py.File:
        """The file itself, open in this process."""
        file = self._file
        if file is None or self._process != os.getpid():
            with _OPENING:
                if self._file is None or self._process != os.getpid():
                    # A handle inherited through fork shares its position and caches with the parent: open anew.
                    self._file, self._reads, self._process = open_file(self.path), None, os.getpid()
                file = self._file
        return file

    @property
    def _chunks(self) -> ChunkReads | None:
        """Reads past HDF5, where segments are chunks of their own."""
        if not self._is_direct:
            return None
        file, reads = self.file, self._reads
        if reads is None:
            with _OPENING:
                reads = self._reads = self._reads or ChunkReads(self.path, file)
        return reads

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_reads": None, "_process": -1, "_steps": None}

    def __len__(self) -> int:
        return self.shape[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = self._reads = None

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes as plain Python values."""
        return {name: _plain(value) for name, value in self.file.attrs.items()}

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels, in the order of axis 1."""
        return tuple(self.attributes["channel_names"])

    @property
    def fs_hz(self) -> float:
        """Sampling rate of every segment, Hz."""
        return float(self.attributes["sampling_rate_hz"])

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: the schema's in its order, then the labels by name."""
        return tuple(_names(self.file))

    @property
    def scale(self) -> np.ndarray:
        """Steps of all segments, float32 (N, C); 0 where the channel is absent."""
        if self._steps is None:
            self._steps = self._checked_steps()
        return self._steps

    def _checked_steps(self) -> np.ndarray:
        """Refuse steps by which every value would be wrong, before any is used."""
        try:
            steps: np.ndarray = self.file["scale"][:]
        except OSError as error:
            raise InputError(f"{self.path}: scale cannot be read ({first_line(error)})") from None
        if not (np.isfinite(steps).all() and (steps >= 0).all()):
            raise InputError(f"{self.path}: scale holds values that are not finite or negative")
        return steps

    def column(self, name: str) -> np.ndarray:
        """One column whole: numbers, an object array of str, or the uint8 codes of categories (255 unknown)."""
        values = self.values(name)
        return values.codes if isinstance(values, Categories) else values

    def categories(self, name: str) -> tuple[str, ...] | None:
        """Names of a column of categories; None for any other column."""
        values = self._dataset(name).attrs.get("categories")
        return None if values is None else tuple(_plain(values) or ())

    def values(self, name: str) -> Values:
        """One column whole, categories with their names."""
        return read_column(self._dataset(name))

    def _dataset(self, name: str) -> h5py.Dataset:
        group = self.file["segments"]
        if name not in group:
            raise InputError(f"{self.path}: no column {name}; there are {', '.join(group)}")
        return group[name]

    def to_frame(self) -> "pd.DataFrame":
        """All one-dimensional columns as a table; categories as pandas categoricals, NaN where unknown."""
        return _frame(self.file, slice(0, len(self)))

    def read_raw(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes and steps of the given rows, in the order asked for.

        Parameters
        ----------
        indices : sequence of int
            Rows in any order, repeats allowed.

        Returns
        -------
        signals_nCT : array of int16
        scale_nC : array of float32

        Raises
        ------
        IndexError
            If a row does not exist.
        RunError
            If a chunk cannot be decoded; names its row.
        """
        rows, chunks = self._rows(indices), self._chunks
        if chunks is None:
            unique, place = np.unique(rows, return_inverse=True)
            return self._read_sliced(unique)[place], self.scale[rows]
        signals = np.empty((len(rows), *self.shape[1:]), np.int16)
        for place, planes in chunks.planes(rows):
            signals[place] = unshuffle(planes, len(place), self.shape[1:])
        return signals, self.scale[rows]

    def read(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Physical values of the given rows, float32 (n, C, T), in the order asked for; else like `read_raw`.

        They are read in the order of the file. Several threads may read at a time.
        """
        chunks = self._chunks
        if chunks is None:
            signals, scale = self.read_raw(indices)
            return signals * scale[:, :, None]
        rows = self._rows(indices)
        scale, out = self.scale[rows], np.empty((len(rows), *self.shape[1:]), np.float32)
        for place, planes in chunks.planes(rows):
            unshuffle_into(planes, place, scale, out)
        return out

    def _rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        rows = np.asarray(indices, dtype=np.int64).ravel()
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"{self.path.name}: rows must lie in 0 to {len(self) - 1}")
        return rows

    def _read_sliced(self, rows: np.ndarray) -> np.ndarray:
        dataset = self.file["signals"]
        out = np.empty((len(rows), *self.shape[1:]), np.int16)
        for i, row in enumerate(rows.tolist()):
            try:
                out[i] = dataset[row]
            except OSError as error:
                raise RunError(f"{self.path}: segment in row {row} cannot be read: {error}") from None
        return out

    def content_hash(self) -> str:
        """The content hash, computed anew from every decoded segment, in bounded memory."""
        content = ContentHash()
        for rows in blocks(len(self), SEGMENTS_PER_BLOCK):
            signals, _ = self.read_raw(np.arange(rows.start, rows.stop))
            content.add_digests(segment_digests(signals))
        return content.finish(self.file)


def open_dataset(path: Path | str) -> SegmentDataset:
    """Open a dataset file.

    Raises
    ------
    InputError
        If it is absent, not a dataset, or refused by the audit.
    """
    return SegmentDataset(Path(path))


def frames(file: h5py.File) -> Iterator["pd.DataFrame"]:
    """`SegmentDataset.to_frame` of an open file, block after block with the index of the whole; at least one."""
    for rows in blocks(max(len(file["scale"]), 1), ROWS_PER_FRAME):
        yield _frame(file, rows)


def _frame(file: h5py.File, rows: slice) -> "pd.DataFrame":
    import pandas as pd

    table: dict[str, Any] = {}
    for name in _names(file):
        values = read_column(file["segments"][name], rows)
        if isinstance(values, Categories):
            codes = values.codes.astype(np.int16)
            codes[codes >= len(values.names)] = -1
            table[name] = pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(values.names)))
        elif values.ndim == 1:
            table[name] = values
    first, over, _ = rows.indices(len(file["scale"]))
    return pd.DataFrame(table, index=pd.RangeIndex(first, over))


def _names(file: h5py.File) -> list[str]:
    """Columns: the schema's in its order, then the labels by name."""
    return sorted(file["segments"], key=lambda name: (RANK.get(name, len(RANK)), name))


def _plain(value: Any) -> Any:
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
