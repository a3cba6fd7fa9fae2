"""Segments in memory: signals, their steps, and one column for each thing known about them.

Shapes: N segments, C channels, T samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.config.schema import CLINICAL_COLUMNS, SEGMENT_COLUMNS, Column

KNOWN_COLUMNS = {column.name: column for column in (*SEGMENT_COLUMNS, *CLINICAL_COLUMNS)}


@dataclass(frozen=True, eq=False)
class Categories:
    """A column of few distinct names.

    Attributes
    ----------
    codes : array of uint8, shape (N,)
        Index into `names`; 255 unknown.
    names : tuple of str
        At most 255.
    """

    UNKNOWN: ClassVar[int] = 255
    codes: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> "Categories":
        """The same names, the given rows (indices or a mask)."""
        return Categories(self.codes[rows], self.names)

    def decoded(self) -> np.ndarray:
        """Names as an object array, None where unknown."""
        table = np.array([*self.names, *[None] * (256 - len(self.names))], dtype=object)
        return table[self.codes]


Values = np.ndarray | Categories
"""What a column holds: numbers, strings (object arrays of str, or fixed-length UTF-8 as in files), or categories."""


@dataclass(frozen=True, eq=False)
class SegmentTable:
    """Segments of one patient or more, checked against the schema.

    Attributes
    ----------
    signals_NCT : array of int16
        Codes; physical = signals * scale.
    scale_NC : array of float32
        0 where the channel is absent.
    columns : dict
        Every column of `ecgppg.config.schema.SEGMENT_COLUMNS`; others (labels) may follow.
    """

    signals_NCT: np.ndarray
    scale_NC: np.ndarray
    columns: Mapping[str, Values]

    def __post_init__(self) -> None:
        if self.signals_NCT.ndim != 3 or self.signals_NCT.dtype != np.int16:
            raise RunError(f"segments: signals must be int16 (N, C, T), not {self.signals_NCT.dtype} of "
                           f"shape {self.signals_NCT.shape}")  # fmt: skip
        n, c, _ = self.signals_NCT.shape
        if self.scale_NC.shape != (n, c):
            raise RunError(f"segments: scale has shape {self.scale_NC.shape}, not {(n, c)}")
        absent = [column.name for column in SEGMENT_COLUMNS if column.name not in self.columns]
        if absent:
            raise RunError(f"segments: column {absent[0]} is absent")
        checked = {name: as_column(name, values, n, c) for name, values in self.columns.items()}
        object.__setattr__(self, "scale_NC", np.asarray(self.scale_NC, np.float32))
        object.__setattr__(self, "columns", checked)

    def __len__(self) -> int:
        return len(self.signals_NCT)

    def sorted(self) -> "SegmentTable":
        """The same segments in the order of every dataset: subject_id, record, start_sample."""
        order = dataset_order(self.columns)
        columns = {name: take(values, order) for name, values in self.columns.items()}
        return SegmentTable(self.signals_NCT[order], self.scale_NC[order], columns)


def take(values: Values, rows: np.ndarray) -> Values:
    """The given rows (indices or a mask) of a column."""
    return values.take(rows) if isinstance(values, Categories) else values[rows]


def plain(values: Values) -> np.ndarray:
    """A column that is no column of categories."""
    if isinstance(values, Categories):
        raise RunError("a column of categories stands where numbers or strings belong")
    return values


def dataset_order(columns: Mapping[str, Values]) -> np.ndarray:
    """Row order of every dataset: by subject_id, then record (code points), then start_sample."""
    subject_id, record, start_sample = (plain(columns[name]) for name in ("subject_id", "record", "start_sample"))
    _, rank = np.unique(record.astype(str), return_inverse=True)
    return np.lexsort((start_sample, rank, subject_id))


def as_column(name: str, values: Values, n_rows: int, n_channels: int) -> Values:
    """A column in the type the schema gives it.

    Parameters
    ----------
    name : str
        Names of the schema take its type; others must be one-dimensional numbers, strings or `Categories`.
    values : array or Categories
        The values.
    n_rows, n_channels : int
        What the shape must be.

    Raises
    ------
    RunError
        If shape or type do not fit.
    """
    known: Column | None = KNOWN_COLUMNS.get(name)
    shape = (n_rows, n_channels) if known and known.per_channel else (n_rows,)
    raw = values.codes if isinstance(values, Categories) else np.asarray(values)
    if raw.shape != shape:
        raise RunError(f"segments: column {name} has shape {raw.shape}, not {shape}")
    if isinstance(values, Categories):
        used = raw[raw != Categories.UNKNOWN]
        if known or len(values.names) > Categories.UNKNOWN or (used.size and used.max() >= len(values.names)):
            raise RunError(f"segments: categories of column {name} do not fit its {len(values.names)} names")
        return Categories(raw.astype(np.uint8), tuple(values.names))
    if (known and known.dtype == "str") or (known is None and raw.dtype.kind in "OUST"):
        return raw if raw.dtype.kind in "OS" else raw.astype(str).astype(object)
    if raw.dtype.kind not in "biuf":
        raise RunError(f"segments: column {name} holds {raw.dtype}, neither numbers nor strings")
    return raw.astype(known.dtype if known else np.int8 if raw.dtype == bool else raw.dtype, copy=False)


def empty_column(column: Column, n_channels: int) -> np.ndarray:
    """A column of the schema with no rows."""
    return np.empty((0, n_channels) if column.per_channel else (0,), object if column.dtype == "str" else column.dtype)


def concatenate(pieces: list[Values]) -> Values:
    """Pieces of one column after one another; categories by name, in the order they first appear.

    Raises
    ------
    RunError
        If some pieces are categories and others not, or the names are too many.
    """
    grouped = [piece for piece in pieces if isinstance(piece, Categories)]
    if not grouped:
        return np.concatenate([plain(piece) for piece in pieces])
    if len(grouped) != len(pieces):
        raise RunError("a column holds categories in one file and other values in the next")
    names: dict[str, int] = {}
    codes = []
    for piece in grouped:
        table = np.full(256, Categories.UNKNOWN, np.int64)
        for i, name in enumerate(piece.names):
            table[i] = names.setdefault(name, len(names))
        codes.append(table[piece.codes])
    if len(names) > Categories.UNKNOWN:
        raise RunError(f"a column of categories has {len(names)} names, at most {Categories.UNKNOWN} can be told apart")
    return Categories(np.concatenate(codes).astype(np.uint8), tuple(names))
