"""Would other patients show the same clusters? Each is sought again in random parts of the patients.

Hennig 2007 (doi:10.1016/j.csda.2006.11.025): best Jaccard overlap, but patients are drawn and not windows.
"""

from collections.abc import Callable

import numpy as np

from ecgppg.core.seeds import hash63
from ecgppg.discovery.cluster import NOISE

PATIENT_SHARE = 0.7


def patient_subset(subject_id_N: np.ndarray, run: int, seed: int) -> np.ndarray:
    """Rows of a random 70 % of the patients (at least one), bool (N,)."""
    patients = np.unique(subject_id_N)
    rng = np.random.default_rng(hash63("stability", seed, run))
    n_drawn = max(1, round(PATIENT_SHARE * len(patients)))
    return np.isin(subject_id_N, rng.choice(patients, n_drawn, replace=False))


def best_jaccard(labels_N: np.ndarray, again_N: np.ndarray) -> np.ndarray:
    """Greatest Jaccard overlap of each cluster 0..K-1 of `labels_N` with any cluster of `again_N`, float (K,)."""
    n_clusters = labels_N.max(initial=NOISE) + 1
    n_again = again_N.max(initial=NOISE) + 1
    if n_again == 0:
        return np.zeros(n_clusters)
    both = np.zeros((n_clusters + 1, n_again + 1), np.int64)
    # Noise (-1) falls in the last row and column: part of the union, never a match.
    np.add.at(both, (labels_N, again_N), 1)
    shared = both[:-1, :-1]
    union = both[:-1].sum(axis=1, keepdims=True) + both[:, :-1].sum(axis=0, keepdims=True) - shared
    return (shared / np.maximum(union, 1)).max(axis=1)


def stability(
    labels_N: np.ndarray,
    subject_id_N: np.ndarray,
    recluster: Callable[[np.ndarray, float], np.ndarray],
    n_runs: int,
    seed: int,
) -> np.ndarray:
    """Mean best Jaccard overlap of each cluster over repeats on random parts of the patients.

    Parameters
    ----------
    labels_N : array of int
        Clusters 0..K-1 of all windows, -1 noise.
    subject_id_N : array of int
    recluster : callable
        (rows bool (N,), share of windows kept) -> labels of those rows; does reduction and clustering anew.
    n_runs : int
    seed : int

    Returns
    -------
    array of float, shape (K,)
        0 to 1; above about 0.75 a cluster is found again, under 0.5 it is not. A cluster none of whose patients was
        drawn was not found: 0 in that repeat, so a cluster that is one patient ends near 0.7 at the most.
    """
    n_clusters = labels_N.max(initial=NOISE) + 1
    overlap = np.zeros((n_runs, n_clusters))
    for run in range(n_runs):
        rows = patient_subset(subject_id_N, run, seed)
        found = best_jaccard(labels_N[rows], recluster(rows, float(rows.mean())))
        overlap[run, : len(found)] = found
    return overlap.mean(axis=0)
