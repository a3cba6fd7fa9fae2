"""Planted clusters are found; the order of their numbers; too few rows."""

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.discovery.cluster import by_size, cluster, few_threads
from ecgppg.discovery.reduce import reduce_embeddings
from tests.planted import planted_embeddings


def test_planted_clusters_are_recovered() -> None:
    from sklearn.metrics import adjusted_rand_score

    rows, truth = planted_embeddings()
    with few_threads(1):
        labels = cluster(reduce_embeddings(rows.embeddings, Settings(n_components=6)), 15, 5)
    assert labels.max() == 3
    assert adjusted_rand_score(truth, labels) > 0.95


def test_the_fast_library_agrees_with_the_reference_one() -> None:
    import hdbscan
    from sklearn.metrics import adjusted_rand_score

    rows, _ = planted_embeddings(seed=3)
    x = reduce_embeddings(rows.embeddings, Settings(n_components=6))
    reference = hdbscan.HDBSCAN(min_cluster_size=15, min_samples=5, core_dist_n_jobs=1).fit_predict(x)
    assert adjusted_rand_score(reference, cluster(x, 15, 5)) > 0.95


def test_clusters_are_numbered_by_size_and_noise_stays() -> None:
    labels = np.array([5, -1, 2, 2, 2, 5, -1, 9, 9])
    assert by_size(labels).tolist() == [1, -1, 0, 0, 0, 1, -1, 2, 2]


def test_too_few_rows_are_all_noise() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    assert (cluster(x, 30, 10) == -1).all()
    assert cluster(np.zeros((0, 3)), 30, 10).shape == (0,)
    assert (cluster(x[:11], 3, 10) == -1).all()
