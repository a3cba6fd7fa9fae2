"""Boosted trees as plain arrays: fitted by scikit-learn, kept as JSON, predicted without it.

Shapes: N patients, K predictors.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit


@dataclass(frozen=True)
class TreeModel:
    """Sum of small regression trees on the log odds.

    Attributes
    ----------
    names : list of str
        Predictors, in the order of the matrix's columns.
    fill : list of float
        Median of the training patients, put where a value is missing.
    base : float
        Log odds before the first tree.
    rate : float
        Weight of each tree.
    trees : list of dict
        Per tree, one entry a node: feature (-2 in a leaf), threshold, left, right (node numbers), value.
    """

    names: list[str]
    fill: list[float]
    base: float
    rate: float
    trees: list[dict[str, list[Any]]]

    def log_odds(self, x_NK: np.ndarray) -> np.ndarray:
        """Predicted log odds, shape (N,)."""
        # Compared as float32, as the fit compared them.
        x_NK = np.where(np.isnan(x_NK), self.fill, x_NK).astype(np.float32)
        total_N = np.full(len(x_NK), self.base)
        rows = np.arange(len(x_NK))
        for tree in self.trees:
            feature, threshold = np.array(tree["feature"]), np.array(tree["threshold"])
            left, right = np.array(tree["left"]), np.array(tree["right"])
            node_N = np.zeros(len(x_NK), dtype=int)
            while (inner_N := feature[node_N] >= 0).any():
                goes_left = x_NK[rows, np.maximum(feature[node_N], 0)] <= threshold[node_N]
                node_N = np.where(inner_N, np.where(goes_left, left[node_N], right[node_N]), node_N)
            total_N += self.rate * np.array(tree["value"])[node_N]
        return total_N

    def probability(self, x_NK: np.ndarray) -> np.ndarray:
        """Predicted probability, shape (N,)."""
        return expit(self.log_odds(x_NK))

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json`; `TreeModel(**values)` gives the model back."""
        return asdict(self)


def fit_trees(x_NK: np.ndarray, y_N: np.ndarray, names: list[str], seed: int) -> TreeModel:
    """Fit 100 boosted trees of depth 2, the shape fixed beforehand so that nothing is tuned on few events.

    Parameters
    ----------
    x_NK : np.ndarray
        Predictors; NaN where missing.
    y_N : np.ndarray
        Outcome, 1 or 0, both present.
    names : list of str
        Names of the K predictors.
    seed : int
        Of the subsampling.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    fill = np.array([np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else 0.0 for c in x_NK.T])
    least = max(10, len(y_N) // 100)
    fitted = GradientBoostingClassifier(
        n_estimators=100, learning_rate=0.05, max_depth=2, subsample=0.5, min_samples_leaf=least, random_state=seed
    ).fit(np.where(np.isnan(x_NK), fill, x_NK), y_N)
    trees = [
        {
            "feature": t.feature.tolist(),
            "threshold": t.threshold.tolist(),
            "left": t.children_left.tolist(),
            "right": t.children_right.tolist(),
            "value": t.value[:, 0, 0].tolist(),
        }
        for t in (stage[0].tree_ for stage in fitted.estimators_)
    ]
    return TreeModel(names, fill.tolist(), float(logit(y_N.mean())), float(fitted.learning_rate), trees)
