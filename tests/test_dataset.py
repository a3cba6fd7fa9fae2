"""Windows of a split, read here and in worker processes."""

import pickle
from pathlib import Path

import numpy as np
import torch

from ecgppg.config.schema import OutputLayout
from ecgppg.data.dataset import BatchLoader, SplitWindows, select_windows
from ecgppg.data.sampler import epoch_batches
from ecgppg.store.reader import open_dataset
from tests.small_dataset import write_small_dataset


def windows_of(folder: Path) -> SplitWindows:
    layout = OutputLayout(folder)
    write_small_dataset(layout, n_patients=4, n_windows=6)
    return select_windows(open_dataset(layout.dataset), np.array([3, 1]))


def test_windows_are_those_of_the_patients_ordered_by_segment_id(tmp_path: Path) -> None:
    windows = windows_of(tmp_path)
    assert len(windows) == 12
    assert set(windows.subject_id_N.tolist()) == {1, 3}
    assert (np.diff(windows.segment_id_N) > 0).all()
    source = windows.source
    np.testing.assert_array_equal(source.column("segment_id")[windows.row_N], windows.segment_id_N)
    batch = windows.read(np.array([7, 0]))
    np.testing.assert_array_equal(batch.x_BCT.numpy(), source.read(windows.row_N[[7, 0]]))
    assert batch.x_BCT.dtype == torch.float32
    assert batch.segment_id_B.tolist() == windows.segment_id_N[[7, 0]].tolist()


def test_fingerprint_names_the_windows(tmp_path: Path) -> None:
    windows = windows_of(tmp_path)
    same = select_windows(windows.source, np.array([1, 3]))
    other = select_windows(windows.source, np.array([1, 2]))
    assert windows.fingerprint() == same.fingerprint() != other.fingerprint()


def test_windows_pickle_small_and_read_the_same(tmp_path: Path) -> None:
    windows = windows_of(tmp_path)
    windows.read(np.arange(3))
    pickled = pickle.dumps(windows)
    assert len(pickled) < 5000
    assert torch.equal(pickle.loads(pickled).read(np.arange(12)).x_BCT, windows.read(np.arange(12)).x_BCT)


def test_batches_of_two_workers_are_those_of_none_in_every_epoch(tmp_path: Path) -> None:
    windows = windows_of(tmp_path)
    here, workers = BatchLoader(windows, 0), BatchLoader(windows, 2)
    for epoch in (0, 1):
        plan = epoch_batches(len(windows), 5, 0, epoch)
        for a, b in zip(here.batches(plan), workers.batches(plan), strict=True):
            assert torch.equal(a.x_BCT, b.x_BCT)
            assert torch.equal(a.segment_id_B, b.segment_id_B)
            assert torch.equal(a.subject_id_B, b.subject_id_B)
            assert torch.equal(a.beats_B2, b.beats_B2)


def test_a_batch_carries_the_rate_and_irregularity_of_its_windows(tmp_path: Path) -> None:
    windows = windows_of(tmp_path)
    rate_N, cv_N = (windows.source.column(name) for name in ("heart_rate_bpm", "rr_cv"))
    rows = windows.row_N[[5, 2, 9]]
    beats_B2 = windows.read(np.array([5, 2, 9])).beats_B2
    assert beats_B2.dtype == torch.float32
    np.testing.assert_array_equal(beats_B2.numpy(), np.stack([rate_N[rows], cv_N[rows]], axis=1))
