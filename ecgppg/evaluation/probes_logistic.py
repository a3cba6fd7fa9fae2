"""Logistic regression with an L2 penalty along a path of penalties, by Newton's method.

Many small fits are wanted (folds, seeds, draws of labels); a fit that starts from its stronger-penalised neighbour
takes a few steps of a small linear system.

Shapes: N rows, D predictors, R dimensions the rows span, C penalties, M rows to predict.
"""

from collections.abc import Iterator, Sequence

import numpy as np

MAX_STEPS = 60
TOLERANCE = 1e-6
"""Largest slope of the mean loss that counts as the minimum."""


def logistic_path(x_ND: np.ndarray, y_N: np.ndarray, c_C: Sequence[float]) -> Iterator[tuple[np.ndarray, float]]:
    """Minimise sum(log loss) + |w|² / (2 c) for one c after another; the intercept is not penalised.

    Parameters
    ----------
    x_ND : array of float64
        Standardised predictors.
    y_N : array
        Label, 1 or 0, both present.
    c_C : sequence of float
        Inverse penalties, rising.

    Yields
    ------
    weights : array, shape (D,)
    intercept : float
        Worked out when asked for, so that a path may be left early.
    """
    x_ND = np.asarray(x_ND, np.float64)
    y_N = (np.asarray(y_N) == 1).astype(np.float64)
    n, d = x_ND.shape
    # The solution lies in the span of the rows: with fewer rows than predictors the problem is as small as the rows.
    basis_DR = np.linalg.svd(x_ND.T, full_matrices=False)[0] if n < d else None
    a = np.column_stack([x_ND if basis_DR is None else x_ND @ basis_DR, np.ones(n)])
    beta = np.zeros(a.shape[1])
    beta[-1] = np.log(y_N.mean() / (1 - y_N.mean()))
    for c in c_C:
        penalty = np.full(a.shape[1], 1 / c)
        penalty[-1] = 0.0
        beta = _newton(a, y_N, penalty, beta)
        yield beta[:-1] if basis_DR is None else basis_DR @ beta[:-1], float(beta[-1])


def _newton(a: np.ndarray, y_N: np.ndarray, penalty: np.ndarray, beta: np.ndarray) -> np.ndarray:
    eta = a @ beta
    loss = _loss(eta, y_N, penalty, beta)
    for _ in range(MAX_STEPS):
        # tanh form: no overflow at any log odds
        fitted = 0.5 * (1 + np.tanh(eta / 2))
        gradient = a.T @ (fitted - y_N) + penalty * beta
        if np.abs(gradient).max() < TOLERANCE * len(y_N):
            break
        hessian = (a.T * (fitted * (1 - fitted))) @ a
        # The intercept has no penalty, and fitted values of 0 and 1 give it no curvature either.
        hessian.flat[:: len(beta) + 1] += penalty + 1e-10
        step = np.linalg.solve(hessian, gradient)
        moved, size = a @ step, 1.0
        while size > 1e-6:
            new_beta, new_eta = beta - size * step, eta - size * moved
            new_loss = _loss(new_eta, y_N, penalty, new_beta)
            if new_loss <= loss:
                break
            size /= 2
        else:
            break
        beta, eta, loss = new_beta, new_eta, new_loss
    return beta


def _loss(eta: np.ndarray, y_N: np.ndarray, penalty: np.ndarray, beta: np.ndarray) -> float:
    return float((np.logaddexp(0, eta) - y_N * eta).sum() + 0.5 * (penalty * beta * beta).sum())
