"""The embedding beside everything it must be measured against, on the same recordings and the same folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.core.progress import progress
from ecgppg.evaluation.hand_made import HandMade
from ecgppg.evaluation.intervals import Interval, number_or_none
from ecgppg.evaluation.knn import knn_probe
from ecgppg.evaluation.paired import (
    Representation,
    Scores,
    auroc_of_seeds,
    auroc_with_interval,
    cross_fitted,
    joined,
    paired_difference,
)
from ecgppg.evaluation.probes import Probe, boosted_probe, linear_probe
from ecgppg.evaluation.probes_stacked import stacked_probe
from ecgppg.stages.evaluate_material import Material

EMBEDDING, NEIGHBOURS = "embedding, linear", "embedding, nearest neighbours"
UNTRAINED, SUPERVISED = "untrained encoder, linear", "supervised network"
HAND, HAND_BOOSTED = "hand-made, logistic", "hand-made, boosted"
SHAPE, SHAPE_BOOSTED = "hand-made with beat shape, logistic", "hand-made with beat shape, boosted"
BOTH, BOTH_BOOSTED = "embedding + hand-made, logistic", "embedding + hand-made, boosted"
SHAPE_BOTH = "embedding + hand-made with beat shape, logistic"
PAIRS = (
    (EMBEDDING, UNTRAINED), (EMBEDDING, HAND), (EMBEDDING, HAND_BOOSTED), (EMBEDDING, SHAPE), (EMBEDDING, SUPERVISED),
    (BOTH, HAND), (BOTH_BOOSTED, HAND_BOOSTED), (SHAPE_BOTH, SHAPE), (BOTH, SUPERVISED),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Compared:
    """The same windows as numbers of several kinds.

    Attributes
    ----------
    embedding_F : sequence of ndarray (N, D)
        By the encoder of each fold, or by the one encoder.
    untrained_S : sequence of sequences of ndarray (N, D)
        By encoders with fresh weights, of each seed: one a fold, or one where all are built alike.
    hand_made : HandMade
    """

    embedding_F: Sequence[np.ndarray]
    untrained_S: Sequence[Sequence[np.ndarray]]
    hand_made: HandMade

    @property
    def plain(self) -> np.ndarray:
        """Hand-made features without those of the shape of the beat."""
        return self.hand_made.values_ND[:, ~self.hand_made.of_beat_shape]


def score_methods(settings: Settings, material: Material, compared: Compared) -> list[Scores]:
    """Predictions of every recording by every method that needs no training of a network."""
    units, fold_U, seeds = material.units, material.fold_U, list(range(settings.probe_seeds))
    embedding = material.averaged("embedding", compared.embedding_F)
    hand = material.averaged("hand-made", [compared.plain])
    shape = material.averaged("hand-made with beat shape", [compared.hand_made.values_ND])
    width, n_hand, n_shape = (of.x_F[0].shape[1] for of in (embedding, hand, shape))
    with_hand, with_shape = joined("both", embedding, hand), joined("both", embedding, shape)
    table: list[tuple[str, Representation, Probe]] = [
        (EMBEDDING, embedding, linear_probe),
        (NEIGHBOURS, embedding, knn_probe),
        (HAND, hand, linear_probe),
        (HAND_BOOSTED, hand, boosted_probe),
        (SHAPE, shape, linear_probe),
        (SHAPE_BOOSTED, shape, boosted_probe),
        (BOTH, with_hand, stacked_probe([(width, linear_probe), (n_hand, linear_probe)])),
        (BOTH_BOOSTED, with_hand, stacked_probe([(width, linear_probe), (n_hand, boosted_probe)])),
        (SHAPE_BOTH, with_shape, stacked_probe([(width, linear_probe), (n_shape, linear_probe)])),
    ]
    scores = []
    with progress("probes", len(table) + 1) as bar:
        for name, of, probe in table:
            scores.append(Scores(name, cross_fitted(of, units, fold_U, probe, seeds)))
            bar.advance(1, name)
        # Each seed has fresh weights of its own here: how much the draw of an untrained encoder matters is in the mean.
        untrained = [material.averaged("untrained", x_F) for x_F in compared.untrained_S]
        p_SU = [cross_fitted(of, units, fold_U, linear_probe, [seed]) for seed, of in enumerate(untrained)]
        scores.append(Scores(UNTRAINED, np.concatenate(p_SU)))
        bar.advance(1, UNTRAINED)
    return scores


def measured(settings: Settings, material: Material, scores: Sequence[Scores]) -> list[dict[str, Any]]:
    """AUROC of each method, its interval over patients, and that of every seed."""
    rows = []
    for method in scores:
        interval = auroc_with_interval(method, material.units, material.fold_U, seed=settings.seed)
        seeds = [number_or_none(value) for value in auroc_of_seeds(method, material.units, material.fold_U)]
        rows.append({"method": method.name, "measure": "AUROC", **interval.to_json(), "seeds": seeds})
    return rows


def differences(settings: Settings, material: Material, scores: Sequence[Scores]) -> list[dict[str, Any]]:
    """Differences of AUROC that were chosen to be looked at before any was seen."""
    by_name = {method.name: method for method in scores}
    rows = []
    for a, b in PAIRS:
        if a in by_name and b in by_name:
            found: Interval = paired_difference(
                by_name[a], by_name[b], material.units, material.fold_U, seed=settings.seed
            )
            rows.append(
                {"method": f"{a} less {b}", "a": a, "b": b, "measure": "difference of AUROC", **found.to_json()}
            )
    return rows
