"""Embeddings and whose they are: one .npz without pickled objects, rows by segment_id."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.config.schema import SPLITS
from ecgppg.core.files import atomic_path
from ecgppg.store.audit import first_line

ARRAYS = ("embeddings", "segment_id", "subject_id", "split")
MAX_INFLATION = 1032


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Pooled encoder output, one vector a segment.

    Attributes
    ----------
    embeddings : array of float32, shape (n, D)
        Through the linear layer to embedding_dim, before the projector, not normalised.
    segment_id, subject_id : array of int64, shape (n,)
    split : array of str, shape (n,)
        train, val or test.
    """

    embeddings: np.ndarray
    segment_id: np.ndarray
    subject_id: np.ndarray
    split: np.ndarray

    def __len__(self) -> int:
        return len(self.segment_id)

    def sorted(self) -> "Embeddings":
        """The same rows by segment_id."""
        order = np.argsort(self.segment_id, kind="stable")
        return Embeddings(self.embeddings[order], self.segment_id[order], self.subject_id[order], self.split[order])

    def shape_problems(self) -> list[str]:
        """What is wrong with shapes and types; empty if nothing."""
        n = len(self.segment_id)
        found = []
        if self.embeddings.ndim != 2 or self.embeddings.dtype != np.float32 or len(self.embeddings) != n:
            found.append(f"embeddings are {self.embeddings.dtype} {self.embeddings.shape}, not float32 ({n}, D)")
        for name in ("segment_id", "subject_id"):
            values = getattr(self, name)
            if values.shape != (n,) or values.dtype != np.int64:
                found.append(f"{name} is {values.dtype} {values.shape}, not int64 ({n},)")
        if self.split.shape != (n,) or self.split.dtype.kind != "U":
            found.append(f"split is {self.split.dtype} {self.split.shape}, not strings ({n},)")
        return found

    def problems(self) -> list[str]:
        """What is wrong with shapes, types, order or values; empty if nothing."""
        found = self.shape_problems()
        if found:
            return found
        if (np.diff(self.segment_id) <= 0).any():
            found.append("segment_id is not strictly rising: rows are unordered or repeated")
        unknown = sorted(set(np.unique(self.split).tolist()) - set(SPLITS))
        if unknown:
            found.append(f"split {unknown[0]!r} is none of {', '.join(SPLITS)}")
        by_patient = np.argsort(self.subject_id, kind="stable")
        subject, split = self.subject_id[by_patient], self.split[by_patient]
        torn = (subject[1:] == subject[:-1]) & (split[1:] != split[:-1])
        if torn.any():
            found.append(f"patient {subject[1:][torn][0]} is in more than one split")
        n_bad = int((~np.isfinite(self.embeddings).all(axis=1)).sum())
        if n_bad:
            found.append(f"{n_bad} of {len(self)} embeddings hold values that are not finite")
        return found


def write_embeddings(path: Path, embeddings: Embeddings) -> None:
    """Write a .npz, rows sorted by segment_id.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or a value is not finite.
    """
    rows = Embeddings(
        np.asarray(embeddings.embeddings, np.float32), np.asarray(embeddings.segment_id, np.int64),
        np.asarray(embeddings.subject_id, np.int64), np.asarray(embeddings.split, str),
    )  # fmt: skip
    problems = rows.shape_problems()
    if not problems:
        rows = rows.sorted()
        problems = rows.problems()
    if problems:
        raise ValueError(f"{path.name}: {problems[0]}")
    with atomic_path(path) as temporary, open(temporary, "wb") as f:
        np.savez(f, **{name: getattr(rows, name) for name in ARRAYS})


def read_embeddings(path: Path) -> Embeddings:
    """Read and check a .npz of embeddings; nothing in it is unpickled.

    Raises
    ------
    InputError
        If it is absent, is not such a file, or its rows are not as promised.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        _check_sizes(path)
        with np.load(path, allow_pickle=False) as arrays:
            absent = [name for name in ARRAYS if name not in arrays]
            if absent:
                raise InputError(f"{path}: array {absent[0]} is absent")
            loaded = Embeddings(*(arrays[name] for name in ARRAYS))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise InputError(f"{path}: not a readable .npz ({first_line(error)})") from None
    problems = loaded.problems()
    if problems:
        raise InputError(f"{path}: {problems[0]}")
    return loaded


def _check_sizes(path: Path) -> None:
    """Arrays as large as their headers say, before one is allocated."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.file_size > MAX_INFLATION * max(info.compress_size, 1):
                raise ValueError(f"{info.filename} declares more than the file can hold")
            with archive.open(info) as f:
                version = np.lib.format.read_magic(f)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(f)
                n_bytes = dtype.itemsize
                for length in shape:
                    n_bytes *= length
                if dtype.hasobject or n_bytes != info.file_size - f.tell():
                    raise ValueError(f"{info.filename} is not the size its header says")
