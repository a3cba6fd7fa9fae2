"""Intervals over patients: their coverage, their edges, and what resampling windows would have claimed."""

import numpy as np
import pytest

from ecgppg.evaluation.intervals import patient_bootstrap, percentile_interval, share_with_interval


def mean(values: np.ndarray) -> float:
    return float(values.mean())


def clustered(rng: np.random.Generator, n_patients: int = 20, n_windows: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Windows that differ mostly between patients, around a true mean of 0."""
    subject_id = np.repeat(np.arange(n_patients), n_windows)
    return rng.normal(size=n_patients)[subject_id] + 0.3 * rng.normal(size=len(subject_id)), subject_id


def test_patient_intervals_cover_the_truth_and_window_intervals_do_not() -> None:
    rng = np.random.default_rng(1)
    by_patient = by_window = 0
    n_repeats = 150
    for i in range(n_repeats):
        values, subject_id = clustered(rng)
        interval = patient_bootstrap(mean, values, subject_id=subject_id, n_bootstrap=200, seed=i)
        by_patient += interval.low <= 0 <= interval.high
        windows = patient_bootstrap(mean, values, subject_id=np.arange(len(values)), n_bootstrap=200, seed=i)
        by_window += windows.low <= 0 <= windows.high
    assert 0.90 <= by_patient / n_repeats <= 0.99
    assert by_window / n_repeats < 0.5


def test_a_drawn_patient_brings_all_of_its_rows_and_nothing_else() -> None:
    subject_id = np.array([7, 3, 7, 5, 3, 7])
    drawn: list[np.ndarray] = []

    def keep(rows: np.ndarray) -> float:
        drawn.append(rows)
        return 0.0

    patient_bootstrap(keep, np.arange(6), subject_id=subject_id, n_bootstrap=50, seed=0)
    members = {7: {0, 2, 5}, 3: {1, 4}, 5: {3}}
    for rows in drawn[1:]:
        counts = np.bincount(rows, minlength=6)
        n_draws = 0
        for rows_of_patient in members.values():
            times = {int(counts[r]) for r in rows_of_patient}
            assert len(times) == 1
            n_draws += times.pop()
        assert n_draws == 3


def test_few_patients_have_no_interval_and_none_have_no_estimate() -> None:
    one = patient_bootstrap(mean, np.array([1.0, 3.0]), subject_id=np.array([4, 4]))
    assert one.estimate == 2
    assert np.isnan(one.low)
    assert one.n_patients == 1
    assert one.to_json() == {"estimate": 2.0, "low": None, "high": None, "n_patients": 1}
    none = patient_bootstrap(mean, np.zeros(0), subject_id=np.zeros(0, np.int64))
    assert np.isnan(none.estimate)
    assert none.n_patients == 0


def test_the_same_seed_gives_the_same_interval_whatever_the_order_of_rows() -> None:
    values, subject_id = clustered(np.random.default_rng(2))
    order = np.random.default_rng(3).permutation(len(values))
    first = patient_bootstrap(mean, values, subject_id=subject_id, seed=9)
    again = patient_bootstrap(mean, values[order], subject_id=subject_id[order], seed=9)
    assert (first.low, first.high) == pytest.approx((again.low, again.high))
    assert first != patient_bootstrap(mean, values, subject_id=subject_id, seed=10)


def test_expanded_percentiles_are_wider_with_few_patients() -> None:
    draws = np.random.default_rng(0).normal(size=20_000)
    few, many = percentile_interval(draws, 5, 0.95), percentile_interval(draws, 5000, 0.95)
    assert few[0] < many[0]
    assert few[1] > many[1]
    assert many == pytest.approx((-1.96, 1.96), abs=0.06)


def test_undefined_draws_give_no_interval() -> None:
    draws = np.where(np.arange(100) < 30, np.nan, 1.0)
    assert np.isnan(percentile_interval(draws, 20, 0.95)).all()


def test_none_of_twenty_patients_still_has_an_upper_end() -> None:
    subject_id = np.repeat(np.arange(20), 5)
    none = share_with_interval(np.zeros(100), subject_id)
    every = share_with_interval(np.ones(100), subject_id)
    assert (none.estimate, none.low) == (0, 0)
    # 1 - 0.025 ** (1 / 20), the exact binomial bound
    assert none.high == pytest.approx(0.1684, abs=1e-4)
    assert (every.low, every.high) == (pytest.approx(1 - none.high), 1)
