"""Rows of numbers that grow in a file while they are computed, and are still there after a kill."""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ecgppg.core.files import read_json, write_json

SAVE_EVERY_S = 20.0


class GrowingRows:
    """Rows of float32, appended in order; opened again with the same identity, those that were saved are kept.

    Parameters
    ----------
    path : Path
        The file. What is known of it lies beside it under the same name and `.json`.
    width : int
        Numbers in a row.
    identity : dict
        What the rows are of. Rows of anything else are dropped.
    """

    def __init__(self, path: Path, width: int, identity: dict[str, Any]) -> None:
        self.path, self.width = path, width
        self._state, self._identity = path.with_name(f"{path.name}.json"), {"width": width, **identity}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._n = self._kept()
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
        # Rows behind the last save may be cut short or, after a power cut, hold anything.
        self._file.truncate(self._n * 4 * width)
        self._file.seek(0, os.SEEK_END)
        self._saved_s = time.monotonic()

    def __len__(self) -> int:
        return self._n

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._file.closed:
                self._save()
        finally:
            self._file.close()

    def append(self, rows_ND: np.ndarray) -> None:
        """Add rows, (n, width)."""
        if rows_ND.shape[1:] != (self.width,):
            raise ValueError(f"rows of {self.width} numbers expected, got {rows_ND.shape}")
        self._file.write(np.ascontiguousarray(rows_ND, dtype="<f4").tobytes())
        self._n += len(rows_ND)
        if time.monotonic() - self._saved_s > SAVE_EVERY_S:
            self._save()

    def read(self) -> np.ndarray:
        """All rows, (n, width) float32, without loading them."""
        self._file.flush()
        if not self._n:
            return np.empty((0, self.width), np.float32)
        return np.memmap(self.path, np.float32, "r", shape=(self._n, self.width))

    def remove(self) -> None:
        """Remove the file, once its rows are somewhere else."""
        self._file.close()
        self._state.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _kept(self) -> int:
        state = read_json(self._state)
        if not isinstance(state, dict) or state.get("identity") != self._identity or not self.path.is_file():
            return 0
        n = state.get("rows")
        return n if isinstance(n, int) and 0 < n * 4 * self.width <= self.path.stat().st_size else 0

    def _save(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        write_json(self._state, {"identity": self._identity, "rows": self._n})
        self._saved_s = time.monotonic()
