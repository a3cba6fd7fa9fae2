"""From windows to patients, the unit of every test: how exposed to each cluster, and with which label.

Shapes: N windows, P patients, K clusters.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgppg.config.schema import UNKNOWN_LABEL, is_label


@dataclass(frozen=True)
class Exposure:
    """How much of each patient's time lies in each cluster.

    Attributes
    ----------
    subject_id_P : array of int64
    n_windows_P : array of int
        Windows selected.
    share_PK : array of float
        Share of the patient's windows in each cluster, 0 to 1; noise counts as time in none.
    """

    subject_id_P: np.ndarray
    n_windows_P: np.ndarray
    share_PK: np.ndarray


def exposure(subject_id_N: np.ndarray, cluster_N: np.ndarray, n_clusters: int) -> Exposure:
    """Exposure of every patient to clusters 0..n_clusters-1."""
    patients, place, n_windows = np.unique(subject_id_N, return_inverse=True, return_counts=True)
    counts = np.zeros((len(patients), n_clusters))
    clustered = cluster_N >= 0
    np.add.at(counts, (place[clustered], cluster_N[clustered]), 1)
    return Exposure(patients, n_windows, counts / n_windows[:, None])


def binary_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Label columns as 1, 0 and -1 (unknown); every category of a column of names becomes `column=name`.

    Only labels: heart rate, irregularity and quality describe what the clusters were made of and are never tested.
    """
    found: dict[str, np.ndarray] = {}
    for name in frame.columns:
        if not is_label(name):
            continue
        values = frame[name]
        if pd.api.types.is_integer_dtype(values.dtype):
            found[name] = values.to_numpy(np.int8)
            continue
        text = values.astype(object)
        known = text.notna().to_numpy()
        for category in sorted(text[known].astype(str).unique()):
            found[f"{name}={category}"] = np.where(known, text.astype(str) == category, UNKNOWN_LABEL).astype(np.int8)
    return pd.DataFrame(found, index=frame.index)


def patient_labels(labels: pd.DataFrame, subject_id_N: np.ndarray, patients_P: np.ndarray) -> pd.DataFrame:
    """A patient's label: 1 if any window is positive, else 0 if any is known, else -1. One row a patient."""
    # 1 > 0 > -1: the greatest value is exactly that rule.
    return labels.groupby(np.asarray(subject_id_N)).max().reindex(patients_P)
