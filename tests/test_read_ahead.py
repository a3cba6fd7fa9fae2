"""Reading ahead: every batch as it was asked for, whoever reads it and with which others."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgppg.config.errors import RunError
from ecgppg.config.schema import OutputLayout
from ecgppg.data import dataset
from ecgppg.data.dataset import BatchLoader, SegmentBatch, SplitWindows, select_windows
from ecgppg.data.read_ahead import ahead_in_threads, groups_of
from ecgppg.data.sampler import epoch_batches
from ecgppg.store.reader import open_dataset
from tests.small_dataset import write_small_dataset


@pytest.fixture
def windows(tmp_path: Path) -> SplitWindows:
    layout = OutputLayout(tmp_path)
    write_small_dataset(layout, n_patients=4, n_windows=12)
    return select_windows(open_dataset(layout.dataset), np.array([3, 1, 4]))


def assert_same(one: SegmentBatch, other: SegmentBatch) -> None:
    assert torch.equal(one.x_BCT, other.x_BCT)
    assert torch.equal(one.segment_id_B, other.segment_id_B)
    assert torch.equal(one.subject_id_B, other.subject_id_B)
    torch.testing.assert_close(one.beats_B2, other.beats_B2, equal_nan=True, rtol=0, atol=0)


def test_groups_are_the_plan_cut_where_they_are_full() -> None:
    plan = [np.arange(n) for n in (3, 4, 2, 9, 1, 1)]
    assert [[len(p) for p in group] for group in groups_of(plan, 7)] == [[3, 4], [2], [9], [1, 1]]
    assert groups_of([], 7) == []


@pytest.mark.parametrize("windows_ahead", [1, 13, 1000])
@pytest.mark.parametrize("threads", [1, 3])
def test_grouping_and_threads_change_no_batch(
    windows: SplitWindows, windows_ahead: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, c, t = windows.source.shape
    monkeypatch.setattr(dataset, "THREADS", threads)
    monkeypatch.setattr(dataset, "AHEAD_BYTES", windows_ahead * 4 * c * t * (threads + 1))
    plan = epoch_batches(len(windows), 5, 0, 0)
    read = list(BatchLoader(windows).batches(plan))
    assert len(read) == len(plan)
    for positions, batch in zip(plan, read, strict=True):
        assert_same(batch, windows.read(positions))


def test_batches_of_any_lengths_with_repeats(windows: SplitWindows) -> None:
    plan = [np.array([3, 3, 0]), np.array([7]), np.array([35, 1, 3, 2, 1])]
    for positions, batch in zip(plan, BatchLoader(windows).batches(plan), strict=True):
        assert_same(batch, windows.read(positions))
    assert list(BatchLoader(windows).batches([])) == []


def test_an_epoch_continued_anywhere_reads_the_rest(windows: SplitWindows) -> None:
    whole = list(BatchLoader(windows).batches(epoch_batches(len(windows), 5, 0, 1)))
    for k in range(len(whole)):
        rest = BatchLoader(windows).batches(epoch_batches(len(windows), 5, 0, 1, start=k))
        for one, other in zip(whole[k:], rest, strict=True):
            assert_same(one, other)


def test_a_damaged_window_is_an_error_here_and_the_loader_ends(
    windows: SplitWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = windows.source
    rows = windows.row_N

    def read(asked: np.ndarray) -> np.ndarray:
        if rows[20] in asked:
            raise RunError("segment in row 20 cannot be read")
        return type(source).read(source, asked)

    monkeypatch.setattr(source, "read", read)
    with pytest.raises(RunError, match="row 20"):
        list(BatchLoader(windows).batches([np.arange(i, i + 4) for i in range(0, 36, 4)]))
    assert not any(thread.name.startswith("read-ahead") for thread in threading.enumerate())


def test_tasks_are_ahead_by_the_number_of_threads_and_stop_when_left() -> None:
    begun: list[int] = []

    def note(task: int) -> int:
        begun.append(task)
        return task

    results = ahead_in_threads(note, range(100), 3)
    assert [next(results) for _ in range(10)] == list(range(10))
    results.close()
    assert 10 <= len(begun) <= 13
    assert begun == sorted(begun)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_batches_for_a_gpu_are_there_and_the_same(windows: SplitWindows) -> None:
    plan = epoch_batches(len(windows), 5, 0, 0)
    for positions, batch in zip(plan, BatchLoader(windows, device=torch.device("cuda")).batches(plan), strict=True):
        assert batch.x_BCT.is_cuda
        assert_same(batch.to(torch.device("cpu")), windows.read(positions))
