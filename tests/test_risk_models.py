"""The models against scikit-learn, against planted truth, and against themselves read back from JSON."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from ecgppg.config.settings import Settings
from ecgppg.evaluation.calibration import brier_score
from ecgppg.evaluation.discrimination import auroc, average_precision
from ecgppg.evaluation.intervals import patient_bootstrap
from ecgppg.risk.analysis import analyse, leakage_warnings
from ecgppg.risk.cohort import TASKS, build_cohort
from ecgppg.risk.linear import LinearModel, fit_linear, ridge_logistic, stratified_folds
from ecgppg.risk.measure import measure
from ecgppg.risk.models import clinical_predictors, run_ladder, waveform_measurements
from ecgppg.risk.trees import TreeModel, fit_trees
from ecgppg.risk.waveform_score import cross_fitted_score, fit_waveform_score
from ecgppg.synthetic.feature_table import simulate


def _planted(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k))
    return x, (rng.random(n) < 1 / (1 + np.exp(1.5 - x[:, 0]))).astype(int)


@pytest.mark.parametrize("strength", [0.003, 0.3, 3.0])
def test_ridge_logistic_reaches_the_optimum_of_scikit_learn(strength: float) -> None:
    x, y = _planted(400, 6, 0)
    weights, intercept = ridge_logistic(x, y, strength)
    reference = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(x, y)
    assert weights == pytest.approx(reference.coef_[0], abs=1e-5)
    assert intercept == pytest.approx(reference.intercept_[0], abs=1e-5)


def test_ridge_logistic_stands_separated_outcomes() -> None:
    weights, intercept = ridge_logistic(np.array([[-1.0], [-0.9], [0.9], [1.0]]), np.array([0, 0, 1, 1]), 3.0)
    assert np.isfinite(weights).all()
    assert np.isfinite(intercept)


def test_linear_model_fills_standardises_and_survives_json() -> None:
    x, y = _planted(300, 3, 1)
    x[::7, 1] = np.nan
    x[:, 2] = 5.0
    model = fit_linear(x, y, ["a", "b", "c"], seed=0)
    assert model.weights[2] == 0
    again = LinearModel(**json.loads(json.dumps(model.to_json())))
    assert np.array_equal(again.log_odds(x), model.log_odds(x))
    assert np.isfinite(model.log_odds(np.full((1, 3), np.nan))).all()


def test_trees_predict_from_their_arrays_what_scikit_learn_predicts() -> None:
    x, y = _planted(500, 4, 2)
    model = fit_trees(x, y, list("abcd"), seed=3)
    reference = GradientBoostingClassifier(
        n_estimators=100, learning_rate=0.05, max_depth=2, subsample=0.5, min_samples_leaf=10, random_state=3
    ).fit(x, y)
    again = TreeModel(**json.loads(json.dumps(model.to_json())))
    assert again.probability(x) == pytest.approx(reference.predict_proba(x)[:, 1], abs=1e-9)


def test_folds_hold_each_patient_once_and_spread_the_events() -> None:
    y = (np.arange(103) < 13).astype(int)
    fold = stratified_folds(y, 5, seed=1)
    assert set(fold) == set(range(5))
    assert {int(y[fold == k].sum()) for k in range(5)} <= {2, 3}
    assert set(stratified_folds(np.array([1, 1, 0, 0, 0, 0]), 5, seed=1)) == {0, 1}


def test_cross_fitted_score_has_not_seen_the_patient_it_scores() -> None:
    # 60 columns of noise on 200 patients: the fit remembers, the cross-fitted score cannot.
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(200, 60)), (rng.random(200) < 0.3).astype(int)
    names = [f"w{i}" for i in range(60)]
    remembered = fit_waveform_score(x, None, y, names, 0).log_odds(x, None)
    honest = cross_fitted_score(x, None, y, names, 0)
    assert auroc(y, remembered) > 0.75
    assert abs(auroc(y, honest) - 0.5) < 0.12


def test_score_of_a_patient_does_not_depend_on_that_patients_outcome() -> None:
    x, y = _planted(200, 4, 9)
    fold = stratified_folds(y, 5, 0)
    flipped = y.copy()
    a, b = np.flatnonzero((fold == 0) & (y == 1))[0], np.flatnonzero((fold == 0) & (y == 0))[0]
    first = fit_waveform_score(x[fold != 0], None, y[fold != 0], list("abcd"), 0).log_odds(x[fold == 0], None)
    assert cross_fitted_score(x, None, y, list("abcd"), 0)[fold == 0] == pytest.approx(first)
    flipped[[a, b]] = flipped[[b, a]]
    assert np.array_equal(flipped[fold != 0], y[fold != 0])


def test_embedding_enters_as_few_components() -> None:
    rng = np.random.default_rng(5)
    direction = rng.normal(size=64)
    signal = rng.normal(size=400)
    embedding = np.outer(signal, direction) * 3 + rng.normal(size=(400, 64))
    y = (rng.random(400) < 1 / (1 + np.exp(2 - 2 * signal))).astype(int)
    score = fit_waveform_score(np.empty((400, 0)), embedding, y, [], 0)
    assert len(score.components_PD) == 10
    assert auroc(y, score.log_odds(np.empty((400, 0)), embedding)) > 0.8


def test_clinical_predictors_are_as_many_as_the_events_carry() -> None:
    frame = simulate(500, 1).features.assign(score_cha2ds2_vasc=np.arange(571) % 5)
    assert len(clinical_predictors(frame, 12)) == 3
    assert clinical_predictors(frame, 12)[0] == "f_age_years"
    assert len(clinical_predictors(frame, 55)) == 5
    assert clinical_predictors(frame.assign(f_sex_male=1), 12) == ["f_age_years", "score_cha2ds2_vasc", "f_prior_af"]


def test_how_well_a_patient_was_measured_is_no_waveform_measurement() -> None:
    frame = pd.DataFrame(columns=["f_wave_rr_cv", "f_wave_quality", "f_wave_n_windows", "f_age_years"])
    assert waveform_measurements(frame) == ["f_wave_rr_cv"]


@pytest.fixture(scope="module")
def detection():
    table, truth = simulate(2000, 42)
    chance = truth.patients[table["first_eligible"] == 1].set_index("subject_id")["probability_detection"]
    return analyse(table, TASKS[0], Settings(n_bootstrap=100), truth=chance)


def test_waveform_adds_to_the_clinic_and_nothing_beats_the_truth(detection) -> None:
    value = {name: e["auroc"].value for name, e in detection.measured.models.items()}
    assert list(value) == ["prevalence", "age_sex", "clinical", "clinical_waveform", "boosted_trees", "truth"]
    assert value["prevalence"] == 0.5
    assert value["age_sex"] < value["clinical"] < value["clinical_waveform"] < value["truth"]
    assert value["boosted_trees"] < value["truth"]
    gain = detection.measured.differences["auroc"]
    assert gain.value == pytest.approx(value["clinical_waveform"] - value["clinical"])
    assert gain.low < gain.value < gain.high


def test_paired_difference_is_surer_than_the_two_intervals_suggest(detection) -> None:
    models, gain = detection.measured.models, detection.measured.differences["auroc"]
    assert gain.high - gain.low < 0.7 * (models["clinical"]["auroc"].high - models["clinical"]["auroc"].low)


def test_interval_width_is_what_the_report_announces(detection) -> None:
    e = detection.measured.models["clinical_waveform"]["auroc"]
    assert (e.high - e.low) / 2 == pytest.approx(detection.half_width, rel=0.3)


def test_out_of_fold_predictions_are_calibrated(detection) -> None:
    e = detection.measured.models["clinical_waveform"]
    assert e["calibration_slope"].low < 1 < e["calibration_slope"].high
    assert e["calibration_intercept"].low < 0 < e["calibration_intercept"].high
    assert e["brier"].value < detection.measured.models["prevalence"]["brier"].value


def test_fewer_events_than_wanted_give_counts_and_the_reason() -> None:
    table = simulate(60, 3).features
    analysis = analyse(table, TASKS[0], Settings(min_events=30))
    assert analysis.measured is None
    assert analysis.cohort.n_patients == 60
    assert "fewer than 30 patients with the outcome" in analysis.why_not


def test_too_good_to_be_believed_is_said() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(300) < 0.2).astype(int)
    predictions = {"clinical": np.where(y == 1, 0.8, 0.2) + rng.normal(0, 0.05, 300), "age_sex": rng.random(300)}
    measured = measure(y, predictions, np.arange(300) % 5, 100, 0.95, 0)
    lines = leakage_warnings(measured)
    assert len(lines) == 1
    assert lines[0].startswith("Leakage suspected: Clinical reaches AUROC 1.00")


def test_noise_gives_an_auroc_around_one_half() -> None:
    values = []
    for seed in range(6):
        table = simulate(300, seed).features
        frame = build_cohort(table, TASKS[0]).frame
        y = np.random.default_rng(seed).permutation(np.repeat([0, 1], [len(frame) - 40, 40]))
        ladder = run_ladder(frame, y, 3, seed)
        values.append(auroc(y, ladder.predictions["clinical_waveform"], ladder.fold_N))
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)


def test_patient_bootstrap_covers_the_true_auroc() -> None:
    # Scores normal(1, 1) against normal(0, 1): the true AUROC is Phi(1 / sqrt 2) = 0.7602.
    rng = np.random.default_rng(11)
    y = np.repeat([1, 0], [30, 120])
    covered = 0
    for i in range(100):
        p = rng.normal(size=150) + y
        interval = patient_bootstrap(auroc, y, p, subject_id=np.arange(150), n_bootstrap=200, seed=i)
        covered += interval.low <= 0.7602 <= interval.high
    assert covered >= 88


def test_intervals_of_the_report_are_those_of_the_patient_bootstrap() -> None:
    rng = np.random.default_rng(12)
    y = (rng.random(200) < 0.3).astype(int)
    p = 1 / (1 + np.exp(1 - rng.normal(size=200) - y))
    e = measure(y, {"clinical": p}, np.zeros(200, int), 100, 0.9, seed=5).models["clinical"]
    for metric, statistic in (("auroc", auroc), ("auprc", average_precision), ("brier", brier_score)):
        reference = patient_bootstrap(
            statistic, y, p, subject_id=np.arange(200), n_bootstrap=100, confidence=0.9, seed=5
        )
        assert (e[metric].value, e[metric].low, e[metric].high) == pytest.approx(
            (reference.estimate, reference.low, reference.high)
        )
