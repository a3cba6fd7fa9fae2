"""Probes against scikit-learn, planted truths, and rows they must not learn from."""

import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ecgppg.evaluation import knn
from ecgppg.evaluation.discrimination import auroc
from ecgppg.evaluation.knn import knn_probe
from ecgppg.evaluation.paired import Representation, cross_fitted
from ecgppg.evaluation.probes import Probe, boosted_probe, inner_folds, linear_probe
from ecgppg.evaluation.probes_logistic import logistic_path
from ecgppg.evaluation.probes_scaling import standardised
from ecgppg.evaluation.units import patient_folds
from tests.planted_representations import planted_matrix, planted_units

PROBES = [linear_probe, boosted_probe, knn_probe]


@pytest.mark.parametrize("shape", [(150, 12), (40, 90)])
def test_the_logistic_path_is_that_of_scikit_learn(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x_ND = rng.normal(size=shape)
    y_N = (x_ND[:, 0] + rng.normal(size=shape[0]) > 0.7).astype(int)
    c_C = (1e-3, 1e-1, 1e1)
    for c, (weights, intercept) in zip(c_C, logistic_path(x_ND, y_N, c_C), strict=True):
        fitted = LogisticRegression(C=c, tol=1e-10, max_iter=5000).fit(x_ND, y_N)
        assert weights == pytest.approx(fitted.coef_[0], abs=1e-4)
        assert intercept == pytest.approx(fitted.intercept_[0], abs=1e-4)


def test_separable_rows_and_huge_values_end_in_finite_weights() -> None:
    x_ND = np.array([[-1e6, 0], [-1, 0], [1, 0], [1e6, 0]], float)
    for weights, intercept in logistic_path(x_ND, np.array([0, 0, 1, 1]), (1e-4, 1e2, 1e6)):
        assert np.isfinite([*weights, intercept]).all()


def test_standardising_learns_from_training_rows_and_marks_what_is_missing() -> None:
    rng = np.random.default_rng(1)
    train, test = rng.normal(3, 5, (50, 4)), rng.normal(0, 1, (20, 4))
    train[:, 2] = 7.1
    train[:10, 1] = test[0, 1] = test[1, 0] = np.nan
    z_train, z_test = standardised(train, test)
    assert z_train.shape == (50, 5)
    assert z_train[:, [0, 1, 3, 4]].mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert z_train[:, [0, 3, 4]].std(axis=0) == pytest.approx(1)
    assert (z_train[:, 2] == 0).all()
    assert (z_test[:, 2] == 0).all()
    assert z_test[5, 0] == pytest.approx((test[5, 0] - train[:, 0].mean()) / train[:, 0].std())
    assert (z_test[0, 1], z_test[1, 0]) == (0, 0)
    assert z_test[0, 4] > z_test[5, 4]
    assert np.array_equal(standardised(train, test[:3])[1], z_test[:3])


def test_one_wild_value_moves_no_more_than_five_deviations() -> None:
    train = np.append(np.linspace(-1, 1, 99), 1e9)[:, None]
    assert np.abs(standardised(train, np.array([[-1e300], [np.inf]]))[1]).max() <= 5


@pytest.mark.parametrize("probe", PROBES)
def test_predictions_of_a_row_do_not_depend_on_the_other_test_rows(probe: Probe) -> None:
    rng = np.random.default_rng(2)
    units = planted_units(rng, 60)
    x, _ = planted_matrix(rng, units, 1.5, 8)
    train, test = units.subject_id_U % 3 != 0, units.subject_id_U % 3 == 0
    arguments = (x[train], units.y_U[train], units.subject_id_U[train])
    whole = probe(*arguments, x[test], 3)
    assert probe(*arguments, x[test][:1], 3) == pytest.approx(whole[:1], abs=1e-12)
    assert np.array_equal(probe(*arguments, x[test], 3), whole)
    assert ((whole >= 0) & (whole <= 1)).all()


@pytest.mark.parametrize(("probe", "slack"), [(linear_probe, 0.01), (boosted_probe, 0.05), (knn_probe, 0.05)])
def test_a_planted_direction_is_found(probe: Probe, slack: float) -> None:
    rng = np.random.default_rng(3)
    units = planted_units(rng, 400)
    fold_U = patient_folds(units.subject_id_U, units.y_U, 5, 0)
    x, best_U = planted_matrix(rng, units, 2.0, 10)
    p_U = cross_fitted(Representation("planted", [x] * 5), units, fold_U, probe, [0])[0]
    best = auroc(units.y_U, best_U, fold_U)
    assert best - slack < auroc(units.y_U, p_U, fold_U) < best + 0.01


@pytest.mark.parametrize("probe", PROBES)
def test_shuffled_labels_give_a_half(probe: Probe) -> None:
    found = []
    for i in range(3):
        rng = np.random.default_rng(10 + i)
        units = planted_units(rng, 120)
        fold_U = patient_folds(units.subject_id_U, units.y_U, 5, i)
        p_SU = cross_fitted(Representation("noise", [rng.normal(size=(len(units), 10))] * 5), units, fold_U, probe, [0])
        found.append(auroc(units.y_U, p_SU[0], fold_U))
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("probe", PROBES)
def test_choices_inside_keep_patients_whole(probe: Probe) -> None:
    """Identity without signal: rows of a patient are twins. Inner folds by row would choose to remember them."""
    rng = np.random.default_rng(5)
    subject_U = np.repeat(np.arange(60), 4)
    y_U = np.repeat(rng.integers(0, 2, 60), 4)
    for inside in inner_folds(y_U == 1, subject_U, 0):
        assert not set(subject_U[inside]) & set(subject_U[~inside])
    x = np.repeat(rng.normal(size=(60, 20)), 4, axis=0) + 0.01 * rng.normal(size=(240, 20))
    p = probe(x, y_U, subject_U, rng.normal(size=(500, 20)), 0)
    assert np.isfinite(p).all()
    if probe is linear_probe:  # nothing generalises over patients, so the strongest penalties win
        assert p.std() < 0.1


@pytest.mark.parametrize("probe", PROBES)
def test_one_label_or_two_rows_still_give_an_answer(probe: Probe) -> None:
    x = np.random.default_rng(6).normal(size=(6, 3))
    assert probe(x, np.ones(6), np.arange(6), x[:2], 0) == pytest.approx(1)
    assert np.isfinite(probe(x[:2], np.array([0, 1]), np.array([4, 9]), x, 0)).all()


def test_boosted_trees_use_absence() -> None:
    rng = np.random.default_rng(7)
    y_N = rng.integers(0, 2, 300)
    x = rng.normal(size=(300, 3))
    x[(y_N == 1) & (rng.random(300) < 0.8), 1] = np.nan
    for probe in (boosted_probe, linear_probe):
        p = probe(x[:200], y_N[:200], np.arange(200), x[200:], 0)
        assert auroc(y_N[200:], p) > 0.85


def test_neighbours_are_those_of_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "BLOCK", 12)  # several blocks
    rng = np.random.default_rng(8)
    x, y_N = rng.normal(size=(5, 4)), np.array([1, 0, 0, 1, 0])
    test = rng.normal(size=(7, 4))
    p = knn_probe(x, y_N, np.zeros(5), test, 0)  # one patient: nothing to choose by, k = 1
    mean, sd = x.mean(axis=0), x.std(axis=0)
    for m, row in enumerate((test - mean) / sd):
        cosine = [row @ z / np.linalg.norm(row) / np.linalg.norm(z) for z in (x - mean) / sd]
        assert p[m] == y_N[int(np.argmax(cosine))]


def test_probes_are_fast_enough_for_a_study() -> None:
    rng = np.random.default_rng(9)
    units = planted_units(rng, 200)
    fold_U = patient_folds(units.subject_id_U, units.y_U, 5, 0)
    x, _ = planted_matrix(rng, units, 1.5, 128)
    started = time.process_time()
    cross_fitted(Representation("wide", [x] * 5), units, fold_U, linear_probe, [0])
    assert time.process_time() - started < 20
