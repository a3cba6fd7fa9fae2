"""Reading in any order, from any process, and from files that other tools wrote."""

import multiprocessing
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.config.errors import InputError, RunError
from ecgppg.store.reader import SegmentDataset, open_dataset
from tests.store_samples import make_table, write_sample

ROWS = [(s, "r", 1250 * k) for s in (1, 2) for k in range(6)]


@pytest.fixture
def dataset(tmp_path: Path) -> SegmentDataset:
    return open_dataset(write_sample(tmp_path / "d.h5", ROWS))


def physical() -> np.ndarray:
    table = make_table(ROWS)
    return table.signals_NCT * table.scale_NC[..., None]


@pytest.mark.parametrize("rows", [[0], [3, 4, 5], [11, 0, 5], [2, 2, 1, 2], [], range(12)])
def test_rows_come_in_the_order_asked_for(dataset: SegmentDataset, rows: list[int]) -> None:
    expected = physical()[np.array(rows, int)]
    read = dataset.read(rows)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, expected)
    signals, scale = dataset.read_raw(np.array(rows, int))
    np.testing.assert_array_equal(signals * scale[..., None], expected)


def test_rows_that_do_not_exist(dataset: SegmentDataset) -> None:
    for row in (-1, 12):
        with pytest.raises(IndexError, match="rows must lie in 0 to 11"):
            dataset.read([0, row])


def test_what_it_says_of_itself(dataset: SegmentDataset) -> None:
    assert dataset.channel_names == ("ECG", "PPG")
    assert dataset.fs_hz == 10.0
    assert dataset.columns[:3] == ("segment_id", "subject_id", "subject")
    assert dataset.column("record").tolist() == ["r"] * 12
    assert dataset.to_frame().columns.tolist()[:4] == ["segment_id", "subject_id", "subject", "record"]
    assert "gain" not in dataset.to_frame()
    with pytest.raises(InputError, match="no column nothing"):
        dataset.column("nothing")


def test_pickle_carries_the_path_and_no_data(dataset: SegmentDataset) -> None:
    dataset.read([0])
    blob = pickle.dumps(dataset)
    assert len(blob) < 1000
    np.testing.assert_array_equal(pickle.loads(blob).read([3]), dataset.read([3]))


def _read_in_child(dataset: SegmentDataset, rows: list[int], queue: multiprocessing.Queue) -> None:
    queue.put(dataset.read(rows))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_the_same(dataset: SegmentDataset, method: str) -> None:
    expected = dataset.read([7, 1])
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(dataset, [7, 1], queue))
    child.start()
    np.testing.assert_array_equal(queue.get(timeout=60), expected)
    child.join(60)
    np.testing.assert_array_equal(dataset.read([7, 1]), expected)


@pytest.mark.parametrize("chunks", [(5, 1, 50), None])
def test_files_laid_out_otherwise_are_read_through_h5py(
    dataset: SegmentDataset, chunks: tuple[int, ...] | None
) -> None:
    expected, content = dataset.read(range(12)), dataset.content_hash()
    dataset.close()
    with h5py.File(dataset.path, "r+") as f:
        values = f["signals"][:]
        del f["signals"]
        f.create_dataset("signals", data=values, chunks=chunks)
    with open_dataset(dataset.path) as other:
        np.testing.assert_array_equal(other.read(range(12)), expected)
        np.testing.assert_array_equal(other.read([5, 2]), expected[[5, 2]])
        assert other.content_hash() == content


def test_damaged_chunk_names_its_row(dataset: SegmentDataset) -> None:
    dataset.close()
    with h5py.File(dataset.path, "r+") as f:
        mask, chunk = f["signals"].id.read_direct_chunk((4, 0, 0))
        f["signals"].id.write_direct_chunk((4, 0, 0), chunk[: len(chunk) // 2], mask)
    with open_dataset(dataset.path) as damaged:
        assert damaged.read([3]).shape == (1, 2, 100)
        with pytest.raises(RunError, match="row 4 cannot be read"):
            damaged.read([3, 4])


def test_closed_dataset_opens_itself_again(dataset: SegmentDataset) -> None:
    with dataset as opened:
        before = opened.read([1])
    np.testing.assert_array_equal(dataset.read([1]), before)
