"""One embedding an admission, from windows over by the index time and an encoder that never saw the patient.

Shapes: n windows, M admissions, D dimensions.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

_KEYS = ["subject_id", "hadm_id"]


@dataclass(frozen=True, eq=False)
class AdmissionEmbeddings:
    """Mean embedding of each admission's windows.

    Attributes
    ----------
    keys : pd.DataFrame
        subject_id and hadm_id of the M admissions.
    vectors_MD : np.ndarray
        Their mean embeddings, float64.
    reserve : set of int
        Patients set aside for risk, whom the encoder may not know.
    trained_on : frozenset of int
        Patients whom the encoder's manifest lists as its own.
    """

    keys: pd.DataFrame
    vectors_MD: np.ndarray
    reserve: set[int]
    trained_on: frozenset[int]

    def has(self, table: pd.DataFrame) -> pd.Series:
        """Which rows (subject_id, hadm_id) have an embedding, by the index of `table`."""
        return pd.Series(self._positions(table) >= 0, index=table.index)

    def of(self, table: pd.DataFrame) -> np.ndarray:
        """Embeddings of the rows, shape (len(table), D); each must have one."""
        positions = self._positions(table)
        assert (positions >= 0).all()
        return self.vectors_MD[positions]

    def _positions(self, table: pd.DataFrame) -> np.ndarray:
        return pd.MultiIndex.from_frame(self.keys).get_indexer(pd.MultiIndex.from_frame(table[_KEYS]))


def mean_embeddings(
    vectors_nD: np.ndarray,
    segment_id_n: np.ndarray,
    windows: pd.DataFrame,
    rows: pd.DataFrame,
    segment_us: int,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Average the embeddings of the windows that each row may use.

    Parameters
    ----------
    vectors_nD, segment_id_n : np.ndarray
        Embeddings and the windows they belong to.
    windows : pd.DataFrame
        segment_id, subject_id, hadm_id, start_time_us of every window.
    rows : pd.DataFrame
        subject_id, hadm_id, index_time_us. A window counts if it lies in that admission and ends by the index time.
    segment_us : int
        Length of a window, microseconds.

    Returns
    -------
    tuple
        subject_id and hadm_id of the M admissions with a window (DataFrame), mean embedding (M, D).
    """
    table = pd.DataFrame({"segment_id": segment_id_n, "position": np.arange(len(segment_id_n))})
    table = table.merge(windows[["segment_id", *_KEYS, "start_time_us"]], on="segment_id")
    table = table.merge(rows[[*_KEYS, "index_time_us"]], on=_KEYS)
    table = table[table["start_time_us"] + segment_us <= table["index_time_us"]]
    grouped = table.groupby(_KEYS)
    group = grouped.ngroup().to_numpy()
    total_MD = np.zeros((grouped.ngroups, vectors_nD.shape[1]))
    np.add.at(total_MD, group, vectors_nD[table["position"]])
    keys = grouped.size().index.to_frame(index=False)
    return keys, total_MD / np.bincount(group, minlength=grouped.ngroups)[:, None]
