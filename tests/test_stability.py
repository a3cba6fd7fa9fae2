"""Best Jaccard beside sets; what is stable and what is one patient."""

import numpy as np

from ecgppg.discovery.stability import best_jaccard, patient_subset, stability


def slow_jaccard(labels: np.ndarray, again: np.ndarray) -> list[float]:
    def members(values: np.ndarray, k: int) -> set[int]:
        return set(np.flatnonzero(values == k).tolist())

    best = []
    for k in range(labels.max() + 1):
        a = members(labels, k)
        overlaps = [len(a & members(again, j)) / len(a | members(again, j)) for j in range(again.max() + 1)]
        best.append(max(overlaps, default=0.0))
    return best


def test_best_jaccard_is_that_of_sets() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels, again = rng.integers(-1, 4, 60), rng.integers(-1, 5, 60)
        assert np.allclose(best_jaccard(labels, again), slow_jaccard(labels, again))
    assert best_jaccard(np.array([0, 0, 1]), np.array([-1, -1, -1])).tolist() == [0, 0]


def test_a_subset_is_whole_patients_and_differs_between_runs() -> None:
    subject_id = np.repeat(np.arange(20), 4)
    first, second = patient_subset(subject_id, 0, 1), patient_subset(subject_id, 1, 1)
    assert first.reshape(20, 4).all(axis=1).sum() == 14 == first.reshape(20, 4).any(axis=1).sum()
    assert not np.array_equal(first, second)
    assert np.array_equal(first, patient_subset(subject_id, 0, 1))


def test_a_found_again_cluster_is_stable_and_a_single_patient_is_not() -> None:
    subject_id = np.repeat(np.arange(20), 6)
    labels = np.tile([0, 0, 0, 1, 1, -1], 20)
    labels[subject_id == 0] = 2

    def recluster(rows: np.ndarray, share: float) -> np.ndarray:
        assert 0.6 < share < 0.8
        again = labels[rows].copy()
        again[again == 1] = np.arange((again == 1).sum()) % 7 + 3
        return again

    found = stability(labels, subject_id, recluster, n_runs=20, seed=0)
    assert found[0] == 1
    assert found[1] < 0.25
    assert 0.4 < found[2] < 0.95
