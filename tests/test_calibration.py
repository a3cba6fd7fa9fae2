"""Discrimination and calibration against scikit-learn, statsmodels, brute force and planted truth."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, roc_auc_score

from ecgppg.evaluation.calibration import (
    brier_score,
    calibration_groups,
    calibration_intercept,
    calibration_slope,
    net_benefit,
    recalibration,
)
from ecgppg.evaluation.discrimination import auroc, average_precision, expected_half_width, roc_curve


def _drawn(n: int, seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(-1.5, 1.0, n))
    return (rng.random(n) < p).astype(int), np.round(p, 1) if ties else p


@pytest.mark.parametrize("ties", [False, True])
def test_auroc_and_average_precision_agree_with_scikit_learn(ties: bool) -> None:
    for seed in range(5):
        y, p = _drawn(300, seed, ties)
        assert auroc(y, p) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
        assert average_precision(y, p) == pytest.approx(average_precision_score(y, p), abs=1e-12)


def test_auroc_within_folds_is_the_pair_by_pair_count() -> None:
    y, p = _drawn(120, 3, ties=True)
    fold = np.arange(120) % 4
    won = pairs = 0.0
    for i in np.flatnonzero(y == 1):
        for j in np.flatnonzero(y == 0):
            if fold[i] == fold[j]:
                won += 1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0
                pairs += 1
    assert auroc(y, p, fold) == pytest.approx(won / pairs)


def test_auroc_within_folds_does_not_punish_a_useless_model_for_its_fold() -> None:
    # Each fold gets the share of events of the other folds, as a model without signal predicts it.
    rng = np.random.default_rng(0)
    pooled, within = [], []
    for _ in range(200):
        y = (rng.random(200) < 0.1).astype(int)
        fold = rng.integers(0, 5, 200)
        p = np.array([y[fold != k].mean() for k in fold])
        pooled.append(auroc(y, p))
        within.append(auroc(y, p, fold))
    assert np.mean(pooled) < 0.45
    assert within == [0.5] * 200


def test_auroc_without_events_is_not_defined() -> None:
    assert np.isnan(auroc(np.zeros(5), np.arange(5)))
    assert np.isnan(average_precision(np.zeros(5), np.arange(5)))


def test_area_under_the_drawn_roc_curve_is_the_auroc() -> None:
    y, p = _drawn(2000, 5)
    fold = np.arange(2000) % 5
    for folds in (None, fold):
        x, sensitivity = roc_curve(y, p, folds, n_points=2001)
        assert np.trapezoid(sensitivity, x) == pytest.approx(auroc(y, p, folds), abs=0.003)
        assert (np.diff(sensitivity) >= 0).all()
        assert sensitivity[[0, -1]].tolist() == [0.0, 1.0]


def test_expected_width_is_the_spread_seen_in_simulation() -> None:
    # Exponential scores, as the formula assumes: AUROC a needs a rate ratio a / (1 - a).
    rng = np.random.default_rng(1)
    y = np.repeat([1, 0], [50, 500])
    seen = [auroc(y, np.r_[rng.exponential(3.0, 50), rng.exponential(1.0, 500)]) for _ in range(400)]
    assert np.mean(seen) == pytest.approx(0.75, abs=0.01)
    assert expected_half_width(50, 500) == pytest.approx(1.96 * np.std(seen), rel=0.12)
    assert expected_half_width(50, 1000) == pytest.approx(0.08, abs=0.005)


def test_brier_score_is_the_mean_square() -> None:
    assert brier_score(np.array([1, 0]), np.array([0.8, 0.4])) == pytest.approx((0.04 + 0.16) / 2)


def test_calibration_agrees_with_statsmodels() -> None:
    for seed in range(5):
        y, p = _drawn(400, seed)
        x = logit(p)
        joint = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit().params
        shift = sm.GLM(y, np.ones(400), offset=x, family=sm.families.Binomial()).fit().params
        assert recalibration(y, p) == pytest.approx(tuple(joint), abs=1e-6)
        assert calibration_intercept(y, p) == pytest.approx(shift[0], abs=1e-6)


def test_calibration_finds_planted_distortions() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(-1, 1, 200_000)
    y = (rng.random(x.size) < expit(x)).astype(int)
    assert calibration_slope(y, expit(x)) == pytest.approx(1, abs=0.03)
    assert calibration_slope(y, expit(2 * x)) == pytest.approx(0.5, abs=0.02)
    assert calibration_intercept(y, expit(x - 0.7)) == pytest.approx(0.7, abs=0.03)


def test_calibration_is_not_defined_for_one_outcome_or_one_prediction() -> None:
    assert np.isnan(calibration_intercept(np.ones(4), np.full(4, 0.5)))
    assert np.isnan(calibration_slope(np.array([0, 1, 0, 1]), np.full(4, 0.5)))


def test_separated_outcomes_do_not_hang_the_calibration() -> None:
    slope = calibration_slope(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert np.isnan(slope) or slope > 1


def test_calibration_groups_hold_everybody_and_no_small_cell() -> None:
    y, p = _drawn(500, 8)
    groups = calibration_groups(y, p, n_groups=10, least=11)
    assert sum(g.n for g in groups) == 500
    assert sum(g.n_events for g in groups) == y.sum()
    assert all(g.n_events >= 11 and g.n - g.n_events >= 11 for g in groups)
    assert (np.diff([g.predicted for g in groups]) > 0).all()
    assert calibration_groups(y[:20], p[:20], least=11) == []


def test_net_benefit_against_its_definition() -> None:
    y, p = _drawn(300, 4)
    for t in (0.05, 0.2, 0.5):
        acted = p >= t
        expected = (np.sum(acted & (y == 1)) - np.sum(acted & (y == 0)) * t / (1 - t)) / 300
        assert net_benefit(y, p, np.array([t]))[0] == pytest.approx(expected)
    few = np.sort(p)[-3]
    assert np.isnan(net_benefit(y, p, np.array([few]), least=11)[0])
