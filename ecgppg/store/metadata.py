"""The table of segments: parquet is the truth, the pickle a courtesy to older scripts and never read here."""

import pickle
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ecgppg.config.errors import InputError
from ecgppg.core.files import atomic_path
from ecgppg.store.audit import first_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet


def write_metadata(parquet: Path, pickled: Path | None, frame: "pd.DataFrame | Iterable[pd.DataFrame]") -> int:
    """Write the table of segments.

    Parameters
    ----------
    parquet : Path
        Categories stay categories.
    pickled : Path or None
        The same table as a plain DataFrame, categories as strings; None writes none.
    frame : DataFrame or iterable of DataFrame
        One row a segment, in dataset order, as `SegmentDataset.to_frame()` gives it; or its blocks, one after the
        other, of which two at a time are in memory: one is written while the next is made.

    Returns
    -------
    int
        Rows written.
    """
    import pandas as pd

    n_rows = 0
    with ExitStack() as stack:
        tables: list[_ParquetTable | _PickledTable] = [
            stack.enter_context(_ParquetTable(stack.enter_context(atomic_path(parquet))))
        ]
        if pickled is not None:
            tables.append(stack.enter_context(_PickledTable(stack.enter_context(atomic_path(pickled)))))
        writing = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        written: Future[None] | None = None
        for block in [frame] if isinstance(frame, pd.DataFrame) else frame:
            if written is not None:
                written.result()
            written = writing.submit(_add, tables, block)
            n_rows += len(block)
        if written is not None:
            written.result()
    return n_rows


def _add(tables: "Iterable[_ParquetTable | _PickledTable]", block: "pd.DataFrame") -> None:
    for table in tables:
        table.add(block)


def import_ahead() -> None:
    """Import what writing needs: most of a second, which may pass beside something else."""
    for name in ("pandas", "pyarrow.parquet"):
        import_module(name)


class _ParquetTable:
    """A parquet file that grows by row groups; the first block gives the types."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pyarrow.parquet.ParquetWriter | None = None

    def add(self, block: "pd.DataFrame") -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        schema = self._writer.schema if self._writer else None
        table = pa.Table.from_pandas(block, schema, preserve_index=False)
        self._writer = self._writer or ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer:
            self._writer.close()


class _PickledTable:
    """A pickle that grows: the call pandas.concat(blocks), each block pickled as it comes.

    Protocol 3 numbers what may be referred to again; each block's numbers replace those of the one before, so that
    neither writing nor reading keeps more than one block beside the table itself.
    """

    PROTOCOL = 3

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, block: "pd.DataFrame") -> None:
        grouped = block.select_dtypes("category").columns
        plain = block.astype(dict.fromkeys(grouped, object))
        stored = pickle.dumps(plain, self.PROTOCOL)
        self._file.write(stored.removeprefix(self._head).removesuffix(pickle.STOP))

    def __enter__(self) -> Self:
        self._head = pickle.PROTO + bytes([self.PROTOCOL])
        self._file = self._path.open("wb")
        self._file.write(self._head + pickle.GLOBAL + b"pandas\nconcat\n" + pickle.EMPTY_LIST + pickle.MARK)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.write(pickle.APPENDS + pickle.TUPLE1 + pickle.REDUCE + pickle.STOP)
        self._file.close()


def read_metadata(parquet: Path, columns: list[str] | None = None) -> "pd.DataFrame":
    """Read the table of segments.

    Parameters
    ----------
    parquet : Path
        As `write_metadata` wrote it.
    columns : list of str, optional
        These only.

    Raises
    ------
    InputError
        If it is absent, not parquet, or lacks a column.
    """
    import pandas as pd

    if not parquet.is_file():
        raise InputError(f"{parquet}: no such file")
    try:
        return pd.read_parquet(parquet, columns=columns)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{parquet}: not a readable table of segments ({first_line(error)})") from None
