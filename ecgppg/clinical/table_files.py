"""One table from its file: CSV, CSV.gz or Parquet, names in any case, only the columns asked for, typed at reading."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ecgppg.clinical.table_specs import TableSpec
from ecgppg.config.errors import InputError

SUFFIXES = (".csv", ".csv.gz", ".parquet")
ARROW_TYPES = {
    "id": pa.int64(),
    "int": pa.int64(),
    "time": pa.timestamp("us"),
    "text": pa.string(),
    "category": pa.dictionary(pa.int32(), pa.string()),
}
WORDS = {"id": "whole number", "int": "whole number", "time": "date or time", "text": "text", "category": "text"}
BLOCK_BYTES = 2**20
MISSING_VALUES = ["", "NULL", "NaN", "nan", "NaT"]


def find_table(folder: Path, spec: TableSpec) -> Path | None:
    """The file of a table in `folder`, any case; a plain .csv is taken before .csv.gz, that before .parquet."""
    try:
        by_name = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({type(error).__name__})") from None
    return next((by_name[name] for s in SUFFIXES if (name := spec.name.lower() + s) in by_name), None)


def read_table(path: Path, spec: TableSpec) -> pa.Table:
    """Columns of `spec`, lower-case names, types of `ARROW_TYPES`.

    Parameters
    ----------
    path : Path
        .csv, .csv.gz or .parquet.
    spec : TableSpec

    Returns
    -------
    pyarrow.Table
        Columns in the order of the spec; missing cells are null.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, or holds a value of another type (which is not repeated: it may be
        a patient's date).
    """
    with own_errors(path):
        if path.suffix.lower() == ".parquet":
            return _read_parquet(path, spec)
        return _read_csv(path, spec)


@contextmanager
def own_errors(path: Path) -> Iterator[None]:
    """Whatever goes wrong with the file inside becomes an InputError of one line."""
    try:
        yield
    except PermissionError:
        raise InputError(f"{path}: may not be read") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        cause = f"is damaged or not the table it is named for ({type(error).__name__})"
        raise InputError(f"{path}: {cause}") from None


def _read_csv(path: Path, spec: TableSpec) -> pa.Table:
    types = {name: ARROW_TYPES[kind] for name, kind in spec.columns.items()}
    with csv_batches(path, spec, types) as batches:
        return _typed(batches.read_all(), spec)


@contextmanager
def csv_batches(path: Path, spec: TableSpec, types: dict[str, pa.DataType]) -> Iterator[pyarrow.csv.CSVStreamingReader]:
    """Open a .csv or .csv.gz as a stream of record batches.

    Parameters
    ----------
    path : Path
    spec : TableSpec
        Its columns are read, optional ones where the file has them.
    types : dict of str to pyarrow.DataType
        How to read each column.

    Raises
    ------
    InputError
        A column is absent or a value is not of its type, while the stream is opened or read.
    """
    zipped = path.suffix.lower() == ".gz"
    with (gzip.open if zipped else open)(path, "rt", encoding="utf-8-sig", newline="") as text:
        header = [name.strip().lower() for name in next(csv.reader(text), [])]
    _require_columns(header, path, spec)
    convert = pyarrow.csv.ConvertOptions(
        include_columns=[name for name in spec.columns if name in header],
        column_types=types,
        null_values=MISSING_VALUES,
        strings_can_be_null=True,
        timestamp_parsers=[pyarrow.csv.ISO8601, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"],
    )
    named = pyarrow.csv.ReadOptions(column_names=header, skip_rows=1, block_size=BLOCK_BYTES)
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    try:
        with (
            pa.input_stream(str(path), compression="gzip" if zipped else None) as stream,
            pyarrow.csv.open_csv(stream, read_options=named, parse_options=parse, convert_options=convert) as batches,
        ):
            yield batches
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: {_csv_cause(str(error), header, spec)}") from None


def _read_parquet(path: Path, spec: TableSpec) -> pa.Table:
    table = pyarrow.parquet.read_table(path, columns=parquet_columns(path, spec))
    return _typed(table.rename_columns([name.lower() for name in table.column_names]), spec)


def parquet_columns(path: Path, spec: TableSpec) -> list[str]:
    """The columns of the spec as a Parquet file spells them; raises InputError where one is absent."""
    names = pyarrow.parquet.read_schema(path).names
    by_lower = {name.lower(): name for name in names}
    _require_columns([name.lower() for name in names], path, spec)
    return [by_lower[name] for name in spec.columns if name in by_lower]


def _typed(table: pa.Table, spec: TableSpec) -> pa.Table:
    """The columns of the spec in their types, nulls for an optional column that is absent."""
    typed = []
    for name, kind in spec.columns.items():
        if name not in table.column_names:
            typed.append(pa.chunked_array([pa.nulls(table.num_rows, ARROW_TYPES[kind])]))
            continue
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        typed.append(
            column.cast(pa.string()).dictionary_encode() if kind == "category" else column.cast(ARROW_TYPES[kind])
        )
    return pa.table(typed, names=list(spec.columns))


def _require_columns(present: list[str], path: Path, spec: TableSpec) -> None:
    absent = [name for name in spec.columns if name not in present and name not in spec.optional]
    if absent:
        column = absent[0]
        raise InputError(f"{path}: {spec.name} has no column {column}, needed for {spec.purpose_of(column)}")
    twice = [name for name in spec.columns if present.count(name) > 1]
    if twice:
        raise InputError(f"{path}: has column {twice[0]} twice")


def _csv_cause(message: str, header: list[str], spec: TableSpec) -> str:
    """Arrow's message in our words: the column, the row's fault, and never the value."""
    column = re.search(r"In CSV column #(\d+)", message)
    if column and int(column[1]) < len(header):
        name = header[int(column[1])]
        return f"column {name} holds a value that is no {WORDS[spec.columns[name]]}"
    if "Expected" in message and "columns, got" in message:
        return "a row has more or fewer fields than the header"
    return "is damaged or no CSV table"
