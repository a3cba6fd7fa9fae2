"""Which few recordings are labelled: balanced draws by patient, a function of the seed and the patients.

Shapes: U units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgppg.core.seeds import hash63
from ecgppg.evaluation.units import Units


@dataclass(frozen=True, eq=False)
class FewLabelDraw:
    """Labelled units that one method may train on, to predict one fold.

    Attributes
    ----------
    draw : int
        0 to n_draws - 1; a draw is complete with its row for every fold.
    fold : int
        Fold to be predicted; none of its patients is among `train_units`.
    train_units : array of int64
        Rows of the units, rising; as many of label 1 as of label 0, each of another patient.
    """

    draw: int
    fold: int
    train_units: np.ndarray


def few_label_draws(units: Units, fold_U: np.ndarray, n_labels: int, n_draws: int, seed: int) -> list[FewLabelDraw]:
    """Balanced draws of labelled units from outside each fold, one unit a patient.

    Patients come in the order of a hash of (seed, draw, fold, subject_id), so that a draw of 20 labels holds the draw
    of 10, and another order of rows gives the same units. A patient with units of both labels stands for one of them.

    Parameters
    ----------
    units : Units
    fold_U : array of int
        Outer fold of each unit.
    n_labels : int
        Units to draw; even, at least 2.
    n_draws : int
        Draws for every fold.
    seed : int
        Of the draws.

    Returns
    -------
    list of FewLabelDraw
        By draw, then fold.

    Raises
    ------
    ValueError
        If n_labels is odd or under 2, or a fold leaves too few patients with either label; see `possible_labels`.
    """
    if n_labels < 2 or n_labels % 2:
        raise ValueError(f"{n_labels} labels cannot be half of one kind and half of the other")
    fold_U = np.asarray(fold_U)
    draws = []
    for draw in range(n_draws):
        for fold in np.unique(fold_U).tolist():
            with_units, without_units = _candidates(units, fold_U, fold, draw, seed)
            half = n_labels // 2
            if min(len(with_units), len(without_units)) < half:
                raise ValueError(
                    f"{n_labels} labels: outside fold {fold} are {len(with_units)} patients with the label "
                    f"and {len(without_units)} without"
                )
            chosen = np.sort(np.concatenate([with_units[:half], without_units[:half]]))
            draws.append(FewLabelDraw(draw, fold, chosen))
    return draws


def possible_labels(units: Units, fold_U: np.ndarray, sizes: Sequence[int], n_draws: int, seed: int) -> list[int]:
    """Those of the sizes that `few_label_draws` can draw."""
    fold_U = np.asarray(fold_U)
    fewest = min(
        len(side)
        for draw in range(n_draws)
        for fold in np.unique(fold_U).tolist()
        for side in _candidates(units, fold_U, fold, draw, seed)
    )
    return [n for n in sizes if n >= 2 and n % 2 == 0 and n // 2 <= fewest]


def _candidates(units: Units, fold_U: np.ndarray, fold: int, draw: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that stand for their patients outside a fold, of label 1 and of label 0, in the order of the draw."""
    outside = np.flatnonzero(fold_U != fold)
    rank = np.array([hash63("few labels", seed, draw, fold, s) for s in units.subject_id_U[outside].tolist()])
    within = np.array(
        [
            hash63("few labels", seed, draw, fold, s, name, y)
            for s, name, y in zip(
                units.subject_id_U[outside].tolist(),
                units.name_U[outside].tolist(),
                units.y_U[outside].tolist(),
                strict=True,
            )
        ]
    )
    order = outside[np.lexsort([within, rank])]
    first = np.unique(units.subject_id_U[order], return_index=True)[1]
    stands = order[np.sort(first)]
    return stands[units.y_U[stands] == 1], stands[units.y_U[stands] != 1]
