"""Columns of `/segments`, in blocks of rows: numbers, strings as fixed-length UTF-8, categories with their names."""

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.config.schema import FLAGS, LINK_GRADES
from ecgppg.store.layout import ROWS_PER_BLOCK
from ecgppg.store.segments import KNOWN_COLUMNS, Categories, Values

ROWS_PER_CHUNK = 4096
"""Small enough that a patient's rows are read without most of the others'."""


class ColumnWriter:
    """One column of `/segments`, written block after block.

    Rows wait until they fill a chunk, so that no chunk is compressed twice.

    Parameters
    ----------
    group : h5py.Group
        `/segments`.
    name : str
        The column.
    n_rows : int
        Rows in all.
    like : array or Categories
        Of the kind that will come: numbers, fixed-length UTF-8 as long as the longest, categories with all names.
    """

    def __init__(self, group: h5py.Group, name: str, n_rows: int, like: Values) -> None:
        raw = _raw(like)
        is_text = raw.dtype.kind == "S"
        dtype = h5py.string_dtype("utf-8", max(raw.dtype.itemsize, 1)) if is_text else raw.dtype.newbyteorder("<")
        rest = raw.shape[1:]
        self._dtype = dtype
        self._dataset = group.create_dataset(
            name, (n_rows, *rest), dtype, chunks=(max(1, min(n_rows, ROWS_PER_CHUNK)), *rest),
            maxshape=(max(n_rows, 1), *rest), shuffle=True, compression="gzip", compression_opts=4,
        )  # fmt: skip
        if isinstance(like, Categories):
            self._dataset.attrs["categories"] = list(like.names) or h5py.Empty(h5py.string_dtype())
        if name in KNOWN_COLUMNS:
            self._dataset.attrs["meaning"] = KNOWN_COLUMNS[name].meaning
        if name == "flags":
            self._dataset.attrs["bits"] = list(FLAGS)
        if name == "link_grade":
            self._dataset.attrs["grades"] = list(LINK_GRADES)
        self._written = 0
        self._waiting: list[np.ndarray] = []

    def add(self, values: Values) -> None:
        """The next rows.

        Raises
        ------
        RunError
            If there are more than there should be.
        """
        raw = _raw(values)
        n_rows = self._written + sum(map(len, self._waiting)) + len(raw)
        if n_rows > len(self._dataset):
            raise RunError(f"{self._dataset.name}: {n_rows} rows came of {len(self._dataset)}")
        assert raw.dtype.itemsize <= self._dtype.itemsize, f"{self._dataset.name}: longer than the column is wide"
        self._waiting.append(raw.astype(self._dtype, copy=False))
        n_waiting = sum(map(len, self._waiting))
        if n_waiting >= ROWS_PER_CHUNK:
            self._write(n_waiting - n_waiting % ROWS_PER_CHUNK)

    def finish(self) -> None:
        """Write what is left.

        Raises
        ------
        RunError
            If rows are missing.
        """
        self._write(sum(map(len, self._waiting)))
        if self._written != len(self._dataset):
            raise RunError(f"{self._dataset.name}: {self._written} rows came of {len(self._dataset)}")

    def _write(self, n: int) -> None:
        rows = np.concatenate(self._waiting) if self._waiting else np.empty(0)
        if n:
            # By a view: a copy in the same type would not take over that the text is UTF-8, and HDF5 insists on that.
            self._dataset[self._written : self._written + n] = rows[:n].view(self._dtype)
        self._written += n
        # A copy: a view would keep all that was written in memory.
        self._waiting = [rows[n:].copy()] if n < len(rows) else []


def write_column(group: h5py.Group, name: str, values: Values) -> None:
    """One column whole: numbers as they are, strings as fixed-length UTF-8, categories with names."""
    column = ColumnWriter(group, name, len(values), fixed_text(values))
    column.add(fixed_text(values))
    column.finish()


def fixed_text(values: Values) -> Values:
    """An object array of str as fixed-length UTF-8; any other column as it is."""
    if isinstance(values, Categories) or values.dtype != object:
        return values
    return np.array([text.encode() for text in values.tolist()], "S") if len(values) else np.empty(0, "S1")


def _raw(values: Values) -> np.ndarray:
    return values.codes if isinstance(values, Categories) else values


def read_column(dataset: h5py.Dataset, rows: slice = slice(None)) -> Values:
    """Rows of one column: strings as an object array of str that share their memory, categories with names."""
    if "categories" in dataset.attrs:
        return Categories(dataset[rows], category_names(dataset))
    if dataset.dtype.kind != "S":
        return dataset[rows]
    known: dict[bytes, str] = {}
    first, over, _ = rows.indices(len(dataset))
    out = np.empty(max(over - first, 0), object)
    for start in range(0, len(out), ROWS_PER_BLOCK):
        stored = dataset[first + start : min(first + start + ROWS_PER_BLOCK, over)]
        texts, codes = np.unique(stored, return_inverse=True)
        shared = [known.setdefault(text, text.decode("utf-8", "replace")) for text in texts.tolist()]
        out[start : start + len(codes)] = np.array(shared, dtype=object)[codes]
    return out


def category_names(dataset: h5py.Dataset) -> tuple[str, ...]:
    """Names in the attribute `categories`."""
    names = dataset.attrs["categories"]
    return () if isinstance(names, h5py.Empty) else tuple(str(name) for name in names)
