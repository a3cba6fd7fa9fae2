"""Embeddings and whose they are: one .npz without pickled objects, rows by segment_id."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.config.schema import SPLITS
from ecgppg.core.files import atomic_path
from ecgppg.store.audit import first_line

ARRAYS = ("embeddings", "segment_id", "subject_id", "split")
MAX_INFLATION = 1032
ROWS_PER_BLOCK = 16384
UNMET = "other"
"""Split of a patient of another cohort whom the encoder has not met."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Pooled encoder output, one vector a segment.

    Attributes
    ----------
    embeddings : array of float32, shape (n, D)
        Through the linear layer to embedding_dim, before the projector, not normalised.
    segment_id, subject_id : array of int64, shape (n,)
    split : array of str, shape (n,)
        train, val or test; other for a patient of another cohort whom the encoder has not met.
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
        found = _column_problems(self.segment_id, self.subject_id, self.split)
        n_bad = sum(int((~np.isfinite(block).all(axis=1)).sum()) for block in _blocks(self.embeddings))
        if n_bad:
            found.append(f"{n_bad} of {len(self)} embeddings hold values that are not finite")
        return found


def write_embeddings(path: Path, embeddings: Embeddings, rows: np.ndarray | None = None) -> None:
    """Write a .npz, rows sorted by segment_id.

    Parameters
    ----------
    path : Path
        Written whole or not at all.
    embeddings : Embeddings
        Rows in any order. Where `embeddings.embeddings` lies in a file, a block of it is in memory at a time.
    rows : ndarray of int, optional
        Which rows; all of them by default.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or a value is not finite.
    """
    given = Embeddings(
        np.asarray(embeddings.embeddings, np.float32), np.asarray(embeddings.segment_id, np.int64),
        np.asarray(embeddings.subject_id, np.int64), np.asarray(embeddings.split, str),
    )  # fmt: skip
    problems = given.shape_problems()
    if not problems:
        chosen = np.arange(len(given)) if rows is None else np.asarray(rows, np.int64)
        chosen = chosen[np.argsort(given.segment_id[chosen], kind="stable")]
        columns = [getattr(given, name)[chosen] for name in ARRAYS[1:]]
        problems = _column_problems(*columns)
    if problems:
        raise ValueError(f"{path.name}: {problems[0]}")
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with _array(archive, ARRAYS[0], np.dtype(np.float32), (len(chosen), given.embeddings.shape[1])) as stream:
            for part in _blocks(chosen):
                block = given.embeddings[part]
                if not np.isfinite(block).all():
                    raise ValueError(f"{path.name}: embeddings hold values that are not finite")
                stream.write(block.tobytes())
        for name, values in zip(ARRAYS[1:], columns, strict=True):
            with _array(archive, name, values.dtype, values.shape) as stream:
                stream.write(values.tobytes())


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


def _column_problems(segment_id: np.ndarray, subject_id: np.ndarray, split: np.ndarray) -> list[str]:
    found = []
    if (np.diff(segment_id) <= 0).any():
        found.append("segment_id is not strictly rising: rows are unordered or repeated")
    unknown = sorted(set(np.unique(split).tolist()) - {*SPLITS, UNMET})
    if unknown:
        found.append(f"split {unknown[0]!r} is none of {', '.join((*SPLITS, UNMET))}")
    by_patient = np.argsort(subject_id, kind="stable")
    subject, of_split = subject_id[by_patient], split[by_patient]
    torn = (subject[1:] == subject[:-1]) & (of_split[1:] != of_split[:-1])
    if torn.any():
        found.append(f"patient {subject[1:][torn][0]} is in more than one split")
    return found


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), ROWS_PER_BLOCK):
        yield rows[start : start + ROWS_PER_BLOCK]


@contextmanager
def _array(archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> Iterator[IO[bytes]]:
    """One array of a .npz, to be written row after row behind its header."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        yield stream


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
