"""From selected windows to patterns: reduce, cluster, ask how stable, pick exemplars, describe."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.settings import Settings
from ecgppg.core.runlog import LOGGER_NAME
from ecgppg.discovery.cluster import NOISE, cluster
from ecgppg.discovery.describe import descriptors, patient_balance
from ecgppg.discovery.exemplars import exemplars
from ecgppg.discovery.reduce import map_coordinates, reduce_embeddings
from ecgppg.discovery.selection import Selection
from ecgppg.discovery.stability import stability


@dataclass(frozen=True)
class Patterns:
    """Clusters of the selected windows.

    Attributes
    ----------
    labels_N : array of int32
        Cluster of each window; -1 noise.
    map_N2 : array of float32
        Place of each window in the picture.
    map_method : str
        "umap" or "pca".
    clusters : list of dict
        One description a cluster, plain JSON values, as discovered_patterns.json holds it.
    outcome : str
        One sentence: what was found, or why nothing.
    """

    labels_N: np.ndarray
    map_N2: np.ndarray
    map_method: str
    clusters: list[dict[str, Any]]
    outcome: str


def find_patterns(selection: Selection, metadata: pd.DataFrame | None, settings: Settings) -> Patterns:
    """Cluster the selected windows and describe each cluster.

    Parameters
    ----------
    selection : Selection
    metadata : DataFrame or None
        One row a selected window, in the same order; None where there is none.
    settings : Settings

    Returns
    -------
    Patterns
        With no clusters, and the reason in `outcome`, where there are too few windows for two of min_cluster_size.
    """
    log = logging.getLogger(LOGGER_NAME)
    rows = selection.embeddings
    n = len(rows)
    if n < 2 * settings.min_cluster_size:
        map_N2 = np.zeros((n, 2), np.float32)
        if n >= 2:
            map_N2, _ = map_coordinates(rows.embeddings, reduce_embeddings(rows.embeddings, settings), settings)
        return Patterns(
            np.full(n, NOISE, np.int32), map_N2, "umap" if n >= 5 else "pca", [], _too_few(selection, settings)
        )

    log.info("discovery: %d windows of %d patients, %s", n, selection.n_patients, settings.reducer)
    reduced_NK = reduce_embeddings(rows.embeddings, settings)
    labels_N = cluster(reduced_NK, settings.min_cluster_size, settings.min_samples)
    map_N2, map_method = map_coordinates(rows.embeddings, reduced_NK, settings)

    def recluster(kept: np.ndarray, share: float) -> np.ndarray:
        part = reduce_embeddings(rows.embeddings[kept], settings)
        return cluster(part, max(2, round(share * settings.min_cluster_size)), settings.min_samples)

    n_clusters = int(labels_N.max(initial=NOISE)) + 1
    log.info("discovery: %d clusters; seeking them again in %d parts", n_clusters, settings.n_stability_runs)
    found_again = (
        stability(labels_N, rows.subject_id, recluster, settings.n_stability_runs, settings.seed)
        if n_clusters
        else np.zeros(0)
    )
    clusters = []
    for k in range(n_clusters):
        members = np.flatnonzero(labels_N == k)
        shown = members[
            exemplars(reduced_NK[members], rows.subject_id[members], rows.segment_id[members], settings.n_exemplars)
        ]
        clusters.append(
            {
                "id": k,
                "n_segments": len(members),
                **patient_balance(rows.subject_id[members]),
                "stability": round(float(found_again[k]), 4),
                "exemplar_segment_ids": [str(s) for s in rows.segment_id[shown].tolist()],
                "segment_ids_file": segments_file(k),
                "descriptors": descriptors(None if metadata is None else metadata.iloc[members], settings.seed),
            }
        )
    return Patterns(labels_N, map_N2, map_method, clusters, _found(clusters, labels_N))


def segments_file(cluster_id: int) -> str:
    """Name of the table of a cluster's windows, beside discovered_patterns.json."""
    return f"cluster_{cluster_id}_segments.csv"


def _too_few(selection: Selection, settings: Settings) -> str:
    return (
        f"0 clusters: {len(selection.embeddings)} windows of {selection.n_patients} patients in "
        f"{', '.join(selection.splits)} are too few for two clusters of min_cluster_size {settings.min_cluster_size}"
    )


def _found(clusters: list[dict[str, Any]], labels_N: np.ndarray) -> str:
    noise = f"{(labels_N == NOISE).mean():.0%} of windows in none"
    if not clusters:
        return f"0 clusters: no part of the windows is denser than its surroundings ({noise})"
    n_patient = sum(c["patient_cluster"] for c in clusters)
    words = f"{len(clusters)} clusters, {noise}"
    return f"{words}; {n_patient} of them held mostly by one patient" if n_patient else words
