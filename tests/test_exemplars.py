"""Exemplars come from different patients first, and from the middle of their cluster."""

import numpy as np

from ecgppg.discovery.describe import descriptors, patient_balance
from ecgppg.discovery.exemplars import exemplars, patient_centre


def test_every_patient_is_shown_before_one_is_shown_twice() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    subject_id = np.repeat([1, 2, 3, 4], 10)
    rows = exemplars(x, subject_id, np.arange(40), 6)
    assert set(subject_id[rows[:4]]) == {1, 2, 3, 4}
    assert len(set(rows.tolist())) == 6
    centre = patient_centre(x, subject_id)
    distance = np.linalg.norm(x - centre, axis=1)
    for subject in (1, 2, 3, 4):
        first = next(r for r in rows if subject_id[r] == subject)
        assert distance[first] == distance[subject_id == subject].min()


def test_the_order_of_rows_does_not_matter_and_few_rows_are_all_shown() -> None:
    x = np.array([[0.0], [0.0], [1.0]])
    ids, subject_id = np.array([30, 10, 20]), np.array([1, 1, 2])
    turned = np.array([2, 0, 1])
    shown = ids[exemplars(x, subject_id, ids, 6)]
    assert shown.tolist() == ids[turned][exemplars(x[turned], subject_id[turned], ids[turned], 6)].tolist()
    assert sorted(shown) == [10, 20, 30]
    assert exemplars(np.zeros((0, 2)), ids[:0], ids[:0], 3).shape == (0,)


def test_a_loud_patient_does_not_move_the_centre() -> None:
    x = np.concatenate([np.full((1000, 1), 50.0), [[0.0], [1.0], [2.0], [3.0]]])
    subject_id = np.concatenate([np.zeros(1000, int), [1, 2, 3, 4]])
    assert patient_centre(x, subject_id)[0] == 2


def test_a_cluster_of_one_patient_is_called_so() -> None:
    balanced = patient_balance(np.repeat(np.arange(10), 3))
    assert balanced == {
        "n_patients": 10,
        "largest_patient_share": 0.1,
        "effective_patients": 10.0,
        "patient_cluster": False,
    }
    held = patient_balance(np.array([1] * 6 + [2, 3, 4, 5]))
    assert held["patient_cluster"]
    assert held["largest_patient_share"] == 0.6


def test_descriptors_are_medians_and_absent_columns_are_null() -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "subject_id": np.repeat(np.arange(8), 5),
            "heart_rate_bpm": np.where(np.arange(40) % 5 == 0, np.nan, 80.0 + np.repeat(np.arange(8), 5)),
            "rr_cv": np.full(40, np.nan),
            "flags": np.full(40, 1 << 1, np.uint16),
        }
    )
    found = descriptors(frame, seed=0)
    rate = found["heart_rate_bpm"]
    assert rate["estimate"] == 83.5
    assert rate["low"] < 83.5 < rate["high"]
    assert rate["n_windows"] == 32
    assert found["rr_cv"] is None
    assert found["quality"] is None
    assert found["share_no_beats"]["estimate"] == 1
    assert found["share_flat_stretch"]["estimate"] == 0
    assert descriptors(None, seed=0)["heart_rate_bpm"] is None
