"""Rows of CHARTEVENTS: streamed block by block, only the items and patients asked for are kept.

The full table has 330 million rows and 33 GB. Every column but the item is read as text, since all but a few rows in a
thousand are thrown away before a date or a number is needed.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from ecgppg.clinical.table_files import ARROW_TYPES, csv_batches, find_table, own_errors, parquet_columns
from ecgppg.clinical.table_specs import CHART_EVENTS
from ecgppg.config.errors import InputError

_PARQUET_ROWS = 2**18
_SCREENED = {"itemid": pa.int32()}


def read_chart_events(
    clinical_dir: Path, item_ids: Collection[int], subject_ids: Collection[int] | np.ndarray
) -> pd.DataFrame | None:
    """Rows of some items of some patients.

    Parameters
    ----------
    clinical_dir : Path
        Folder of the tables.
    item_ids, subject_ids : collection of int

    Returns
    -------
    DataFrame or None
        subject_id (int64), charttime (datetime64[us]), value (str), in the order of the file; rows without a patient, a
        time or a value, and those marked as errors, are left out. None where the folder holds no CHARTEVENTS.

    Raises
    ------
    InputError
        The file is damaged, lacks a column, or holds a value of another type in a row that is kept.
    """
    path = find_table(Path(clinical_dir), CHART_EVENTS)
    if path is None:
        return None
    items = pa.array(sorted(item_ids), pa.int32())
    subjects = pa.array(np.unique(np.asarray(list(subject_ids), np.int64)))
    with own_errors(path):
        kept = [_screen(batch, items, subjects, path) for batch in _batches(path)]
        table = pa.concat_tables([_nothing(), *(piece for piece in kept if piece.num_rows)])
    return table.to_pandas(coerce_temporal_nanoseconds=False)


def _nothing() -> pa.Table:
    return pa.table(
        {
            "subject_id": pa.array([], pa.int64()),
            "charttime": pa.array([], pa.timestamp("us")),
            "value": pa.array([], pa.string()),
        }
    )


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The columns of `CHART_EVENTS`, lower case, as the file holds them or as text."""
    if path.suffix.lower() == ".parquet":
        with pyarrow.parquet.ParquetFile(path) as opened:
            for batch in opened.iter_batches(_PARQUET_ROWS, columns=parquet_columns(path, CHART_EVENTS)):
                yield batch.rename_columns([name.lower() for name in batch.schema.names])
        return
    types = {name: _SCREENED.get(name, pa.string()) for name in CHART_EVENTS.columns}
    with csv_batches(path, CHART_EVENTS, types) as batches:
        yield from batches


def _screen(batch: pa.RecordBatch, items: pa.Array, subjects: pa.Array, path: Path) -> pa.Table:
    """Rows of a batch that are wanted, in the types of `read_chart_events`."""
    rows = pa.Table.from_batches([batch])
    rows = rows.filter(pc.is_in(rows.column("itemid").cast(pa.int32()), value_set=items))
    if not rows.num_rows:
        return _nothing()
    typed = {name: _cast(rows, name, path) for name in ("subject_id", "charttime", "value")}
    wanted = pc.is_in(typed["subject_id"], value_set=subjects)
    if "error" in rows.column_names:
        wanted = pc.and_(wanted, pc.not_equal(pc.fill_null(_cast(rows, "error", path), 0), 1))
    return pa.table(typed).filter(wanted).drop_null()


def _cast(rows: pa.Table, name: str, path: Path) -> pa.ChunkedArray:
    try:
        return rows.column(name).cast(ARROW_TYPES[CHART_EVENTS.columns[name]])
    except pa.ArrowInvalid:
        raise InputError(f"{path}: column {name} holds a value that is of another type") from None
