"""Stacking: each part counts as much as it tells, and no score has seen its own label."""

import numpy as np
import pytest

from ecgppg.evaluation.discrimination import auroc
from ecgppg.evaluation.paired import Representation, cross_fitted, joined
from ecgppg.evaluation.probes import inner_folds, linear_probe
from ecgppg.evaluation.probes_stacked import stacked_probe
from ecgppg.evaluation.units import Units, patient_folds
from tests.planted_representations import planted_units


def scene(seed: int) -> tuple[Units, np.ndarray, Representation, Representation]:
    """Thirty dimensions that hold a little in many directions, six that hold more in one."""
    rng = np.random.default_rng(seed)
    units = planted_units(rng, 120)
    wide = rng.normal(size=(len(units), 30)) + 0.22 * units.y_U[:, None]
    narrow = rng.normal(size=(len(units), 6))
    narrow[:, 0] += 1.3 * units.y_U
    folds = patient_folds(units.subject_id_U, units.y_U, 3, 0)
    return units, folds, Representation("wide", [wide] * 3), Representation("narrow", [narrow] * 3)


def test_stacking_is_better_than_either_part_and_than_one_penalty_for_both() -> None:
    found = []
    for seed in range(2):
        units, fold_U, wide, narrow = scene(seed)
        both = joined("both", wide, narrow)
        probes = [(wide, linear_probe), (narrow, linear_probe), (both, linear_probe),
                  (both, stacked_probe([(30, linear_probe), (6, linear_probe)]))]  # fmt: skip
        found.append([auroc(units.y_U, cross_fitted(r, units, fold_U, p, [0])[0], fold_U) for r, p in probes])
    of_wide, of_narrow, of_both, stacked = np.mean(found, axis=0)
    assert stacked > max(of_wide, of_narrow) + 0.02
    assert stacked > of_both


def test_weights_are_learnt_from_scores_of_patients_who_were_held_out() -> None:
    units, _, wide, _ = scene(5)
    calls = []

    def spy(x_train, y_train, subject_train, x_test, seed):  # type: ignore[no-untyped-def]
        calls.append((set(x_train[:, 0]), set(x_test[:, 0])))
        return np.full(len(x_test), 0.5)

    x = np.column_stack([units.subject_id_U, wide.x_F[0][:, 0]])
    train = units.subject_id_U % 2 == 0
    stacked_probe([(2, spy)])(x[train], units.y_U[train], units.subject_id_U[train], x[~train], 0)
    n_inner = len(list(inner_folds(units.y_U[train] == 1, units.subject_id_U[train], 0)))
    assert len(calls) == n_inner + 1
    for trained, predicted in calls:
        assert not trained & predicted
    assert set().union(*(predicted for _, predicted in calls[:-1])) == set(units.subject_id_U[train])


def test_a_width_of_zero_looks_at_the_part_before_it() -> None:
    units, _, wide, narrow = scene(6)
    seen = []

    def spy(x_train, y_train, subject_train, x_test, seed):  # type: ignore[no-untyped-def]
        seen.append(x_test.shape[1])
        return np.full(len(x_test), 0.5)

    x = np.hstack([wide.x_F[0], narrow.x_F[0]])
    stacked_probe([(30, spy), (6, spy), (0, spy)])(x, units.y_U, units.subject_id_U, x, 0)
    assert set(seen) == {30, 6}
    assert seen.count(6) == 2 * seen.count(30)
    with pytest.raises(ValueError, match="29 columns for a matrix of 36"):
        stacked_probe([(29, spy)])(x, units.y_U, units.subject_id_U, x, 0)


def test_two_patients_still_have_an_answer() -> None:
    x = np.random.default_rng(0).normal(size=(4, 5))
    probe = stacked_probe([(3, linear_probe), (2, linear_probe)])
    p = probe(x[:2], np.array([0, 1]), np.array([3, 4]), x, 0)
    assert np.isfinite(p).all()
    assert p[1] > p[0]
    assert probe(x, np.ones(4), np.arange(4), x, 0).min() > 0.99
