"""A penalised logistic model as plain arrays: filled, standardised, weighted, kept as JSON.

Shapes: N patients, K predictors.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

_STRENGTHS = (0.003, 0.03, 0.3, 3.0)  # C of scikit-learn: from nearly nothing left to nearly no penalty


@dataclass(frozen=True)
class LinearModel:
    """Ridge logistic model; every list has one entry per predictor.

    Attributes
    ----------
    names : list of str
        Predictors, in the order of the matrix's columns.
    fill : list of float
        Median of the training patients, put where a value is missing.
    centre, scale : list of float
        Mean and standard deviation of the training patients after filling.
    weights : list of float
        Log odds per standard deviation.
    intercept : float
        Log odds of a patient at the centre.
    strength : float
        Inverse penalty chosen by inner cross-validation.
    """

    names: list[str]
    fill: list[float]
    centre: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float
    strength: float

    def log_odds(self, x_NK: np.ndarray) -> np.ndarray:
        """Predicted log odds, shape (N,)."""
        filled = np.where(np.isnan(x_NK), self.fill, x_NK)
        return (filled - self.centre) / self.scale @ np.asarray(self.weights) + self.intercept

    def probability(self, x_NK: np.ndarray) -> np.ndarray:
        """Predicted probability, shape (N,)."""
        return expit(self.log_odds(x_NK))

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json`; `LinearModel(**values)` gives the model back."""
        return asdict(self)


def fit_linear(x_NK: np.ndarray, y_N: np.ndarray, names: list[str], seed: int) -> LinearModel:
    """Fit a ridge logistic model, its penalty chosen by the log loss of stratified inner folds.

    Predictors that do not vary get weight 0.

    Parameters
    ----------
    x_NK : np.ndarray
        Predictors; NaN where missing.
    y_N : np.ndarray
        Outcome, 1 or 0, both present.
    names : list of str
        Names of the K predictors.
    seed : int
        Of the inner folds.
    """
    fill = np.array([np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else 0.0 for c in x_NK.T])
    filled = np.where(np.isnan(x_NK), fill, x_NK)
    centre, spread = filled.mean(axis=0), filled.std(axis=0)
    varies = spread > 1e-9
    scale = np.where(varies, spread, 1.0)
    z_NK = ((filled - centre) / scale)[:, varies]
    weights = np.zeros(len(names))
    if not varies.any():
        intercept, strength = float(logit(y_N.mean())), 0.0
    else:
        strength = _choose_strength(z_NK, y_N, seed)
        weights[varies], intercept = ridge_logistic(z_NK, y_N, strength)
    return LinearModel(names, _plain(fill), _plain(centre), _plain(scale), _plain(weights), intercept, strength)


def stratified_folds(y_N: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Fold of each patient, shape (N,): events spread evenly; never more folds than events.

    Rows are patients, so no patient is in two folds.
    """
    from sklearn.model_selection import StratifiedKFold

    n_folds = max(2, min(n_folds, int(y_N.sum()), int((1 - y_N).sum())))
    fold_N = np.zeros(y_N.size, dtype=int)
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for k, (_, test) in enumerate(splitter.split(np.zeros((y_N.size, 1)), y_N)):
        fold_N[test] = k
    return fold_N


def ridge_logistic(z_NK: np.ndarray, y_N: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Weights (K,) and intercept that minimise log loss + |weights|^2 / (2 strength), by damped Newton steps.

    The same optimum as scikit-learn's LogisticRegression(C=strength), four times sooner on matrices this small, of
    which one report fits a thousand.
    """
    design_NJ = np.column_stack([np.ones(len(z_NK)), z_NK])
    penalty_J = np.append(0.0, np.full(z_NK.shape[1], 1 / strength))
    beta_J = np.zeros(design_NJ.shape[1])
    beta_J[0] = logit(np.clip(y_N.mean(), 1e-6, 1 - 1e-6))
    loss = _penalised_loss(design_NJ @ beta_J, y_N, beta_J, penalty_J)
    for _ in range(100):
        p_N = expit(design_NJ @ beta_J)
        gradient_J = design_NJ.T @ (p_N - y_N) + penalty_J * beta_J
        hessian_JJ = (design_NJ * (p_N * (1 - p_N))[:, None]).T @ design_NJ + np.diag(penalty_J + 1e-10)
        step_J = np.linalg.solve(hessian_JJ, gradient_J)
        size = 1.0
        while size > 1e-6:
            proposed_J = beta_J - size * step_J
            proposed = _penalised_loss(design_NJ @ proposed_J, y_N, proposed_J, penalty_J)
            if proposed <= loss:
                break
            size /= 2
        else:
            break
        beta_J, gain, loss = proposed_J, loss - proposed, proposed
        if gain < 1e-10 * max(1.0, abs(loss)):
            break
    return beta_J[1:], float(beta_J[0])


def _penalised_loss(eta_N: np.ndarray, y_N: np.ndarray, beta_J: np.ndarray, penalty_J: np.ndarray) -> float:
    return float(np.sum(np.logaddexp(0, eta_N) - y_N * eta_N) + 0.5 * np.sum(penalty_J * beta_J**2))


def _choose_strength(z_NK: np.ndarray, y_N: np.ndarray, seed: int) -> float:
    fold_N = stratified_folds(y_N, 5, seed)
    losses = np.zeros(len(_STRENGTHS))
    for i, strength in enumerate(_STRENGTHS):
        for k in np.unique(fold_N):
            inside = fold_N == k
            weights, intercept = ridge_logistic(z_NK[~inside], y_N[~inside], strength)
            eta = z_NK[inside] @ weights + intercept
            losses[i] += np.sum(np.logaddexp(0, eta) - y_N[inside] * eta)
    return _STRENGTHS[int(np.argmin(losses))]


def _plain(values: np.ndarray) -> list[float]:
    return [float(v) for v in values]
