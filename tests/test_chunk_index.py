"""The index of chunks, read and written past HDF5, is HDF5's own: it reads what we wrote and we what it wrote."""

from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.config.errors import RunError
from ecgppg.store import indexed_signals
from ecgppg.store.layout import create_signals
from ecgppg.store.merge import merge_segments
from ecgppg.store.open_source import OpenSource
from ecgppg.store.reader import open_dataset
from ecgppg.store.segments import SegmentTable
from ecgppg.store.writer import EncodedSegments, segment_writer, write_segments
from tests.store_samples import ATTRIBUTES, N_SAMPLES, make_table

PAGES = [1, 2, 1023, 1024, 1025, 2049, 8 * 1024 + 5]


def make_many(n_rows: int, subject_id: int = 1) -> SegmentTable:
    """Segments that differ: their first sample counts them."""
    few = make_table([(subject_id, "r", i) for i in range(2)])
    signals = few.signals_NCT[np.arange(n_rows) % 2].copy()
    signals[:, 0, 0] = np.arange(n_rows) % 30000
    columns = {name: np.asarray(values)[np.arange(n_rows) % 2] for name, values in few.columns.items()}
    columns["start_sample"] = np.arange(n_rows, dtype=np.int64)
    columns["segment_id"] = np.arange(n_rows, dtype=np.int64) + 10**6 * subject_id
    return SegmentTable(signals, few.scale_NC[np.arange(n_rows) % 2], columns)


def write_many(path: Path, n_rows: int, subject_id: int = 1) -> Path:
    write_segments(path, make_many(n_rows, subject_id), ATTRIBUTES)
    return path


def write_through_hdf5(path: Path, n_rows: int, room: int) -> Path:
    """Signals whose chunks HDF5 itself has placed and indexed, in a dataset that might have grown on."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        signals = create_signals(file, n_rows + room, (2, N_SAMPLES))
        for row in range(n_rows):
            signals[row] = row % 30000
        signals.resize(n_rows, axis=0)
    return path


def places(path: Path) -> list[tuple[int, int]]:
    """(offset, size) of every chunk, as HDF5 tells them."""
    with h5py.File(path) as file:
        found: dict[int, tuple[int, int]] = {}
        file["signals"].id.chunk_iter(lambda c: found.update({c.chunk_offset[0]: (c.byte_offset, c.size)}))
        return [found[row] for row in range(len(file["signals"]))]


@pytest.mark.parametrize("n_rows", PAGES)
@pytest.mark.parametrize("room", [0, 5000])
def test_what_hdf5_wrote_is_read(n_rows: int, room: int, tmp_path: Path) -> None:
    path = write_through_hdf5(tmp_path / "a.h5", n_rows, room)
    expected = places(path)
    source = OpenSource(path, h5py.File(path))
    for rows in (slice(0, n_rows), slice(n_rows // 3, n_rows // 2 + 1), slice(n_rows - 1, n_rows)):
        _, offset, size = source.chunks(rows)
        assert list(zip(offset.tolist(), size.tolist(), strict=True)) == expected[rows]
    source.close()


@pytest.mark.parametrize("n_rows", PAGES)
def test_hdf5_reads_what_was_written(n_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexed_signals, "PAGES_AT_ONCE", 2)
    shares = [n_rows // 2, n_rows - n_rows // 2] if n_rows > 1 else [1]
    parts = [write_many(tmp_path / f"{i}.h5", n, subject_id=i + 1) for i, n in enumerate(shares)]
    assert merge_segments(parts, tmp_path / "m.h5", ATTRIBUTES) == n_rows
    found = places(tmp_path / "m.h5")
    assert all(a + n == b for (a, n), (b, _) in pairwise(found)), "in one stretch"
    with open_dataset(tmp_path / "m.h5") as dataset:
        assert set(dataset.file) == {"signals", "scale", "segments"}
        assert dataset.content_hash() == dataset.attributes["content_hash"]
        assert dataset.file["signals"][:, 0, 0].tolist() == [i for n in shares for i in range(n)]


@pytest.mark.parametrize("n_rows", PAGES)
def test_hdf5_reads_what_was_laid_as_it_came(n_rows: int, tmp_path: Path) -> None:
    path, whole = tmp_path / "a.h5", make_many(n_rows)
    table = EncodedSegments.of(whole)
    with segment_writer(path, ATTRIBUTES, (2, N_SAMPLES)) as writer:
        for rows in (slice(0, n_rows // 3), slice(n_rows // 3, n_rows // 3), slice(n_rows // 3, n_rows)):
            columns = {name: values[rows] for name, values in table.columns.items()}
            writer.add(EncodedSegments(table.chunks[rows], table.scale_NC[rows], table.digests[rows], columns))
    with open_dataset(path) as dataset:
        np.testing.assert_array_equal(dataset.file["signals"][:], whole.signals_NCT)
        assert dataset.content_hash() == dataset.attributes["content_hash"]
        np.testing.assert_array_equal(dataset.column("segment_id"), whole.columns["segment_id"])
    assert all(a + n == b for (a, n), (b, _) in pairwise(places(path))), "in one stretch"


def test_what_was_laid_and_dropped_leaves_no_room(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    rng = np.random.default_rng(3)
    one = make_table([(1, "r", i) for i in range(40)])
    table = SegmentTable(rng.integers(-30000, 30000, one.signals_NCT.shape, "i2"), one.scale_NC, one.columns)
    with segment_writer(path, ATTRIBUTES, (2, N_SAMPLES)) as writer:
        writer.add(EncodedSegments.of(table))
        assert len(writer) == 40
        writer.drop_all()
    with h5py.File(path) as file:
        assert file["signals"].shape == (0, 2, N_SAMPLES)
    write_segments(tmp_path / "none.h5", make_table([]), ATTRIBUTES)
    assert path.stat().st_size == (tmp_path / "none.h5").stat().st_size


def test_hdf5_goes_on_with_such_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    merge_segments([write_many(tmp_path / "a.h5", 3000)], path, ATTRIBUTES)
    new = np.random.default_rng(1).integers(-9, 9, (2, N_SAMPLES))
    noise = np.random.default_rng(2).random(10**5)
    with h5py.File(path, "r+") as file:
        file["signals"][1500] = new
        file["noise"] = noise
        file.attrs["long"] = "x" * 50_000
    with h5py.File(path) as file, h5py.File(tmp_path / "a.h5") as before:
        expected = before["signals"][:]
        expected[1500] = new
        np.testing.assert_array_equal(file["signals"][:], expected)
        np.testing.assert_array_equal(file["noise"][:], noise)


def test_damage_of_an_index_is_found_before_a_byte_is_copied(tmp_path: Path) -> None:
    path = write_many(tmp_path / "a.h5", 3000)
    whole = path.read_bytes()
    (offset, _), _ = places(path)[1500:1502]
    entry = whole.index(offset.to_bytes(8, "little"))
    for at in (entry, entry + 8, entry + 11):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(RunError, match=r"a\.h5"):
            merge_segments([path], tmp_path / "m.h5", ATTRIBUTES, audited=True)
    with h5py.File(path, "w", libver="earliest") as file, h5py.File(write_many(tmp_path / "b.h5", 5)) as good:
        for name in ("segments", "scale"):
            good.copy(name, file)
        file.create_dataset("signals", data=good["signals"][:], chunks=(1, 2, N_SAMPLES), shuffle=True, compression=4)
    with pytest.raises(RunError, match="no index of the kind"):
        merge_segments([path], tmp_path / "m.h5", ATTRIBUTES, audited=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5", "b.h5"]
