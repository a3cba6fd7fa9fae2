"""Rows of several dataset files in the order of one: patient by patient, since no patient is in two of them."""

import os
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.store.audit import first_line
from ecgppg.store.chunk_index import PAGE_ROWS, ChunkIndex
from ecgppg.store.layout import blocks, is_direct
from ecgppg.store.reader import open_file
from ecgppg.store.segments import KNOWN_COLUMNS, empty_column

MAX_OPEN = 64
CACHE_BYTES = 2**18
ROWS_PER_BLOCK = 32768
IDS_AT_ONCE = 2**21


class Run(NamedTuple):
    """All rows of one patient: they follow each other in one file."""

    subject_id: int
    source: int
    first: int
    n: int

    @property
    def rows(self) -> slice:
        """In the file."""
        return slice(self.first, self.first + self.n)


class MergedRows:
    """The order of the merged file, and its columns block by block; memory grows with patients, not with segments.

    Parameters
    ----------
    sources : sequence of Path
        Dataset files; each is audited once.
    shape_CT : (int, int)
        Channels and samples of a segment, where there are no sources to ask.
    audited : bool
        The sources are our own, finished and recorded: their audit is skipped.

    Attributes
    ----------
    runs : list of Run
        By subject_id.
    n_of_record : Counter of str
        Segments of every record.

    Raises
    ------
    RunError
        If a patient is in two sources or a segment_id in two rows, rows lie in another order than that of a dataset,
        or the segments differ in shape.
    """

    def __init__(self, sources: Sequence[Path], shape_CT: tuple[int, int] = (0, 0), audited: bool = False) -> None:
        self.sources = list(sources)
        self._open: OrderedDict[int, OpenSource] = OrderedDict()
        self._audited: set[int] = set(range(len(self.sources))) if audited else set()
        self.shape_CT = shape_CT
        self.runs: list[Run] = []
        self.n_of_record: Counter[str] = Counter()
        self._text_bytes: Counter[str] = Counter()
        for index in range(len(self.sources)):
            self._scan(index)
            self._close(index)
        self.runs.sort()
        for run, following in pairwise(self.runs):
            if run.subject_id == following.subject_id:
                names = f"{self.sources[run.source]} and in {self.sources[following.source]}"
                raise RunError(f"merge: patient {run.subject_id} is in {names}")
        self._refuse_repeated_ids()

    def __len__(self) -> int:
        return sum(run.n for run in self.runs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for index in list(self._open):
            self._close(index)

    def source(self, index: int) -> "OpenSource":
        """One source, open; the least recently used is closed when too many are."""
        if index not in self._open:
            if len(self._open) >= MAX_OPEN:
                self._close(next(iter(self._open)))
            file = open_file(self.sources[index], index in self._audited, CACHE_BYTES)
            self._open[index] = OpenSource(self.sources[index], file)
            self._audited.add(index)
        self._open.move_to_end(index)
        return self._open[index]

    def _close(self, index: int) -> None:
        if index in self._open:
            self._open.pop(index).close()

    def blocks(self) -> Iterator[list[Run]]:
        """Whole patients of `ROWS_PER_BLOCK` rows together; a larger one is alone. At least one block, be it empty."""
        left = Counter(run.source for run in self.runs)
        block: list[Run] = []
        for run in [*self.runs, None]:
            if run is None or (block and sum(r.n for r in block) + run.n > ROWS_PER_BLOCK):
                yield block
                left.subtract(r.source for r in block)
                for done in {r.source for r in block if not left[r.source]}:
                    self._close(done)
                block = []
            if run is not None:
                block.append(run)

    def n_signal_bytes(self) -> int:
        """Of all chunks together."""
        n_bytes = 0
        for run in sorted(self.runs, key=lambda run: run.source):
            n_bytes += int(self.source(run.source).chunks(run.rows)[2].sum())
        return n_bytes

    def columns(self, block: Sequence[Run]) -> dict[str, np.ndarray]:
        """The waveform's columns of a block; text as fixed-length UTF-8, as wide in every block."""
        return {column.name: self._column(column.name, block) for column in SEGMENT_COLUMNS}

    def _column(self, name: str, block: Sequence[Run]) -> np.ndarray:
        pieces = [self.source(run.source).dataset(f"segments/{name}")[run.rows] for run in block]
        values = np.concatenate(pieces) if pieces else empty_column(KNOWN_COLUMNS[name], self.shape_CT[0])
        if KNOWN_COLUMNS[name].dtype == "str":
            return values.astype(f"S{max(self._text_bytes[name], 1)}")
        return values

    def _scan(self, index: int) -> None:
        """Learn a source's runs and records; refuse one that does not fit."""
        source, path = self.source(index), self.sources[index]
        signals = source.dataset("signals")
        if index == 0:
            self.shape_CT = signals.shape[1:]
        if signals.shape[1:] != self.shape_CT:
            raise RunError(f"merge: {path} holds segments of shape {signals.shape[1:]}, "
                           f"{self.sources[0]} of {self.shape_CT}")  # fmt: skip
        if not is_direct(signals):
            raise RunError(f"merge: {path} is not stored one segment a chunk, shuffled and gzipped")
        for column in SEGMENT_COLUMNS:
            if column.dtype == "str":
                n_bytes = source.dataset(f"segments/{column.name}").dtype.itemsize
                self._text_bytes[column.name] = max(self._text_bytes[column.name], n_bytes)
        firsts: dict[int, int] = {}
        last: tuple[int, bytes, int] | None = None
        for rows in blocks(len(signals), ROWS_PER_BLOCK):
            subject_id, record, start_sample = (
                source.dataset(f"segments/{name}")[rows] for name in ("subject_id", "record", "start_sample")
            )
            ahead = (record[1:] > record[:-1]) | ((record[1:] == record[:-1]) & (start_sample[1:] > start_sample[:-1]))
            ahead = (subject_id[1:] > subject_id[:-1]) | ((subject_id[1:] == subject_id[:-1]) & ahead)
            first = (int(subject_id[0]), bytes(record[0]), int(start_sample[0]))
            if not ahead.all() or (last is not None and first <= last):
                raise RunError(f"merge: {path}: rows lie in another order than that of a dataset, or twice")
            last = (int(subject_id[-1]), bytes(record[-1]), int(start_sample[-1]))
            for at in _changes(subject_id):
                firsts.setdefault(int(subject_id[at]), rows.start + at)
            begins = [*_changes(record), len(record)]
            for begin, end in pairwise(begins):
                self.n_of_record[record[begin].decode("utf-8", "replace")] += end - begin
        bounds = pairwise([*firsts.values(), len(signals)])
        self.runs += [Run(who, index, first, end - first) for who, (first, end) in zip(firsts, bounds, strict=True)]

    def _refuse_repeated_ids(self) -> None:
        # In as many passes as keep what is compared at once small: equal ids fall into the same pass.
        n_passes = 1 + len(self) // IDS_AT_ONCE
        for turn in range(n_passes):
            found = [np.empty(0, np.int64)]
            for index in range(len(self.sources)):
                segment_id = self.source(index).dataset("segments/segment_id")
                ids = (segment_id[rows] for rows in blocks(len(segment_id), ROWS_PER_BLOCK))
                found += [block[block % n_passes == turn] for block in ids]
                self._close(index)
            ordered = np.sort(np.concatenate(found))
            repeated = ordered[1:][ordered[1:] == ordered[:-1]]
            if repeated.size:
                raise RunError(f"merge: segment_id {repeated[0]} is in more than one row")


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
            self._datasets[name] = self.file[name]
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


def _changes(values: np.ndarray) -> list[int]:
    """Where a value other than the one before begins; the first row is one."""
    return [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist()]
