"""Representations side by side: out-of-fold predictions, their AUROC, and their differences on the same patients.

Shapes: U units, D dimensions, F outer folds, S seeds, B draws of patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgppg.evaluation.intervals import Interval, percentile_interval
from ecgppg.evaluation.paired_auroc import draw_weights, weighted_auroc
from ecgppg.evaluation.probes import Probe
from ecgppg.evaluation.units import Units

N_BOOTSTRAP = 2000


@dataclass(frozen=True, eq=False)
class Representation:
    """Units as vectors, once for every outer fold.

    Attributes
    ----------
    name : str
        For tables and figures.
    x_F : sequence of array, each (U, D)
        Matrix f is what the encoder of fold f gives for *all* units; that encoder never saw the units of fold f. The
        same object stands F times where one encoder, or none, serves all folds. Matrices of two encoders are never
        mixed: their axes have nothing in common.
    """

    name: str
    x_F: Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class Scores:
    """Predictions of units out of their fold.

    Attributes
    ----------
    name : str
        For tables and figures.
    p_SU : array of float, shape (S, U)
        One row a seed; any monotone scale within a fold.
    """

    name: str
    p_SU: np.ndarray


def joined(name: str, a: Representation, b: Representation) -> Representation:
    """Two representations beside each other, fold by fold.

    Raises
    ------
    ValueError
        If they do not have the same folds.
    """
    return Representation(name, [np.hstack([x_UD, other_UD]) for x_UD, other_UD in zip(a.x_F, b.x_F, strict=True)])


def cross_fitted(
    representation: Representation, units: Units, fold_U: np.ndarray, probe: Probe, seeds: Sequence[int]
) -> np.ndarray:
    """Predict every unit by a probe fitted on the other folds' units, in that fold's own matrix.

    Parameters
    ----------
    representation : Representation
        One matrix a fold.
    units : Units
    fold_U : array of int
        Outer fold of each unit, 0 to F - 1; a patient lies in one.
    probe : Probe
        See `probes`.
    seeds : sequence of int
        Each gives a row.

    Returns
    -------
    array of float64, shape (S, U)

    Raises
    ------
    ValueError
        If a patient lies in two folds, or a matrix is absent.
    """
    fold_U = checked_folds(representation, units, fold_U)
    p_SU = np.full((len(seeds), len(units)), np.nan)
    for fold in np.unique(fold_U):
        test, x_UD = fold_U == fold, representation.x_F[fold]
        for s, seed in enumerate(seeds):
            p_SU[s, test] = probe(x_UD[~test], units.y_U[~test], units.subject_id_U[~test], x_UD[test], seed)
    return p_SU


def checked_folds(representation: Representation, units: Units, fold_U: np.ndarray) -> np.ndarray:
    """The folds, once it is sure that they keep patients whole and that every one has its matrix.

    Raises
    ------
    ValueError
        Where that is not so.
    """
    fold_U = np.asarray(fold_U)
    pairs = np.unique(np.column_stack([units.subject_id_U, fold_U]), axis=0)
    torn = pairs[1:][pairs[1:, 0] == pairs[:-1, 0]]
    if len(torn):
        raise ValueError(f"patient {torn[0, 0]} lies in more than one fold")
    if fold_U.min(initial=0) < 0 or fold_U.max(initial=0) >= len(representation.x_F):
        raise ValueError(f"{representation.name}: {len(representation.x_F)} matrices do not serve every fold")
    for x_UD in representation.x_F:
        if len(x_UD) != len(units):
            raise ValueError(f"{representation.name}: a matrix has {len(x_UD)} rows for {len(units)} units")
    return fold_U


def auroc_of_seeds(scores: Scores, units: Units, fold_U: np.ndarray) -> np.ndarray:
    """AUROC of each seed over the pairs within a fold, shape (S,)."""
    return weighted_auroc(units.y_U, scores.p_SU, fold_U, np.ones((1, len(units)), np.uint16))[:, 0]


def auroc_with_interval(
    scores: Scores,
    units: Units,
    fold_U: np.ndarray,
    n_bootstrap: int = N_BOOTSTRAP,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Mean over seeds of the AUROC within folds, and its interval over patients.

    The predictions are held fixed: the interval says how the number would move with other patients to judge, not with
    another training. Where all pairs are ranked rightly, or none, resampling knows no spread; the far end is then
    what the smaller of the two groups of patients allows (exact binomial).

    Parameters
    ----------
    scores : Scores
    units : Units
    fold_U : array of int
        Outer fold of each unit.
    n_bootstrap : int
        Draws of patients.
    confidence : float
        Width of the interval.
    seed : int
        Of the draws; the same seed draws the same patients for every method.

    Returns
    -------
    Interval
    """
    estimate = float(auroc_of_seeds(scores, units, fold_U).mean())
    if units.n_patients < 2:
        return Interval(estimate, np.nan, np.nan, units.n_patients)
    if estimate in (0.0, 1.0):
        fewest = min(units.n_patients_with, len(np.unique(units.subject_id_U[units.y_U != 1])))
        far = ((1 - confidence) / 2) ** (1 / fewest)
        low, high = (far, 1.0) if estimate == 1 else (0.0, 1 - far)
        return Interval(estimate, low, high, units.n_patients)
    draws_B = auroc_draws(scores, units, fold_U, n_bootstrap, seed).mean(axis=0)
    return Interval(estimate, *percentile_interval(draws_B, units.n_patients, confidence), units.n_patients)


def paired_difference(
    a: Scores,
    b: Scores,
    units: Units,
    fold_U: np.ndarray,
    n_bootstrap: int = N_BOOTSTRAP,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """AUROC of `a` less that of `b`, both on the same units and the same drawn patients.

    Parameters as in `auroc_with_interval`; `a` and `b` may have different numbers of seeds.

    Returns
    -------
    Interval
        Above 0 where `a` is better.
    """
    estimate = float(auroc_of_seeds(a, units, fold_U).mean() - auroc_of_seeds(b, units, fold_U).mean())
    if units.n_patients < 2:
        return Interval(estimate, np.nan, np.nan, units.n_patients)
    a_B, b_B = (auroc_draws(scores, units, fold_U, n_bootstrap, seed).mean(axis=0) for scores in (a, b))
    draws_B = a_B - b_B
    return Interval(estimate, *percentile_interval(draws_B, units.n_patients, confidence), units.n_patients)


def auroc_draws(scores: Scores, units: Units, fold_U: np.ndarray, n_bootstrap: int, seed: int) -> np.ndarray:
    """AUROC of each seed over drawn patients, shape (S, n_bootstrap); the same seed draws the same patients."""
    weight_BU = draw_weights(units.subject_id_U, n_bootstrap, seed)
    return weighted_auroc(units.y_U, scores.p_SU, np.asarray(fold_U), weight_BU)
