"""The waveform as one number: a ridge logistic score, cross-fitted so that what uses it has not seen its own outcome.

Shapes: N patients, W waveform measurements, D embedding dimensions, P principal components.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgppg.risk.linear import LinearModel, fit_linear, stratified_folds

_MAX_COMPONENTS = 10
_N_INNER_FOLDS = 5


@dataclass(frozen=True)
class WaveformScore:
    """Log odds from waveform measurements, with or without principal components of an embedding.

    Attributes
    ----------
    linear : LinearModel
        Over measurements, then components.
    embedding_mean_D : list of float
        Empty without embeddings.
    components_PD : list of list of float
        Principal axes of the training patients' embeddings.
    """

    linear: LinearModel
    embedding_mean_D: list[float]
    components_PD: list[list[float]]

    def log_odds(self, waveform_NW: np.ndarray, embedding_ND: np.ndarray | None) -> np.ndarray:
        """The score, shape (N,)."""
        return self.linear.log_odds(_joined(waveform_NW, embedding_ND, self.embedding_mean_D, self.components_PD))

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json`."""
        return {
            "linear": self.linear.to_json(),
            "embedding_mean_D": self.embedding_mean_D,
            "components_PD": self.components_PD,
        }


def fit_waveform_score(
    waveform_NW: np.ndarray, embedding_ND: np.ndarray | None, y_N: np.ndarray, names: list[str], seed: int
) -> WaveformScore:
    """Fit the score; components are as many as a fifth of the events, 10 at the most."""
    mean, components = np.empty(0), np.empty((0, 0))
    if embedding_ND is not None:
        mean = embedding_ND.mean(axis=0)
        n_components = int(np.clip(y_N.sum() // 5, 1, min(_MAX_COMPONENTS, *embedding_ND.shape)))
        axes = np.linalg.svd(embedding_ND - mean, full_matrices=False)[2][:n_components]
        # The sign of an axis is arbitrary: its largest entry is made positive.
        components = axes * np.sign(axes[np.arange(n_components), np.abs(axes).argmax(axis=1)])[:, None]
        names = names + [f"embedding_pc{i + 1}" for i in range(n_components)]
    x = _joined(waveform_NW, embedding_ND, mean.tolist(), components.tolist())
    return WaveformScore(fit_linear(x, y_N, names, seed), mean.tolist(), components.tolist())


def cross_fitted_score(
    waveform_NW: np.ndarray, embedding_ND: np.ndarray | None, y_N: np.ndarray, names: list[str], seed: int
) -> np.ndarray:
    """The score of each training patient from a fit without that patient, shape (N,)."""
    fold_N = stratified_folds(y_N, _N_INNER_FOLDS, seed)
    score_N = np.empty(y_N.size)
    for k in np.unique(fold_N):
        inside = fold_N == k
        train = None if embedding_ND is None else embedding_ND[~inside]
        fitted = fit_waveform_score(waveform_NW[~inside], train, y_N[~inside], names, seed)
        score_N[inside] = fitted.log_odds(waveform_NW[inside], None if embedding_ND is None else embedding_ND[inside])
    return score_N


def _joined(
    waveform_NW: np.ndarray,
    embedding_ND: np.ndarray | None,
    mean_D: list[float],
    components_PD: list[list[float]],
) -> np.ndarray:
    if embedding_ND is None:
        return waveform_NW
    return np.hstack([waveform_NW, (embedding_ND - np.asarray(mean_D)) @ np.asarray(components_PD).T])
