"""Embeddings with planted clusters, for the tests of discovery."""

import numpy as np

from ecgppg.store.embeddings import Embeddings


def planted_embeddings(
    n_patients: int = 24, n_windows: int = 20, seed: int = 0, split: str = "test"
) -> tuple[Embeddings, np.ndarray]:
    """Three patterns that every patient shows, and one more that is patient 0 alone; (rows, truth of each row)."""
    rng = np.random.default_rng(seed)
    subject_id = np.repeat(np.arange(n_patients, dtype=np.int64), n_windows)
    truth = rng.integers(0, 3, len(subject_id))
    truth[subject_id == 0] = 3
    centres = 5 * np.eye(8)[:4]
    x = centres[truth] + 0.5 * rng.normal(size=(len(subject_id), 8))
    segment_id = rng.permutation(len(subject_id)).astype(np.int64) * 1_000_003_000_007 + 11
    rows = Embeddings(x.astype(np.float32), segment_id, subject_id, np.full(len(subject_id), split))
    order = np.argsort(segment_id)
    return rows.sorted(), truth[order]
