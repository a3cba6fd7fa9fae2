"""Density clusters of reduced embeddings: HDBSCAN (Campello et al. 2013), as fast_hdbscan computes it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

NOISE = -1


def cluster(x_NK: np.ndarray, min_cluster_size: int, min_samples: int) -> np.ndarray:
    """Cluster of every row.

    Parameters
    ----------
    x_NK : array, shape (N, K)
    min_cluster_size : int
        Smallest cluster, rows.
    min_samples : int
        Neighbours that make a row's density.

    Returns
    -------
    array of int32, shape (N,)
        Clusters 0, 1, ... by falling size (ties by first row); -1 noise. All noise where N is too small for two
        clusters.
    """
    n = len(x_NK)
    if n < max(2 * min_cluster_size, min_samples + 2):
        return np.full(n, NOISE, np.int32)
    from fast_hdbscan import HDBSCAN

    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=min_samples, reproducible=True)
    return by_size(model.fit(np.ascontiguousarray(x_NK, np.float32)).labels_)


def by_size(labels_N: np.ndarray) -> np.ndarray:
    """The same clusters, renumbered by falling size, ties by first row; -1 stays."""
    found, first, counts = np.unique(labels_N, return_index=True, return_counts=True)
    clusters = found != NOISE
    order = np.lexsort((first[clusters], -counts[clusters]))
    renumbered = np.full(len(labels_N), NOISE, np.int32)
    for new, old in enumerate(found[clusters][order]):
        renumbered[labels_N == old] = new
    return renumbered


@contextmanager
def few_threads(n_threads: int) -> Iterator[None]:
    """Keep the numeric libraries to `n_threads` threads within the block."""
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    n_threads = max(1, min(n_threads, before))
    numba.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        numba.set_num_threads(before)
