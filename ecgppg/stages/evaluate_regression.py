"""A number instead of a label: how well it is read off each representation of a recording."""

from typing import Any

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.evaluation.intervals import patient_bootstrap
from ecgppg.evaluation.knows import readout
from ecgppg.evaluation.paired import Scores, joined
from ecgppg.stages.evaluate_compare import Compared
from ecgppg.stages.evaluate_material import Material


def regression_results(
    settings: Settings, material: Material, compared: Compared, supervised: Scores
) -> dict[str, list[dict[str, Any]]]:
    """R2 and mean absolute error of every method, by ridge regression out of fold.

    Returns
    -------
    dict
        `results`: rows of `method`, `measure`, `estimate`, `low`, `high`, `n_patients`.
    """
    embedding = material.averaged("embedding, ridge", compared.embedding_F)
    hand = material.averaged("hand-made, ridge", [compared.plain])
    untrained = material.averaged("untrained encoder, ridge", compared.untrained_S[0])
    rows: list[dict[str, Any]] = []
    for of in (embedding, hand, untrained, joined("embedding + hand-made, ridge", embedding, hand)):
        found = readout(of.x_F, material.number_U, material.units.subject_id_U, material.fold_U, settings.seed)
        rows.append({"method": of.name, "measure": "R2", **found.r2.to_json()})
        rows.append({"method": of.name, "measure": "mean absolute error", **found.mean_absolute_error.to_json()})
    predicted_U = supervised.p_SU.mean(axis=0)
    for measure, statistic in (("R2", _r2), ("mean absolute error", _mean_absolute_error)):
        interval = patient_bootstrap(
            statistic, material.number_U, predicted_U, subject_id=material.units.subject_id_U, seed=settings.seed
        )
        rows.append({"method": supervised.name, "measure": measure, **interval.to_json()})
    return {"results": rows}


def _r2(target_U: np.ndarray, predicted_U: np.ndarray) -> float:
    variation = float(((target_U - target_U.mean()) ** 2).sum())
    return 1 - float(((target_U - predicted_U) ** 2).sum()) / variation if variation > 0 else float("nan")


def _mean_absolute_error(target_U: np.ndarray, predicted_U: np.ndarray) -> float:
    return float(np.abs(target_U - predicted_U).mean())
