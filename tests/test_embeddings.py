"""Embeddings written, read, and refused."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgppg.config.errors import InputError
from ecgppg.store.embeddings import ARRAYS, Embeddings, read_embeddings, write_embeddings


def sample(n: int = 6) -> Embeddings:
    rng = np.random.default_rng(3)
    ids = rng.permutation(10 * n)[:n].astype(np.int64)
    splits = np.array(["train", "val", "test"])[ids % 3]
    return Embeddings(rng.standard_normal((n, 4)).astype(np.float32), ids, ids % 3, splits)


@pytest.mark.parametrize("n", [0, 1, 6])
def test_round_trip_sorts_rows_by_segment(tmp_path: Path, n: int) -> None:
    given, path = sample(n), tmp_path / "e.npz"
    write_embeddings(path, given)
    read, order = read_embeddings(path), np.argsort(given.segment_id)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(read, name), getattr(given, name)[order])
    assert read.embeddings.dtype == np.float32
    first = path.read_bytes()
    write_embeddings(path, given)
    assert path.read_bytes() == first
    with np.load(path, allow_pickle=False) as plain:
        assert set(plain) == set(ARRAYS)


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("segment_id", lambda a: np.zeros_like(a), "rising"),
        ("segment_id", lambda a: a[:-1], "embeddings are"),
        ("subject_id", lambda a: a[:-1], "subject_id is"),
        ("split", lambda a: np.array(["holdout"] * len(a)), "none of"),
        ("split", lambda a: np.array(["train", "test"] * len(a))[: len(a)], "in more than one split"),
        ("embeddings", lambda a: np.where(a > a.mean(), np.nan, a), "not finite"),
        ("embeddings", lambda a: a[:, 0], "not float32"),
    ],
)
def test_wrong_rows_are_refused_on_writing_and_reading(
    tmp_path: Path, name: str, change: Callable[[np.ndarray], np.ndarray], problem: str
) -> None:
    good = sample().sorted()
    arrays = {key: getattr(good, key) for key in ARRAYS}
    arrays[name] = change(arrays[name])
    with pytest.raises(ValueError, match=problem):
        write_embeddings(tmp_path / "w.npz", Embeddings(**arrays))
    np.savez(tmp_path / "r.npz", **arrays)
    with pytest.raises(InputError, match=problem):
        read_embeddings(tmp_path / "r.npz")


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    for content in (b"", b"no zip", pickle.dumps({"a": 1})):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"e\.npz"):
            read_embeddings(path)
    np.savez(path, **{name: np.array([{"a": 1}], dtype=object) for name in ARRAYS})
    with pytest.raises(InputError, match="not a readable"):
        read_embeddings(path)
    np.savez(path, embeddings=np.zeros((2, 2), np.float32))
    with pytest.raises(InputError, match="segment_id is absent"):
        read_embeddings(path)
    with pytest.raises(InputError, match="no such file"):
        read_embeddings(tmp_path / "absent.npz")


def test_declared_sizes_must_fit_the_file(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    claim = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 256)}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ARRAYS:
            archive.writestr(f"{name}.npy", header.getvalue())
    with pytest.raises(InputError, match="not the size its header says"):
        read_embeddings(path)
