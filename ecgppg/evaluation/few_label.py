"""What few labels buy: the same draws of labelled patients for every method, intervals over draws and patients.

Shapes: U units, D draws, F outer folds, B bootstrap draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgppg.core.seeds import hash63
from ecgppg.evaluation.few_label_choice import FewLabelDraw
from ecgppg.evaluation.intervals import Interval, percentile_interval
from ecgppg.evaluation.paired import N_BOOTSTRAP, Representation, Scores, auroc_draws, auroc_of_seeds, checked_folds
from ecgppg.evaluation.probes import Probe
from ecgppg.evaluation.units import Units


@dataclass(frozen=True, eq=False)
class FewLabelPoint:
    """One method with one number of labels.

    Attributes
    ----------
    n_labels : int
        Labelled units of a draw.
    scores : Scores
        Predictions of every unit, one row a draw.
    auroc : Interval
        Mean over draws; interval over draws and patients.
    auroc_D : array of float
        AUROC of each draw.
    """

    n_labels: int
    scores: Scores
    auroc: Interval
    auroc_D: np.ndarray


def few_label_scores(
    representation: Representation,
    units: Units,
    fold_U: np.ndarray,
    draws: Sequence[FewLabelDraw],
    probe: Probe,
    seed: int,
) -> Scores:
    """Predictions of every unit by a probe that saw the labels of a draw alone, one row a draw.

    Raises
    ------
    ValueError
        If a patient lies in two folds, or a matrix is absent.
    """
    fold_U = checked_folds(representation, units, fold_U)
    p_DU = np.full((1 + max(d.draw for d in draws), len(units)), np.nan)
    for d in draws:
        test, train, x_UD = fold_U == d.fold, d.train_units, representation.x_F[d.fold]
        p_DU[d.draw, test] = probe(x_UD[train], units.y_U[train], units.subject_id_U[train], x_UD[test], seed)
    return Scores(representation.name, p_DU)


def few_label_point(
    n_labels: int,
    scores: Scores,
    units: Units,
    fold_U: np.ndarray,
    n_bootstrap: int = N_BOOTSTRAP,
    confidence: float = 0.95,
    seed: int = 0,
) -> FewLabelPoint:
    """Mean AUROC over the draws of labels, and its interval over draws and patients.

    Parameters
    ----------
    n_labels : int
        Labels of a draw.
    scores : Scores
        One row a draw: of a probe (`few_label_scores`), or of a network that was given the same draws.
    units, fold_U, n_bootstrap, confidence, seed
        As in `paired.auroc_with_interval`.
    """
    auroc_D = auroc_of_seeds(scores, units, fold_U)
    draws_B = _two_level(auroc_draws(scores, units, fold_U, n_bootstrap, seed), seed)
    low, high = percentile_interval(draws_B, min(units.n_patients, len(auroc_D)), confidence)
    return FewLabelPoint(n_labels, scores, Interval(float(auroc_D.mean()), low, high, units.n_patients), auroc_D)


def compare_draws(
    a: Scores,
    b: Scores,
    units: Units,
    fold_U: np.ndarray,
    n_bootstrap: int = N_BOOTSTRAP,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Mean AUROC of `a` less that of `b`, row by row trained on the same draws, over the same drawn patients.

    Parameters as in `few_label_point`.

    Raises
    ------
    ValueError
        If they do not have the same number of draws.
    """
    if a.p_SU.shape != b.p_SU.shape:
        raise ValueError(f"{a.name} has {len(a.p_SU)} draws, {b.name} has {len(b.p_SU)}")
    difference_D = auroc_of_seeds(a, units, fold_U) - auroc_of_seeds(b, units, fold_U)
    difference_DB = auroc_draws(a, units, fold_U, n_bootstrap, seed) - auroc_draws(b, units, fold_U, n_bootstrap, seed)
    n = min(units.n_patients, len(difference_D))
    low, high = percentile_interval(_two_level(difference_DB, seed), n, confidence)
    return Interval(float(difference_D.mean()), low, high, units.n_patients)


def _two_level(value_DB: np.ndarray, seed: int) -> np.ndarray:
    """Mean over draws that are themselves redrawn, for each draw of patients, shape (B,)."""
    n_draws, n_bootstrap = value_DB.shape
    random = np.random.default_rng(hash63("bootstrap of label draws", seed))
    again_BD = random.integers(0, n_draws, (n_bootstrap, n_draws))
    return value_DB[again_BD, np.arange(n_bootstrap)[:, None]].mean(axis=1)
