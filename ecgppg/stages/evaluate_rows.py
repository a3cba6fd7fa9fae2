"""What an evaluation computes once and keeps: arrays of one row a window, and what they were made from."""

from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.core.files import atomic_path, read_completion, write_completion


def keep_rows(path: Path, content: dict[str, Any], segment_id_N: np.ndarray, **arrays: np.ndarray) -> None:
    """Write arrays, their windows and their completion record.

    Parameters
    ----------
    path : Path
        The .npz.
    content : dict
        What they were made from.
    segment_id_N : ndarray of int64
        Windows of the rows.
    **arrays : ndarray
        By name.
    """
    held: dict[str, Any] = {"segment_id": segment_id_N, **arrays}
    with atomic_path(path) as temporary, open(temporary, "wb") as f:
        np.savez(f, **held)
    write_completion(path, content, len(segment_id_N))


def kept_rows(path: Path, content: dict[str, Any]) -> dict[str, np.ndarray] | None:
    """The arrays, where they are there and were made from the same; else None."""
    record = read_completion(path)
    if record is None or record["content"] != content:
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
