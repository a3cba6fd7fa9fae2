"""A probe of two or more representations at once, each with a probe of its own and one weight.

Beside 128 dimensions of an embedding 20 hand-made features drown under one common penalty. Here each part is first
made one score (Wolpert 1992, Stacked generalization): its log odds for training patients come from fits without
them, and a logistic regression of the scores weighs the parts.

Shapes: N training rows, M test rows, K parts.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import logit

from ecgppg.evaluation.probes import Probe, inner_folds, linear_probe

LEAST = 1e-4
"""Probabilities nearer to 0 or 1 are taken as this far off: trees and votes do say 0."""


def stacked_probe(parts: Sequence[tuple[int, Probe]]) -> Probe:
    """Make a probe of a joined matrix.

    Parameters
    ----------
    parts : sequence of (int, Probe)
        Width of each part of the matrix, from the left, and what probes it. A width of 0 looks at the columns of the
        part before it once more: `[(128, linear_probe), (20, linear_probe), (0, boosted_probe)]`.

    Returns
    -------
    Probe
        Raises ValueError where the widths do not add up to those of the matrix.
    """
    ends = np.cumsum([width for width, _ in parts])
    columns: list[slice] = []
    for (width, _), end in zip(parts, ends.tolist(), strict=True):
        columns.append(slice(end - width, end) if width else columns[-1])

    def probe(
        x_train: np.ndarray, y_train: np.ndarray, subject_train: np.ndarray, x_test: np.ndarray, seed: int
    ) -> np.ndarray:
        if x_train.shape[1] != ends[-1]:
            raise ValueError(f"parts of {ends[-1]} columns for a matrix of {x_train.shape[1]}")
        y, subject_train = np.asarray(y_train) == 1, np.asarray(subject_train)
        score_NK = np.full((len(y), len(parts)), np.nan)
        score_MK = np.empty((len(x_test), len(parts)))
        held_out = list(inner_folds(y, subject_train, seed))
        for k, (of, (_, part)) in enumerate(zip(columns, parts, strict=True)):
            for out in held_out:
                p = part(x_train[~out][:, of], y[~out], subject_train[~out], x_train[out][:, of], seed)
                score_NK[out, k] = _log_odds(p)
            score_MK[:, k] = _log_odds(part(x_train[:, of], y, subject_train, x_test[:, of], seed))
        known = np.isfinite(score_NK).all(axis=1)
        if not known.any():
            # Too few patients to learn weights from: the parts count alike.
            return 1 / (1 + np.exp(-score_MK.mean(axis=1)))
        return linear_probe(score_NK[known], y[known], subject_train[known], score_MK, seed)

    return probe


def _log_odds(p: np.ndarray) -> np.ndarray:
    return logit(np.clip(p, LEAST, 1 - LEAST))
