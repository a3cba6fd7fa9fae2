"""Folds keep patients whole and balanced, depend on nothing but seed and patients, and choose by nobody of the test."""

import numpy as np
import pandas as pd
import pytest

from ecgppg.training.fold import fold_patients, fold_splits, inner_splits, validation_patients


def windows_of_patients(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(subject, stratum) of 400 windows of 97 patients, strata 0, 1 and 2."""
    rng = np.random.default_rng(seed)
    subject_N = rng.integers(1, 98, 400)
    return subject_N, subject_N % 7 // 3


def test_every_patient_has_one_fold_and_strata_are_even() -> None:
    subject_N, stratum_N = windows_of_patients()
    folds = fold_patients(subject_N, stratum_N, 5, seed=3)
    assert folds["subject_id"].tolist() == sorted(set(subject_N.tolist()))
    sizes = np.bincount(folds["fold"])
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 1
    stratum = folds["subject_id"].to_numpy() % 7 // 3
    for value in np.unique(stratum):
        counts = np.bincount(folds["fold"][stratum == value], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_order_of_windows_does_not_matter_and_the_seed_does() -> None:
    subject_N, stratum_N = windows_of_patients()
    shuffled = np.random.default_rng(1).permutation(len(subject_N))
    folds = fold_patients(subject_N, stratum_N, 5, seed=3)
    assert folds.equals(fold_patients(subject_N[shuffled], stratum_N[shuffled], 5, seed=3))
    assert not folds.equals(fold_patients(subject_N, stratum_N, 5, seed=4))


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_a_fold_is_test_and_validation_is_drawn_from_the_others(share: float) -> None:
    folds = fold_patients(*windows_of_patients(), 5, seed=3)
    splits = fold_splits(folds, 2, share, seed=3)
    of = {name: set(splits.loc[splits["split"] == name, "subject_id"]) for name in ("train", "val", "test")}
    assert of["test"] == set(folds.loc[folds["fold"] == 2, "subject_id"])
    assert len(of["val"]) == round(share * (len(folds) - len(of["test"])))
    assert len(splits) == len(folds) == sum(map(len, of.values()))
    assert not splits["risk_reserve"].any()


def test_somebody_is_always_left_to_learn_from() -> None:
    assert len(validation_patients(np.array([5, 6]), 0.5, 0)) == 1
    assert len(validation_patients(np.array([5]), 0.5, 0)) == 0
    assert len(validation_patients(np.array([5, 6, 7]), 0.01, 0)) == 1


def test_inner_splits_hold_nobody_of_the_fold_and_every_stratum_gives_its_share() -> None:
    folds = fold_patients(*windows_of_patients(), 5, seed=3)
    stratum_of = pd.Series({s: s % 7 // 3 for s in folds["subject_id"].tolist()})
    for fold in range(5):
        inner = inner_splits(folds, fold, stratum_of, 0.3, seed=3)
        assert set(inner["subject_id"]) == set(folds.loc[folds["fold"] != fold, "subject_id"])
        judges = inner["split"] == "test"
        assert judges.sum() == round(0.3 * len(inner))
        assert set(inner.loc[~judges, "split"]) == {"train"}
        for value in (0, 1, 2):
            of = stratum_of.reindex(inner["subject_id"]).to_numpy() == value
            assert abs(judges[of].sum() - 0.3 * of.sum()) < 1.01
    assert not inner_splits(folds, 0, stratum_of, 0.3, seed=4).equals(inner_splits(folds, 0, stratum_of, 0.3, seed=3))
