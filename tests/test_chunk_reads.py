"""Segments read past HDF5: the same values, whatever the index of the file, its order or the number of threads."""

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.config.errors import RunError
from ecgppg.store.chunk_reads import SEGMENTS_PER_READ, ChunkReads
from ecgppg.store.codec import unshuffle
from ecgppg.store.reader import open_dataset
from tests.store_samples import make_table, write_sample

N = 2 * SEGMENTS_PER_READ + 7
ROWS = [(1, "r", 100 * k) for k in range(N)]


def rewritten(path: Path, libver: str | tuple[str, str]) -> Path:
    """The same dataset in a file as plain h5py makes it, chunks laid down in a mixed order."""
    other = path.with_name(f"{libver[0]}.h5")
    with h5py.File(path) as source, h5py.File(other, "w", libver=libver) as file:
        for name in ("scale", "segments"):
            source.copy(name, file)
        file.attrs.update(source.attrs)
        values = source["signals"][:]
        signals = file.create_dataset(
            "signals", values.shape, "<i2", chunks=(1, *values.shape[1:]), shuffle=True, compression="gzip"
        )
        for row in np.random.default_rng(0).permutation(len(values)):
            signals[row] = values[row]
    return other


@pytest.mark.parametrize("libver", ["earliest", ("v110", "v110"), "latest"])
def test_any_index_gives_the_values_that_hdf5_gives(tmp_path: Path, libver: str | tuple[str, str]) -> None:
    path = rewritten(write_sample(tmp_path / "d.h5", ROWS), libver)
    rows = np.random.default_rng(1).integers(0, N, 3 * N)
    with open_dataset(path) as dataset, h5py.File(path, locking=False) as file:
        physical = file["signals"][:] * file["scale"][:][:, :, None]
        np.testing.assert_array_equal(dataset.read(rows), physical[rows])
        codes, scale = dataset.read_raw(rows)
        np.testing.assert_array_equal(codes, file["signals"][:][rows])
        np.testing.assert_array_equal(scale, file["scale"][:][rows])


def test_more_segments_than_a_page_of_the_index_holds(tmp_path: Path) -> None:
    rows = [(1, "r", 100 * k) for k in range(1100)]
    with open_dataset(write_sample(tmp_path / "d.h5", rows)) as dataset:
        asked = np.array([1099, 0, 1024, 1023])
        np.testing.assert_array_equal(dataset.read_raw(asked)[0], make_table(rows).signals_NCT[asked])


def test_segments_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = rewritten(write_sample(tmp_path / "d.h5", ROWS), "earliest")
    rows = np.random.default_rng(2).permutation(N)
    with h5py.File(path, locking=False) as file:
        info = [file["signals"].id.get_chunk_info_by_coord((int(row), 0, 0)).byte_offset for row in rows]
        codes = np.empty((N, 2, 100), np.int16)
        places = []
        for place, planes in ChunkReads(path, file).planes(rows):
            codes[place] = unshuffle(planes, len(place), (2, 100))
            places += place.tolist()
        np.testing.assert_array_equal(codes, file["signals"][:][rows])
    assert places == np.argsort(info).tolist()


def test_threads_read_at_a_time_what_one_reads(tmp_path: Path) -> None:
    dataset = open_dataset(write_sample(tmp_path / "d.h5", ROWS))
    asked = [np.random.default_rng(k).integers(0, N, 50) for k in range(40)]
    expected = [dataset.read(rows) for rows in asked]
    dataset.close()
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(expected, pool.map(dataset.read, asked), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_chunk_whose_filters_were_skipped_is_refused(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "d.h5", ROWS[:5])
    with h5py.File(path, "r+") as file:
        file["signals"].id.write_direct_chunk((3, 0, 0), bytes(400), 3)
    with open_dataset(path) as dataset:
        assert np.isfinite(dataset.read([0, 1, 2, 4])).all()
        with pytest.raises(RunError, match=r"d\.h5: segment in row 3 cannot be read: its chunk is not packed"):
            dataset.read([2, 3])


def test_a_file_that_became_shorter_while_open_is_an_error_that_names_the_row(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "d.h5", ROWS)
    with open_dataset(path) as dataset:
        with h5py.File(path, locking=False) as file:
            chunks = [file["signals"].id.get_chunk_info_by_coord((row, 0, 0)) for row in range(N)]
        dataset.read([0])
        os.truncate(path, chunks[50].byte_offset + chunks[50].size // 2)
        whole = [row for row in range(N) if chunks[row].byte_offset < chunks[50].byte_offset]
        assert len(dataset.read(whole)) == len(whole)
        with pytest.raises(RunError, match="segment in row 50 cannot be read"):
            dataset.read([*whole, 50])


def test_a_file_that_lost_its_index_while_open_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "d.h5", ROWS)
    with open_dataset(path) as dataset:
        with h5py.File(path, locking=False) as file:
            first = file["signals"].id.get_chunk_info_by_coord((0, 0, 0))
        os.truncate(path, first.byte_offset + first.size // 2)
        with pytest.raises(RunError, match=r"d\.h5"):
            dataset.read([0])


def test_a_dataset_that_is_closed_keeps_no_descriptor(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "d.h5", ROWS[:5])
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with open_dataset(path) as dataset:
            dataset.read([0, 4])
    assert len(os.listdir("/proc/self/fd")) == before
