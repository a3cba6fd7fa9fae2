"""Representations side by side: fold by fold, patient by patient, on the same draws."""

import numpy as np
import pytest

from ecgppg.evaluation.discrimination import auroc
from ecgppg.evaluation.intervals import patient_bootstrap
from ecgppg.evaluation.paired import (
    Representation,
    Scores,
    auroc_of_seeds,
    auroc_with_interval,
    cross_fitted,
    joined,
    paired_difference,
)
from ecgppg.evaluation.paired_auroc import draw_weights, weighted_auroc
from ecgppg.evaluation.probes import linear_probe
from ecgppg.evaluation.units import Units, patient_folds
from tests.planted_representations import planted_matrix, planted_units


def scene(seed: int, n_patients: int = 80) -> tuple[Units, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    units = planted_units(rng, n_patients)
    return units, patient_folds(units.subject_id_U, units.y_U, 4, seed), rng


def test_weighted_auroc_is_that_of_the_repeated_rows() -> None:
    units, fold_U, rng = scene(0, 30)
    p_SU = np.round(rng.normal(size=(2, len(units))), 1)  # ties
    weight_BU = draw_weights(units.subject_id_U, 25, 4)
    found_SB = weighted_auroc(units.y_U, p_SU, fold_U, weight_BU)
    for s in range(2):
        for b in range(25):
            rows = np.repeat(np.arange(len(units)), weight_BU[b])
            assert found_SB[s, b] == pytest.approx(auroc(units.y_U[rows], p_SU[s, rows], fold_U[rows]))


def test_draws_bring_whole_patients() -> None:
    subject_U = np.array([5, 9, 5, 2, 9, 5])
    weight_BU = draw_weights(subject_U, 100, 0)
    for subject in (2, 5, 9):
        assert (np.ptp(weight_BU[:, subject_U == subject].astype(int), axis=1) == 0).all()
    assert (weight_BU[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_the_interval_is_that_of_the_plain_patient_bootstrap() -> None:
    units, fold_U, rng = scene(1)
    p_SU = rng.normal(size=(3, len(units))) + units.y_U

    def plain(y: np.ndarray, p: np.ndarray, fold: np.ndarray) -> float:
        return float(np.mean([auroc(y, column, fold) for column in p.T]))

    slow = patient_bootstrap(plain, units.y_U, p_SU.T, fold_U, subject_id=units.subject_id_U, n_bootstrap=200, seed=5)
    fast = auroc_with_interval(Scores("a", p_SU), units, fold_U, n_bootstrap=200, seed=5)
    assert (fast.estimate, fast.low, fast.high) == pytest.approx((slow.estimate, slow.low, slow.high))
    assert fast.n_patients == slow.n_patients == 80
    assert fast.estimate == pytest.approx(auroc_of_seeds(Scores("a", p_SU), units, fold_U).mean())


def test_a_paired_difference_is_narrower_than_two_intervals_apart() -> None:
    units, fold_U, rng = scene(2, 150)
    shared = rng.normal(size=len(units)) + 1.2 * units.y_U
    a = Scores("a", (shared + 0.3 * rng.normal(size=(3, len(units)))) + 0.2 * units.y_U)
    b = Scores("b", shared + 0.3 * rng.normal(size=(3, len(units))))
    one, two = (auroc_with_interval(s, units, fold_U) for s in (a, b))
    apart = float(np.hypot(one.high - one.low, two.high - two.low))
    both = paired_difference(a, b, units, fold_U)
    assert both.high - both.low < 0.6 * apart
    assert both.estimate == pytest.approx(one.estimate - two.estimate)
    back = paired_difference(b, a, units, fold_U)
    assert (back.low, back.high) == pytest.approx((-both.high, -both.low), abs=2e-3)
    none = paired_difference(a, a, units, fold_U)
    assert (none.estimate, none.low, none.high) == (0, 0, 0)


def test_intervals_do_not_depend_on_the_order_of_units() -> None:
    units, fold_U, rng = scene(3)
    p_SU = rng.normal(size=(2, len(units))) + units.y_U
    order = rng.permutation(len(units))
    mixed = Units(units.subject_id_U[order], units.y_U[order], units.name_U[order])
    first = auroc_with_interval(Scores("a", p_SU), units, fold_U, seed=2)
    again = auroc_with_interval(Scores("a", p_SU[:, order]), mixed, fold_U[order], seed=2)
    assert (first.low, first.high) == pytest.approx((again.low, again.high))


def test_a_perfect_ranking_has_no_interval_of_no_width() -> None:
    units, fold_U, _ = scene(4, 20)
    perfect = auroc_with_interval(Scores("a", units.y_U[None].astype(float)), units, fold_U)
    assert (perfect.estimate, perfect.high) == (1, 1)
    assert 0.3 < perfect.low < 0.9


def test_predictions_come_from_the_other_folds_in_the_folds_own_matrix() -> None:
    units, fold_U, _ = scene(5)
    seen = []

    def spy(x_train, y_train, subject_train, x_test, seed):  # type: ignore[no-untyped-def]
        assert not set(subject_train) & set(x_test[:, 1])
        assert np.unique(x_train[:, 0]).tolist() == np.unique(x_test[:, 0]).tolist()
        seen.append((x_test[0, 0], seed))
        return x_test[:, 0] * 10 + seed

    own = [np.column_stack([np.full(len(units), f), units.subject_id_U]) for f in range(4)]
    p_SU = cross_fitted(Representation("own", own), units, fold_U, spy, [3, 4])
    assert (p_SU == fold_U * 10 + np.array([[3], [4]])).all()
    assert sorted(seen) == [(f, s) for f in range(4) for s in (3, 4)]


def test_a_torn_patient_or_an_absent_matrix_is_refused() -> None:
    units, fold_U, rng = scene(6)
    x, _ = planted_matrix(rng, units, 1.0, 3)
    torn = fold_U.copy()
    several = np.flatnonzero(units.subject_id_U[1:] == units.subject_id_U[:-1])[0]
    torn[several] = (torn[several] + 1) % 4
    with pytest.raises(ValueError, match="more than one fold"):
        cross_fitted(Representation("x", [x] * 4), units, torn, linear_probe, [0])
    with pytest.raises(ValueError, match="3 matrices"):
        cross_fitted(Representation("x", [x] * 3), units, fold_U, linear_probe, [0])
    with pytest.raises(ValueError, match="rows for"):
        cross_fitted(Representation("x", [x[:-1]] * 4), units, fold_U, linear_probe, [0])


def test_a_unit_without_a_prediction_is_refused() -> None:
    units, fold_U, rng = scene(7)
    p_SU = rng.normal(size=(2, len(units)))
    p_SU[1, [3, 4]] = np.nan
    with pytest.raises(ValueError, match="units have no prediction"):
        auroc_with_interval(Scores("a", p_SU), units, fold_U)


def test_joined_keeps_folds_apart() -> None:
    a, b = [np.full((3, 2), f) for f in range(2)], [np.full((3, 1), 10 + f) for f in range(2)]
    both = joined("both", Representation("a", a), Representation("b", b))
    assert [m.tolist()[0] for m in both.x_F] == [[0, 0, 10], [1, 1, 11]]
    with pytest.raises(ValueError):
        joined("both", Representation("a", a), Representation("b", b[:1]))


@pytest.mark.slow
def test_intervals_cover_the_truth() -> None:
    """Planted scores: a patient effect shared by its units, two methods correlated over patients."""
    from scipy.special import ndtr

    n_repeats, shift_a, shift_b = 400, 1.2, 0.9
    spread = np.sqrt(1 + 0.25)
    truth_a, truth_b = (float(ndtr(s / spread / np.sqrt(2))) for s in (shift_a, shift_b))
    covered, covered_difference = 0, 0
    for i in range(n_repeats):
        units, fold_U, rng = scene(1000 + i, 120)
        patient_U = np.unique(units.subject_id_U, return_inverse=True)[1]
        shared = rng.normal(size=units.n_patients)[patient_U]
        a, b = (
            Scores("", shared + 0.5 * rng.normal(size=(1, len(units))) + shift * units.y_U)
            for shift in (shift_a, shift_b)
        )
        one = auroc_with_interval(a, units, fold_U, n_bootstrap=400, seed=i)
        covered += one.low <= truth_a <= one.high
        both = paired_difference(a, b, units, fold_U, n_bootstrap=400, seed=i)
        covered_difference += both.low <= truth_a - truth_b <= both.high
    assert 0.92 <= covered / n_repeats <= 0.98
    assert 0.92 <= covered_difference / n_repeats <= 0.98
