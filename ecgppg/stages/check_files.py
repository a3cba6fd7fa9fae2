"""One artefact against its completion record: its bytes, its rows, and the files beside it."""

from pathlib import Path
from typing import Any

from ecgppg.config.schema import completion_path
from ecgppg.core.files import read_completion, read_json
from ecgppg.core.side_files import FILES, changed_files

RECORD_SUFFIX = ".done.json"
LISTS = {"discovered_patterns.json": "clusters", "validation.json": "associations", "stroke_report.json": "analyses"}
"""Artefacts in JSON whose rows are the entries of one list."""


def is_dataset(artefact: Path) -> bool:
    """Whether an artefact is a dataset file: the product, a shard or a part."""
    return artefact.suffix == ".h5"


def file_problems(artefact: Path) -> list[str]:
    """One line for each thing that is not as the completion record says.

    Parameters
    ----------
    artefact : Path
        A file that has a completion record.
    """
    path = completion_path(artefact)
    if not artefact.is_file():
        return [f"{artefact}: recorded as finished, but absent"]
    stored = read_json(path)
    if not isinstance(stored, dict) or not {"bytes", "crc32", "rows", "content"} <= stored.keys():
        return [f"{path}: not a completion record"]
    record = read_completion(artefact)
    if record is None and stored["bytes"] == artefact.stat().st_size:
        return [f"{path}: not as it was written, or of another release"]
    if record is None or read_completion(artefact, verify=True) is None:
        return [f"{artefact}: its bytes are not those that were recorded"]
    problems = changed_files(artefact.parent, record.get(FILES))
    try:
        held = _rows(artefact)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [*problems, f"{artefact}: its rows cannot be counted ({' '.join(str(error).split())[:200]})"]
    if held is not None and held != record["rows"]:
        problems.append(f"{artefact}: holds {held} rows, its completion record says {record['rows']}")
    return problems


def _rows(artefact: Path) -> int | None:
    """Rows that a file of bytes as recorded holds; None where another check counts them or rows mean nothing."""
    if artefact.suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(artefact).num_rows)
    if artefact.suffix == ".csv":
        import pandas as pd

        return len(pd.read_csv(artefact, usecols=[0]))
    if artefact.suffix == ".npz":
        import numpy as np

        with np.load(artefact, allow_pickle=False) as arrays:
            return len(arrays["segment_id"])
    if artefact.name in LISTS:
        stored: Any = read_json(artefact)
        return len(stored[LISTS[artefact.name]])
    return None
