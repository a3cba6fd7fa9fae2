"""What a candidate is worth on inner validation patients: linear probe, what it knows, whose recording it sees.

Shapes: N windows, U units, D dimensions, S seeds. Stacked rows are those of all outer folds, one fold after another: a
patient stands in every outer fold that he is outside of and was set aside in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.data.dataset import BEAT_COLUMNS, SplitWindows, select_windows
from ecgppg.evaluation.intervals import number_or_none
from ecgppg.evaluation.knows import MOST_READ, judged_readings, same_recording
from ecgppg.evaluation.knows_ridge import ridge_predictions
from ecgppg.evaluation.knows_thinning import thinned
from ecgppg.evaluation.paired import Scores, auroc_of_seeds, auroc_with_interval
from ecgppg.evaluation.probes import linear_probe
from ecgppg.evaluation.units import Units, average_by_unit, make_units
from ecgppg.stages.evaluate_question import Answers
from ecgppg.stages.evaluate_train import in_order
from ecgppg.store.embeddings import read_embeddings
from ecgppg.store.reader import SegmentDataset


@dataclass(frozen=True, eq=False)
class InnerFold:
    """Patients outside one outer fold, and which of them judge.

    Attributes
    ----------
    windows : SplitWindows
    record_N : ndarray of str
    judges_N : ndarray of bool
        Windows of inner validation patients.
    units : Units
        Recordings that have an answer.
    unit_of_N : ndarray of int64
    judges_U : ndarray of bool
    """

    windows: SplitWindows
    record_N: np.ndarray
    judges_N: np.ndarray
    units: Units
    unit_of_N: np.ndarray
    judges_U: np.ndarray


@dataclass(frozen=True, eq=False)
class Worth:
    """A candidate's predictions and what it is worth.

    Attributes
    ----------
    scores : Scores
        Of the stacked units.
    auroc_F : ndarray
        Of each outer fold's inner validation, mean over seeds.
    row : dict
        `candidate`; `auroc` with its interval and `folds`, the same of each outer fold; R2 of the columns of
        `data.dataset.BEAT_COLUMNS`, None where they are unknown; `same_recording`.
    """

    scores: Scores
    auroc_F: np.ndarray
    row: dict[str, Any]


def inner_fold(dataset: SegmentDataset, answers: Answers, splits: pd.DataFrame) -> InnerFold:
    """Bring together what is known of the patients in `splits`, and of nobody else."""
    windows = select_windows(dataset, splits["subject_id"].to_numpy())
    judging = splits.loc[splits["split"] == "test", "subject_id"].to_numpy()
    y_N = answers.y_N[windows.row_N]
    record_N = dataset.column("record")[windows.row_N].astype(str)
    label_N = np.where(np.isfinite(y_N), np.nan_to_num(y_N), -1).astype(np.int64)
    units, unit_of_N = make_units(windows.subject_id_N, record_N, label_N)
    return InnerFold(
        windows, record_N, np.isin(windows.subject_id_N, judging), units, unit_of_N,
        np.isin(units.subject_id_U, judging),
    )  # fmt: skip


def stacked_units(inner_F: Sequence[InnerFold]) -> tuple[Units, np.ndarray]:
    """The units that judge, of all outer folds, and the fold of each."""
    units = Units(
        np.concatenate([inner.units.subject_id_U[inner.judges_U] for inner in inner_F]),
        np.concatenate([inner.units.y_U[inner.judges_U] for inner in inner_F]),
        np.concatenate([inner.units.name_U[inner.judges_U] for inner in inner_F]),
    )
    return units, np.repeat(np.arange(len(inner_F)), [int(inner.judges_U.sum()) for inner in inner_F])


def worth_of(settings: Settings, name: str, layouts: Sequence[OutputLayout], inner_F: Sequence[InnerFold]) -> Worth:
    """Judge a candidate by the encoders it trained, one an outer fold.

    Parameters
    ----------
    settings : Settings
        probe_seeds, seed.
    name : str
    layouts : sequence of OutputLayout
        Of its trainings, by outer fold.
    inner_F : sequence of InnerFold
    """
    seeds = range(settings.probe_seeds)
    p_F, x_F = [], []
    read_F: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {column: [] for column in BEAT_COLUMNS}
    for layout, inner in zip(layouts, inner_F, strict=True):
        held = read_embeddings(layout.embeddings)
        x_ND = in_order(held.embeddings, held.segment_id, inner.windows.segment_id_N)
        x_UD = average_by_unit(x_ND, inner.unit_of_N, len(inner.units))
        out, y_U, subject_U = inner.judges_U, inner.units.y_U, inner.units.subject_id_U
        p_F.append(np.stack([linear_probe(x_UD[~out], y_U[~out], subject_U[~out], x_UD[out], s) for s in seeds]))
        x_F.append(x_ND[inner.judges_N])
        for at, column in enumerate(read_F):
            read_F[column].append(_readings(x_ND, inner.windows.beats_N2[:, at], inner, settings.seed))
    units, fold_U = stacked_units(inner_F)
    scores = Scores(name, np.concatenate(p_F, axis=1))
    auroc_F = np.array([_auroc_of(scores, units, fold_U == fold) for fold in range(len(inner_F))])
    subject_N = np.concatenate([inner.windows.subject_id_N[inner.judges_N] for inner in inner_F])
    fold_N = np.repeat(np.arange(len(inner_F)), [len(x_ND) for x_ND in x_F])
    x_ND, record_N = np.concatenate(x_F), np.concatenate([inner.record_N[inner.judges_N] for inner in inner_F])
    # Rows of a fold are of its encoder, and windows are sought within their fold: one matrix serves them all.
    same = same_recording([x_ND] * len(inner_F), record_N, subject_N, fold_N, settings.seed)
    row = {
        "candidate": name,
        "auroc": auroc_with_interval(scores, units, fold_U, seed=settings.seed).to_json(),
        "folds": [number_or_none(value) for value in auroc_F],
        **{
            column: _known(np.hstack([p for p, _ in pairs]), np.hstack([t for _, t in pairs]), subject_N, settings.seed)
            for column, pairs in read_F.items()
        },
        "same_recording": same.top_1.to_json() | {"chance": number_or_none(same.chance)},
    }
    return Worth(scores, auroc_F, row)


def _readings(x_ND: np.ndarray, target_N: np.ndarray, inner: InnerFold, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and measured quantity of the windows that judge; NaN where it is not known."""
    target_N = target_N.astype(np.float64)
    learn = np.flatnonzero(np.isfinite(target_N) & ~inner.judges_N)
    learn = learn[thinned(inner.windows.subject_id_N[learn], MOST_READ)]
    measured = target_N[inner.judges_N]
    if len(np.unique(inner.windows.subject_id_N[learn])) < 2:
        return np.full(len(measured), np.nan), measured
    subject_id = inner.windows.subject_id_N[learn]
    return ridge_predictions(x_ND[learn], target_N[learn], subject_id, x_ND[inner.judges_N], seed), measured


def _known(predicted_N: np.ndarray, target_N: np.ndarray, subject_id_N: np.ndarray, seed: int) -> dict[str, Any] | None:
    known = np.isfinite(predicted_N) & np.isfinite(target_N)
    if len(np.unique(subject_id_N[known])) < 2:
        return None
    return judged_readings(predicted_N[known], target_N[known], subject_id_N[known], seed).r2.to_json()


def _auroc_of(scores: Scores, units: Units, chosen_U: np.ndarray) -> float:
    part = Units(units.subject_id_U[chosen_U], units.y_U[chosen_U], units.name_U[chosen_U])
    return float(auroc_of_seeds(Scores(scores.name, scores.p_SU[:, chosen_U]), part, np.zeros(len(part), int)).mean())
