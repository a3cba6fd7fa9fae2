"""Verify what lies on disk: each problem is one line; an empty list means all is well.

Whether a file's bytes are still those that were written is told by its completion record, which is not looked at
here; here it is whether they make sense.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.config.errors import EcgppgError, InputError, RunError
from ecgppg.config.schema import CLINICAL_COLUMNS, FLAGS, LINK_GRADES, SEGMENT_COLUMNS, is_label
from ecgppg.core.files import read_completion
from ecgppg.store.content_hash import labels_hash
from ecgppg.store.embeddings import read_embeddings
from ecgppg.store.metadata import read_metadata
from ecgppg.store.reader import SEGMENTS_PER_BLOCK, SegmentDataset, open_dataset
from ecgppg.store.segments import Categories, Values, dataset_order, plain

MAY_BE_NAN = {c.name for c in (*SEGMENT_COLUMNS, *CLINICAL_COLUMNS) if "NaN" in c.meaning}
"""Columns whose meaning in the schema says when they are NaN."""


def check_dataset(path: Path, deep: bool = False) -> list[str]:
    """Check a dataset file.

    Parameters
    ----------
    path : Path
        The file.
    deep : bool
        Decode every segment too, and compare the content hash.

    Returns
    -------
    list of str
    """
    try:
        with open_dataset(path) as dataset:
            found = _columns_problems(dataset) + _hash_problems(dataset, deep)
            record = read_completion(path)
            if record is not None and record.get("rows") != len(dataset):
                found.append(f"holds {len(dataset)} rows, its completion record says {record.get('rows')}")
    except (InputError, RunError) as error:
        return [str(error)]
    return [f"{path}: {problem}" for problem in found]


def _columns_problems(dataset: SegmentDataset) -> list[str]:
    columns: dict[str, Values] = {}
    found: list[str] = []
    for name in dataset.columns:
        try:
            columns[name] = dataset.values(name)
        except (OSError, ValueError) as error:
            found.append(f"column {name} cannot be read ({error})")
            continue
        found += _value_problems(name, columns[name])
    if not {column.name for column in SEGMENT_COLUMNS if not column.later} <= set(columns):
        return found
    if not np.array_equal(dataset_order(columns), np.arange(len(dataset))):
        found.append("rows are not in the order of subject_id, record, start_sample")
    n_repeated = len(dataset) - len(np.unique(plain(columns["segment_id"])))
    if n_repeated:
        found.append(f"segment_id is repeated in {n_repeated} rows")
    return found


def _value_problems(name: str, values: Values) -> list[str]:
    if isinstance(values, Categories):
        known = values.codes[values.codes != Categories.UNKNOWN]
        wrong = bool(known.size) and int(known.max()) >= len(values.names)
        return [f"column {name} holds codes without a name"] if wrong else []
    if values.dtype.kind == "f" and name not in MAY_BE_NAN and not np.isfinite(values).all():
        return [f"column {name} holds {int((~np.isfinite(values)).sum())} values that are not finite"]
    if name == "link_grade" and (values >= len(LINK_GRADES)).any():
        return ["column link_grade holds codes without a name"]
    if name == "flags" and (values >> len(FLAGS)).any():
        return ["column flags holds bits without a name"]
    if values.dtype == np.int8 and is_label(name) and not np.isin(values, (-1, 0, 1)).all():
        return [f"column {name} holds values other than 1, 0 and -1"]
    return []


def _hash_problems(dataset: SegmentDataset, deep: bool) -> list[str]:
    attributes = dataset.attributes
    found = []
    try:
        if attributes.get("labels_hash") != labels_hash(dataset.file):
            found.append("labels are not those of labels_hash")
        if not deep:
            return found
        undecodable = _undecodable(dataset)
        if undecodable:
            return [*found, *undecodable]
        if attributes.get("content_hash") != dataset.content_hash():
            found.append("signals and columns are not those of content_hash")
    except OSError as error:
        found.append(f"cannot be read ({error})")
    return found


def _undecodable(dataset: SegmentDataset) -> list[str]:
    """Rows whose segment cannot be decoded: how many, and the first."""
    rows = []
    for start in range(0, len(dataset), SEGMENTS_PER_BLOCK):
        block = range(start, min(start + SEGMENTS_PER_BLOCK, len(dataset)))
        if not _readable(dataset, block):
            rows += [row for row in block if not _readable(dataset, [row])]
    return [f"{len(rows)} segments cannot be decoded, the first in row {rows[0]}"] if rows else []


def _readable(dataset: SegmentDataset, rows: Any) -> bool:
    try:
        dataset.read_raw(list(rows))
    except RunError:
        return False
    return True


def check_metadata(parquet: Path, dataset: Path | None = None) -> list[str]:
    """Check the table of segments, and that its rows are those of the dataset.

    Parameters
    ----------
    parquet : Path
        The table.
    dataset : Path, optional
        The dataset file it goes with.
    """
    try:
        table = read_metadata(parquet)
    except EcgppgError as error:
        return [str(error)]
    needed = [column.name for column in SEGMENT_COLUMNS if not column.per_channel and not column.later]
    found = [f"column {name} is absent" for name in needed if name not in table]
    if not found and dataset is not None:
        try:
            with open_dataset(dataset) as opened:
                if not np.array_equal(table["segment_id"].to_numpy(), opened.column("segment_id")):
                    found.append(f"its segments are not those of {dataset.name}, row by row")
                found += [
                    f"column {name} differs from {dataset.name}"
                    for name in opened.columns
                    if is_label(name) and not found and not _same_column(table, name, opened)
                ]
        except EcgppgError as error:
            return [str(error)]
    return [f"{parquet}: {problem}" for problem in found]


def _same_column(table: Any, name: str, dataset: SegmentDataset) -> bool:
    if name not in table:
        return False
    values = dataset.values(name)
    expected = values.decoded() if isinstance(values, Categories) else values
    return table[name].astype(object).where(table[name].notna(), None).tolist() == expected.tolist()


def check_embeddings(path: Path) -> list[str]:
    """Check a .npz of embeddings."""
    try:
        read_embeddings(path)
    except InputError as error:
        return [str(error)]
    return []
