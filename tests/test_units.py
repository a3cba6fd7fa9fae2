"""Units and folds: one recording with one known label, and a patient never on both sides."""

import numpy as np
import pytest

from ecgppg.evaluation.units import average_by_unit, make_units, patient_folds

SUBJECT = np.array([7, 7, 7, 3, 3, 3, 5, 5])
RECORD = np.array(["b", "a", "a", "a", "a", "a", "z", "z"])
LABEL = np.array([1, 0, 0, 1, 0, -1, -1, -1], np.int8)


def test_a_unit_is_a_record_with_one_known_label() -> None:
    units, unit_of_N = make_units(SUBJECT, RECORD, LABEL)
    assert units.subject_id_U.tolist() == [3, 3, 7, 7]
    assert units.name_U.tolist() == ["a", "a", "a", "b"]
    assert units.y_U.tolist() == [0, 1, 0, 1]
    assert unit_of_N.tolist() == [3, 2, 2, 1, 0, -1, -1, -1]
    assert (units.subject_id_U.dtype, units.y_U.dtype, unit_of_N.dtype) == (np.int64, np.int8, np.int64)
    assert (len(units), units.n_patients, units.n_patients_with) == (4, 2, 2)


def test_units_do_not_depend_on_the_order_of_windows() -> None:
    order = np.random.default_rng(0).permutation(len(SUBJECT))
    units, unit_of_N = make_units(SUBJECT, RECORD, LABEL)
    again, again_of_N = make_units(SUBJECT[order], RECORD[order], LABEL[order])
    assert again.name_U.tolist() == units.name_U.tolist()
    assert again_of_N.tolist() == unit_of_N[order].tolist()


def test_no_known_label_makes_no_unit() -> None:
    units, unit_of_N = make_units(SUBJECT, RECORD, np.full(8, -1))
    assert len(units) == 0
    assert (unit_of_N == -1).all()


def test_averages_are_those_of_a_plain_loop_and_skip_what_is_missing() -> None:
    units, unit_of_N = make_units(SUBJECT, RECORD, LABEL)
    x_ND = np.random.default_rng(1).normal(size=(8, 3))
    x_ND[1, 0] = x_ND[3, 1] = np.nan
    mean = average_by_unit(x_ND, unit_of_N, len(units))
    for u in range(len(units)):
        for d in range(3):
            values = [x for x, of in zip(x_ND[:, d], unit_of_N, strict=True) if of == u and not np.isnan(x)]
            assert (
                mean[u, d] == pytest.approx(sum(values) / len(values), nan_ok=True) if values else np.isnan(mean[u, d])
            )
    assert average_by_unit(x_ND[:, 2], unit_of_N, len(units)) == pytest.approx(mean[:, 2])


def cohort(seed: int, n_patients: int = 103) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    subject_U = np.repeat(rng.choice(10**12, n_patients, replace=False), rng.integers(1, 4, n_patients))
    return subject_U, (rng.random(len(subject_U)) < 0.2).astype(np.int8)


def test_folds_keep_patients_whole_and_share_the_label() -> None:
    subject_U, y_U = cohort(0)
    fold_U = patient_folds(subject_U, y_U, 5, seed=1)
    patients_with = []
    for fold in range(5):
        assert not set(subject_U[fold_U == fold]) & set(subject_U[fold_U != fold])
        patients_with.append(len(set(subject_U[(fold_U == fold) & (y_U == 1)])))
        assert abs(len(set(subject_U[fold_U == fold])) - 103 / 5) < 1
    assert max(patients_with) - min(patients_with) <= 1


def test_folds_are_a_function_of_seed_and_patients_only() -> None:
    subject_U, y_U = cohort(2)
    fold_U = patient_folds(subject_U, y_U, 5, seed=1)
    order = np.random.default_rng(3).permutation(len(y_U))
    assert (patient_folds(subject_U[order], y_U[order], 5, seed=1) == fold_U[order]).all()
    assert (patient_folds(subject_U, y_U, 5, seed=2) != fold_U).any()


def test_more_folds_than_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="3 folds of 2 patients"):
        patient_folds(np.array([1, 2, 2]), np.array([0, 1, 0]), 3, seed=0)
