"""What an embedding knows: ridge against scikit-learn, planted rates, planted identities."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.preprocessing import StandardScaler

from ecgppg.evaluation import knows
from ecgppg.evaluation.knows import readout, same_recording
from ecgppg.evaluation.knows_ridge import PENALTIES, _path, ridge_predictions
from ecgppg.evaluation.knows_thinning import thinned
from ecgppg.evaluation.units import patient_folds


def windows(seed: int, n_patients: int = 60, n_windows: int = 8) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    subject_N = np.repeat(np.arange(n_patients) * 3, n_windows)
    fold_N = patient_folds(subject_N, np.zeros(len(subject_N)), 5, 0)
    return subject_N, fold_N, rng


def test_the_ridge_path_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x, test = rng.normal(size=(50, 70)), rng.normal(size=(9, 70))
    target = x[:, 0] * 5 + rng.normal(size=50) + 80
    path = _path(x, test, target)
    for penalty, predicted in zip(PENALTIES, path, strict=True):
        fitted = Ridge(alpha=penalty * 50, solver="svd").fit(x, target)
        assert predicted == pytest.approx(fitted.predict(test), rel=1e-6)


def test_the_chosen_penalty_is_the_one_a_plain_search_over_patients_chooses() -> None:
    subject_N, _, rng = windows(1)
    x = rng.normal(size=(len(subject_N), 12)) * 4 + 2
    target = x[:, 0] + 6 * rng.normal(size=len(subject_N))
    inner = patient_folds(subject_N, np.zeros(len(subject_N)), 5, 3)
    errors = []
    for penalty in PENALTIES:
        error = 0.0
        for fold in range(5):
            scaler = StandardScaler().fit(x[inner != fold])
            n = int((inner != fold).sum())
            fitted = Ridge(alpha=penalty * n).fit(scaler.transform(x[inner != fold]), target[inner != fold])
            error += ((fitted.predict(scaler.transform(x[inner == fold])) - target[inner == fold]) ** 2).sum()
        errors.append(error)
    best = PENALTIES[int(np.argmin(errors))]
    assert 0.001 < best < 1000
    scaler = StandardScaler().fit(x)
    fitted = Ridge(alpha=best * len(x)).fit(scaler.transform(x), target)
    new = rng.normal(size=(5, 12)) * 4 + 2
    assert ridge_predictions(x, target, subject_N, new, 3) == pytest.approx(fitted.predict(scaler.transform(new)))


def test_a_planted_rate_is_read_and_measured_as_scikit_learn_measures_it() -> None:
    subject_N, fold_N, rng = windows(2)
    rate_bpm = 80 + 15 * rng.normal(size=60)[np.unique(subject_N, return_inverse=True)[1]]
    x = rng.normal(size=(len(rate_bpm), 16))
    x[:, 3] += rate_bpm / 5
    rate_bpm[rng.random(len(rate_bpm)) < 0.1] = np.nan
    found = readout([x] * 5, rate_bpm, subject_N, fold_N)
    known = np.isfinite(rate_bpm)
    predicted = np.full(len(rate_bpm), np.nan)
    for f in range(5):
        train = known & (fold_N != f)
        predicted[fold_N == f] = ridge_predictions(x[train], rate_bpm[train], subject_N[train], x[fold_N == f], 0)
    assert found.r2.estimate == pytest.approx(r2_score(rate_bpm[known], predicted[known]))
    assert found.mean_absolute_error.estimate == pytest.approx(mean_absolute_error(rate_bpm[known], predicted[known]))
    assert 0.8 < found.r2.low < found.r2.estimate < found.r2.high < 0.97
    assert found.mean_absolute_error.low < found.mean_absolute_error.estimate < found.mean_absolute_error.high < 6
    assert (found.n_windows, found.r2.n_patients) == (known.sum(), 60)


def test_identity_is_not_taken_for_the_rate() -> None:
    """A patient's own code predicts its rate only where the patient is on both sides."""
    subject_N, fold_N, rng = windows(3)
    of_N = np.unique(subject_N, return_inverse=True)[1]
    x = rng.normal(size=(60, 40))[of_N] + 0.05 * rng.normal(size=(len(of_N), 40))
    found = readout([x] * 5, rng.normal(size=60)[of_N], subject_N, fold_N)
    assert found.r2.estimate < 0.1


def test_each_fold_is_read_in_its_own_matrix() -> None:
    subject_N, fold_N, rng = windows(4)
    target = rng.normal(size=len(subject_N))
    x_F = [np.column_stack([target, rng.normal(size=len(target))]) @ rng.normal(size=(2, 2)) for _ in range(5)]
    assert readout(x_F, target, subject_N, fold_N).r2.estimate > 0.99


def test_too_few_patients_have_no_interval() -> None:
    found = readout([np.ones((3, 2))], np.array([1.0, np.nan, np.nan]), np.array([1, 2, 3]), np.array([0, 0, 0]))
    assert np.isnan(found.r2.estimate)
    assert found.n_windows == 1


def test_a_recording_is_found_again_as_a_plain_loop_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knows, "BLOCK", 100)  # several blocks
    subject_N, fold_N, rng = windows(5, 30, 4)
    record_N = np.where(np.arange(len(subject_N)) % 4 < 2, "a", "b")  # the same names with every patient
    record_N[:4] = ["a", "b", "b", "b"]
    x = rng.normal(size=(60, 6))[np.arange(len(subject_N)) // 2] + 0.6 * rng.normal(size=(len(subject_N), 6))
    found = same_recording([x] * 5, record_N, subject_N, fold_N)
    hits, chance = [], []
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i and fold_N[j] == fold_N[i]]
        mates = [j for j in others if (subject_N[j], record_N[j]) == (subject_N[i], record_N[i])]
        if mates:
            cosine = [x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j]) for j in others]
            hits.append(others[int(np.argmax(cosine))] in mates)
            chance.append(len(mates) / len(others))
    assert found.top_1.estimate == pytest.approx(np.mean(hits))
    assert found.chance == pytest.approx(np.mean(chance))
    assert found.n_windows == len(hits) == len(x) - 1
    assert found.top_1.low < found.top_1.estimate < found.top_1.high


def test_noise_finds_recordings_by_chance_alone() -> None:
    subject_N, fold_N, rng = windows(6, 60, 10)
    x = rng.normal(size=(len(subject_N), 32))
    found = same_recording([x] * 5, subject_N.astype(str), subject_N, fold_N)
    assert found.top_1.low < found.chance < found.top_1.high
    assert found.chance == pytest.approx(9 / 119)


def test_single_windows_are_not_asked() -> None:
    found = same_recording([np.eye(4)], np.arange(4).astype(str), np.arange(4), np.zeros(4, int))
    assert found.n_windows == 0
    assert np.isnan(found.top_1.estimate)
    assert np.isnan(found.chance)


def test_thinning_gives_all_patients_the_same_limit_and_spreads_over_their_rows() -> None:
    subject_N = np.random.default_rng(0).permutation(np.repeat([9, 4, 7], [100, 3, 40]))
    keep = thinned(subject_N, 50)
    assert [int(keep[subject_N == s].sum()) for s in (9, 4, 7)] == [23, 3, 23]
    at = np.flatnonzero(keep[subject_N == 9])
    assert np.diff(at).min() >= 4
    assert thinned(subject_N, 143).all()
    assert thinned(subject_N, 1).sum() == 3


def test_windows_beyond_the_limit_are_not_read_or_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    subject_N, fold_N, rng = windows(7, 30, 10)
    x = rng.normal(size=(len(subject_N), 4))
    monkeypatch.setattr(knows, "MOST_READ", 100)
    monkeypatch.setattr(knows, "MOST_SOUGHT", 24)
    assert readout([x] * 5, x[:, 0] * 2, subject_N, fold_N).n_windows == 90
    assert same_recording([x] * 5, subject_N.astype(str), subject_N, fold_N).n_windows == 5 * 24
