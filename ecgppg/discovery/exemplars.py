"""The windows that show a cluster best: near its middle, each from another patient as long as there are any."""

import numpy as np


def patient_centre(x_NK: np.ndarray, subject_id_N: np.ndarray) -> np.ndarray:
    """Coordinate-wise median of the patients' mean points, shape (K,): every patient counts once."""
    patients, place = np.unique(subject_id_N, return_inverse=True)
    sums = np.zeros((len(patients), x_NK.shape[1]))
    np.add.at(sums, place, x_NK)
    return np.median(sums / np.bincount(place)[:, None], axis=0)


def exemplars(x_NK: np.ndarray, subject_id_N: np.ndarray, segment_id_N: np.ndarray, n_exemplars: int) -> np.ndarray:
    """Rows of one cluster to show.

    Parameters
    ----------
    x_NK : array, shape (N, K)
        Reduced coordinates of the cluster's windows.
    subject_id_N, segment_id_N : array of int
    n_exemplars : int
        Rows wanted.

    Returns
    -------
    array of int
        First every patient's window nearest to the cluster's centre, nearest patients first; then their second
        nearest, and so on. Ties by segment_id.
    """
    if len(x_NK) == 0:
        return np.zeros(0, np.int64)
    distance = np.linalg.norm(x_NK - patient_centre(x_NK, subject_id_N), axis=1)
    order = np.lexsort((segment_id_N, distance))
    turn = np.empty(len(order), np.int64)
    seen: dict[int, int] = {}
    for i in order.tolist():
        subject = int(subject_id_N[i])
        turn[i] = seen[subject] = seen.get(subject, -1) + 1
    return np.lexsort((segment_id_N, distance, turn))[:n_exemplars]
