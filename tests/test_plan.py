"""Which windows are candidates, and in which order."""

import numpy as np
import pytest

from ecgppg.config.settings import Settings
from ecgppg.waveform.plan import candidate_windows, frames_per_window, plan_patient, runs, spread_order, window_starts
from ecgppg.waveform.record import RecordPlan, Stretch


def record(stretches, fs_hz=125.0):
    made = tuple(Stretch("r", start, n, (), {}) for start, n in stretches)
    return RecordPlan("r", fs_hz, 10**9, 0, made)


@pytest.mark.parametrize("fs_hz", [62.4725, 125.0, 249.89, 300.0, 499.9, 25.3])
@pytest.mark.parametrize("seconds", [2.0, 10.0, 7.3])
def test_plan_candidates_are_all_that_fit(fs_hz, seconds):
    rng = np.random.default_rng(3)
    edges = np.cumsum(rng.integers(0, round(40 * fs_hz) + 2, 40))
    plan = record(list(zip(edges[::2], np.diff(edges)[::2], strict=True)), fs_hz)
    n = frames_per_window(fs_hz, seconds)
    brute = [
        k
        for k in range(round(edges[-1] / (seconds * fs_hz)) + 2)
        if any(s.start <= window_starts(np.array(k), fs_hz, seconds) and
               window_starts(np.array(k), fs_hz, seconds) + n <= s.stop for s in plan.stretches)
    ]  # fmt: skip
    np.testing.assert_array_equal(candidate_windows(plan, seconds), brute)
    assert n >= seconds * fs_hz - 1e-6


def test_plan_runs_are_six_windows_of_one_stretch():
    plan = record([(0, 1250 * 8), (1250 * 8, 1250 * 5), (1250 * 20 + 1, 1250 * 3)])
    found = runs(plan, 10.0, index=4)
    assert [tuple(run) for run in found] == [
        (4, 0, 0, 6), (4, 0, 6, 2), (4, 1, 8, 4), (4, 1, 12, 1), (4, 2, 21, 2),
    ]  # fmt: skip
    windows = np.concatenate([np.arange(run.first, run.first + run.n) for run in found])
    np.testing.assert_array_equal(windows, candidate_windows(plan, 10.0))


def test_plan_nothing_to_read():
    assert candidate_windows(record([]), 10.0).tolist() == []
    assert candidate_windows(record([(100, 1249), (2000, 1700)]), 10.0).tolist() == []
    assert plan_patient([], Settings()).runs == ()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 13, 100, 1000, 1025])
def test_spread_order_is_a_permutation(n):
    assert sorted(spread_order(n).tolist()) == list(range(n))


@pytest.mark.parametrize("n", [64, 100, 777, 1025])
def test_spread_order_every_prefix_is_spread(n):
    order = spread_order(n)
    for m in (4, 8, 16, 32):
        gaps = np.diff(np.concatenate([[0], np.sort(order[:m]), [n]]))
        assert gaps.max() <= 2.1 * n / m


def test_plan_patient_spreads_over_all_records_whatever_their_length():
    long, short = record([(0, 1250 * 600)]), record([(0, 1250 * 60)])
    plan = plan_patient([long, short], Settings())
    assert plan.n_candidates == 660
    assert len(plan.runs) == 110
    assert {run.record for run in plan.runs[:16]} == {0, 1}
    first_half = [run.first for run in plan.runs[:20] if run.record == 0]
    assert min(first_half) < 100
    assert max(first_half) > 500
