"""What is wrong with files on disk is found and named."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.core.files import write_completion
from ecgppg.store.check import check_dataset, check_embeddings, check_metadata
from ecgppg.store.embeddings import Embeddings, write_embeddings
from ecgppg.store.merge import merge_segments
from ecgppg.store.metadata import read_metadata, write_metadata
from ecgppg.store.reader import open_dataset
from ecgppg.store.segments import Categories
from ecgppg.store.writer import replace_columns
from tests.store_samples import ATTRIBUTES, write_sample

ROWS = [(s, "r", 1250 * k) for s in (1, 2) for k in range(4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    part = write_sample(tmp_path / "part.h5", ROWS)
    labels = {"stroke_this": np.array([1, 0] * 4, np.int8), "label_x": Categories(np.array([0, 255] * 4), ("A",))}
    merge_segments([part], tmp_path / "d.h5", ATTRIBUTES, lambda _: labels)
    return tmp_path / "d.h5"


@pytest.mark.parametrize("deep", [False, True])
def test_a_good_file_has_no_problems(path: Path, deep: bool) -> None:
    write_completion(path, {}, rows=8)
    assert check_dataset(path, deep) == []
    assert check_dataset(write_sample(path.with_name("empty.h5"), []), deep) == []


def spoilt(path: Path, name: str, row: int, value: float) -> list[str]:
    with h5py.File(path, "r+") as f:
        f[name][row] = value
    return check_dataset(path)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("segments/quality", np.nan, "quality holds 1 values that are not finite"),
        ("scale", np.inf, "scale holds"),
        ("scale", -1, "scale holds"),
        ("segments/flags", 1 << 15, "bits without a name"),
        ("segments/stroke_this", 7, "other than 1, 0 and -1"),
        ("segments/label_x", 3, "codes without a name"),
        ("segments/subject_id", 9, "not in the order"),
        ("segments/segment_id", 5, "repeated in 1 rows"),
    ],
)
def test_wrong_values_are_named(path: Path, name: str, value: float, problem: str) -> None:
    if name == "segments/segment_id":
        spoilt(path, name, 3, value)
    found = spoilt(path, name, 2, value)
    assert any(problem in line for line in found), found
    assert all("\n" not in line and str(path) in line for line in found)


def test_changed_label_and_wrong_count(path: Path) -> None:
    write_completion(path, {}, rows=9)
    assert check_dataset(path) == [f"{path}: holds 8 rows, its completion record says 9"]
    assert any("labels_hash" in line for line in spoilt(path, "segments/stroke_this", 1, 1))


def test_changed_or_undecodable_signals_need_the_deep_look(path: Path) -> None:
    with h5py.File(path, "r+") as f:
        f["signals"][3, 0, 5] += 1
    assert check_dataset(path) == []
    assert check_dataset(path, deep=True) == [f"{path}: signals and columns are not those of content_hash"]
    with h5py.File(path, "r+") as f:
        f["signals"].id.write_direct_chunk((6, 0, 0), b"damaged bytes that are no deflate stream")
    assert check_dataset(path, deep=True) == [f"{path}: 1 segments cannot be decoded, the first in row 6"]


def test_column_that_cannot_be_read(path: Path) -> None:
    with h5py.File(path, "r+") as f:
        f["segments/quality"].id.write_direct_chunk((0,), b"damaged")
    assert any("quality cannot be read" in line for line in check_dataset(path))


def test_every_flipped_byte_of_a_chunk_is_found_by_the_deep_look(path: Path) -> None:
    with h5py.File(path) as f:
        info = f["signals"].id.get_chunk_info(2)
    whole = path.read_bytes()
    for offset in range(0, info.size, max(1, info.size // 25)):
        damaged = bytearray(whole)
        damaged[info.byte_offset + offset] ^= 0x10
        path.write_bytes(damaged)
        assert check_dataset(path, deep=True), offset


def test_absent_and_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_text("x")
    for name in ("absent.h5", "x.h5"):
        (problem,) = check_dataset(tmp_path / name)
        assert name in problem
    assert "no such file" in check_metadata(tmp_path / "absent.parquet")[0]
    assert "no such file" in check_embeddings(tmp_path / "absent.npz")[0]


def test_metadata_goes_with_its_dataset(path: Path) -> None:
    table = path.with_name("m.parquet")
    with open_dataset(path) as dataset:
        write_metadata(table, None, dataset.to_frame())
    assert check_metadata(table) == []
    assert check_metadata(table, path) == []
    replace_columns(path, path, [{"stroke_this": np.zeros(8, np.int8)}])
    assert check_metadata(table, path) == [f"{table}: column stroke_this differs from d.h5"]
    write_metadata(table, None, read_metadata(table).iloc[::-1])
    assert "not those of d.h5" in check_metadata(table, path)[0]
    write_metadata(table, None, read_metadata(table).drop(columns="record"))
    assert check_metadata(table) == [f"{table}: column record is absent"]


def test_embeddings(tmp_path: Path) -> None:
    ids = np.arange(3)
    write_embeddings(tmp_path / "e.npz", Embeddings(np.ones((3, 2)), ids, ids, np.array(["train"] * 3)))
    assert check_embeddings(tmp_path / "e.npz") == []
    np.savez(tmp_path / "e.npz", embeddings=np.ones((3, 2)), segment_id=ids, subject_id=ids, split=np.array(["x"] * 3))
    assert len(check_embeddings(tmp_path / "e.npz")) == 1
