"""Partners near in time, beside a search over all pairs; and that they are the same however they are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgppg.config.schema import UNKNOWN_TIME_US, OutputLayout
from ecgppg.data.dataset import BatchLoader, SplitWindows, select_windows
from ecgppg.data.partners import near_partners, paired_batches
from ecgppg.data.sampler import epoch_batches
from ecgppg.store.reader import open_dataset
from tests.small_dataset import write_small_dataset

NEAR_S = 60.0


class Table:
    """A source of columns alone: 300 windows of 5 patients, in records with and without a known time."""

    def __init__(self, extreme: bool = False) -> None:
        self.attributes: dict[str, Any] = {}
        rng = np.random.default_rng(0)
        n = 300
        subject_N = rng.integers(0, 5, n)
        number_N = rng.integers(0, 4, n)
        known_N = number_N > 1
        start_N = rng.integers(0, 200_000, n)
        start_us_N = 1_000_000 * rng.integers(0, 800, n) + 7_000_000_000 * number_N
        if extreme:
            start_us_N[:4] = [-(2**62), 2**63 - 1, 2**63 - 2, -(2**63) + 1]
        fs_hz_N2 = np.tile(np.array([[500.0, 250.0]], np.float32), (n, 1))
        fs_hz_N2[rng.random(n) < 0.3, 1] = 0
        self.columns = {
            "segment_id": rng.integers(0, 2**62, n),
            "subject_id": subject_N,
            "record": np.array([f"s{s}/r{r}" for s, r in zip(subject_N, number_N, strict=True)], object),
            "start_sample": start_N,
            "start_time_us": np.where(known_N, start_us_N, UNKNOWN_TIME_US),
            "fs_hz": fs_hz_N2,
            "heart_rate_bpm": np.zeros(n, np.float32),
            "rr_cv": np.zeros(n, np.float32),
        }

    def column(self, name: str) -> np.ndarray:
        return self.columns[name]

    def read(self, indices: np.ndarray) -> np.ndarray:
        return np.zeros((len(indices), 2, 4), np.float32)

    def are_near(self, i: int, j: int) -> bool:
        """Rows i and j by definition; numbers are Python's own, which do not overflow."""
        c = self.columns
        if i == j or c["subject_id"][i] != c["subject_id"][j] or c["record"][i] != c["record"][j]:
            return False
        times = [int(c["start_time_us"][k]) for k in (i, j)]
        if UNKNOWN_TIME_US in times:
            times = [int(c["start_sample"][k]) * 4000 for k in (i, j)]
        return abs(times[0] - times[1]) <= NEAR_S * 1e6


def windows_of(source: Table) -> SplitWindows:
    return select_windows(source, np.arange(4))


@pytest.mark.parametrize("extreme", [False, True])
def test_every_partner_is_near_and_every_near_window_is_drawn_alike(extreme: bool) -> None:
    source = Table(extreme)
    windows = windows_of(source)
    partners, every = near_partners(windows, NEAR_S), np.arange(len(windows))
    near = [{j for j in every if source.are_near(windows.row_N[i], windows.row_N[j])} for i in every]
    drawn = np.array([partners.of(every, 3, epoch) for epoch in range(80)])
    for i in every:
        assert (set(drawn[:, i].tolist()) - {-1}) <= near[i]
        assert (drawn[:, i] == -1).all() == (not near[i])
    several = [i for i in every if 2 <= len(near[i]) <= 3]
    missed = sum(set(drawn[:, i].tolist()) != near[i] for i in several)
    assert len(several) > 40
    assert missed == 0


def test_a_partner_depends_on_seed_epoch_and_window_alone() -> None:
    windows = windows_of(Table())
    partners, every = near_partners(windows, NEAR_S), np.arange(len(windows))
    together = partners.of(every, 0, 4)
    some = np.array([9, 100, 3, 9])
    np.testing.assert_array_equal(partners.of(some, 0, 4), together[some])
    assert (together != partners.of(every, 0, 5)).mean() > 0.2
    assert (together != partners.of(every, 1, 4)).mean() > 0.2
    assert (partners.of(every, 0, -1) >= 0).sum() == (together >= 0).sum()


def test_windows_whose_time_cannot_be_known_have_no_partner() -> None:
    source = Table()
    source.columns["start_time_us"][:] = UNKNOWN_TIME_US
    source.columns["fs_hz"][:] = 0
    assert (near_partners(windows_of(source), NEAR_S).count_N == 1).all()


def test_no_windows_have_no_partners() -> None:
    partners = near_partners(select_windows(Table(), np.array([99])), NEAR_S)
    assert partners.of(np.zeros(0, np.int64), 0, 0).shape == (0,)


@pytest.fixture
def small(tmp_path: Path) -> SplitWindows:
    layout = OutputLayout(tmp_path)
    write_small_dataset(layout, n_patients=4, n_windows=6)
    return select_windows(open_dataset(layout.dataset), np.array([3, 1]))


def test_batches_end_with_the_partners_of_their_windows(small: SplitWindows) -> None:
    partners = near_partners(small, 20)
    plan = epoch_batches(len(small), 5, 0, 2)
    for positions, batch in zip(plan, paired_batches(BatchLoader(small), plan, partners, 0, 2), strict=True):
        assert batch.anchor_K is not None
        assert batch.n_anchors == 5
        assert batch.segment_id_B[:5].tolist() == small.segment_id_N[positions].tolist()
        drawn = partners.of(positions[batch.anchor_K.numpy()], 0, 2)
        assert batch.segment_id_B[5:].tolist() == small.segment_id_N[drawn].tolist()
        assert batch.subject_id_B[5:].tolist() == batch.subject_id_B[batch.anchor_K].tolist()
        np.testing.assert_array_equal(batch.x_BCT[5:].numpy(), small.source.read(small.row_N[drawn]))


def test_any_worker_reads_the_same_partners_from_any_batch_on(small: SplitWindows) -> None:
    partners, n = near_partners(small, 20), len(small)
    here = list(paired_batches(BatchLoader(small), epoch_batches(n, 4, 0, 1), partners, 0, 1))
    there = list(paired_batches(BatchLoader(small, 2), epoch_batches(n, 4, 0, 1, start=1), partners, 0, 1))
    assert len(here) == len(there) + 1
    for a, b in zip(here[1:], there, strict=True):
        assert a.segment_id_B.tolist() == b.segment_id_B.tolist()
        assert a.anchor_K.tolist() == b.anchor_K.tolist()
        assert (a.x_BCT == b.x_BCT).all()


def test_without_partners_a_plan_is_read_as_it_is(small: SplitWindows) -> None:
    plan = epoch_batches(len(small), 5, 0, 0)
    for positions, batch in zip(plan, paired_batches(BatchLoader(small), plan, None, 0, 0), strict=True):
        assert batch.anchor_K is None
        assert batch.segment_id_B.tolist() == small.segment_id_N[positions].tolist()
