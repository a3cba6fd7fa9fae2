"""One embedding a patient, from windows over by the index time and an encoder that never saw the patient.

Shapes: n windows, M patients, D dimensions.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class PatientEmbeddings:
    """Mean embedding of each patient's windows.

    Attributes
    ----------
    subject_id_M : np.ndarray
        Patients with at least one window.
    vectors_MD : np.ndarray
        Their mean embeddings, float64.
    reserve : set of int
        Patients set aside for risk, whom the encoder may not have trained on.
    trained_on : frozenset of int
        Patients that the encoder's manifest lists as its training patients.
    """

    subject_id_M: np.ndarray
    vectors_MD: np.ndarray
    reserve: set[int]
    trained_on: frozenset[int]

    def of(self, subject_id_N: np.ndarray) -> np.ndarray:
        """Embeddings of the given patients, shape (N, D); each must have one."""
        order = np.argsort(self.subject_id_M)
        at = order[np.searchsorted(self.subject_id_M, subject_id_N, sorter=order)]
        assert np.array_equal(self.subject_id_M[at], subject_id_N)
        return self.vectors_MD[at]


def mean_embeddings(
    vectors_nD: np.ndarray,
    segment_id_n: np.ndarray,
    windows: pd.DataFrame,
    rows: pd.DataFrame,
    segment_us: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Average the embeddings of the windows that each row may use.

    Parameters
    ----------
    vectors_nD, segment_id_n : np.ndarray
        Embeddings and the windows they belong to.
    windows : pd.DataFrame
        segment_id, subject_id, hadm_id, start_time_us of every window.
    rows : pd.DataFrame
        One row a patient: subject_id, hadm_id, index_time_us. A window counts if it lies in that admission and ends
        by the index time.
    segment_us : int
        Length of a window, microseconds.

    Returns
    -------
    tuple of np.ndarray
        subject_id (M,), mean embedding (M, D).
    """
    table = pd.DataFrame({"segment_id": segment_id_n, "position": np.arange(len(segment_id_n))})
    table = table.merge(windows[["segment_id", "subject_id", "hadm_id", "start_time_us"]], on="segment_id")
    table = table.merge(rows[["subject_id", "hadm_id", "index_time_us"]], on=["subject_id", "hadm_id"])
    table = table[table["start_time_us"] + segment_us <= table["index_time_us"]]
    subject_id_M, group = np.unique(table["subject_id"].to_numpy(dtype=np.int64), return_inverse=True)
    total_MD = np.zeros((subject_id_M.size, vectors_nD.shape[1]))
    np.add.at(total_MD, group, vectors_nD[table["position"]])
    return subject_id_M, total_MD / np.bincount(group, minlength=subject_id_M.size)[:, None]
