"""Rows of several dataset files in the order of one: patient by patient, since no patient is in two of them."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.store.layout import blocks, is_direct
from ecgppg.store.open_source import OpenSource
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
    n_signal_bytes : int
        Of all chunks together.

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
        self.n_signal_bytes = self._n_rows = 0
        self._few_ids: list[np.ndarray] | None = [np.empty(0, np.int64)]
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
        return self._n_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for index in list(self._open):
            self._close(index)

    def source(self, index: int) -> OpenSource:
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

    def columns(self, block: Sequence[Run]) -> dict[str, np.ndarray]:
        """The waveform's columns of a block; text as fixed-length UTF-8, as wide in every block.

        A column that a file was built too early for is NaN in its rows.
        """
        return {column.name: self._column(column.name, block) for column in SEGMENT_COLUMNS}

    def _column(self, name: str, block: Sequence[Run]) -> np.ndarray:
        pieces = [self._piece(name, run) for run in block]
        values = np.concatenate(pieces) if pieces else empty_column(KNOWN_COLUMNS[name], self.shape_CT[0])
        if KNOWN_COLUMNS[name].dtype == "str":
            return values.astype(f"S{max(self._text_bytes[name], 1)}")
        return values

    def _piece(self, name: str, run: Run) -> np.ndarray:
        source = self.source(run.source)
        if KNOWN_COLUMNS[name].later and f"segments/{name}" not in source.file:
            return np.full(run.n, np.nan, KNOWN_COLUMNS[name].dtype)
        return source.dataset(f"segments/{name}")[run.rows]

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
            subject_id, record, start_sample, segment_id = (
                source.dataset(f"segments/{name}")[rows]
                for name in ("subject_id", "record", "start_sample", "segment_id")
            )
            self.n_signal_bytes += int(source.chunks(rows)[2].sum())
            if self._few_ids is not None:
                self._few_ids.append(segment_id)
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
        self._n_rows += len(signals)
        if self._n_rows > IDS_AT_ONCE:
            self._few_ids = None

    def _refuse_repeated_ids(self) -> None:
        if self._few_ids is not None:
            _refuse_repeats(self._few_ids)
            self._few_ids = None
            return
        # In as many passes as keep what is compared at once small: equal ids fall into the same pass.
        n_passes = 1 + len(self) // IDS_AT_ONCE
        for turn in range(n_passes):
            found = []
            for index in range(len(self.sources)):
                segment_id = self.source(index).dataset("segments/segment_id")
                ids = (segment_id[rows] for rows in blocks(len(segment_id), ROWS_PER_BLOCK))
                found += [block[block % n_passes == turn] for block in ids]
                self._close(index)
            _refuse_repeats(found)


def _refuse_repeats(segment_ids: list[np.ndarray]) -> None:
    ordered = np.sort(np.concatenate(segment_ids))
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if repeated.size:
        raise RunError(f"merge: segment_id {repeated[0]} is in more than one row")


def _changes(values: np.ndarray) -> list[int]:
    """Where a value other than the one before begins; the first row is one."""
    return [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist()]
