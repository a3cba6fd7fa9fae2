"""What a question is asked of: recordings, their folds, and every representation of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.core.progress import progress
from ecgppg.data.dataset import SplitWindows
from ecgppg.data.sampler import ordered_batches
from ecgppg.evaluation.hand_made import VERSION, HandMade, hand_made
from ecgppg.evaluation.paired import Representation
from ecgppg.evaluation.units import Units, average_by_unit, make_units
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import Answers, Question
from ecgppg.stages.evaluate_rows import keep_rows, kept_rows
from ecgppg.store.reader import SegmentDataset

BATCH_SIZE = 256


@dataclass(frozen=True, eq=False)
class Material:
    """Windows of the patients that are judged, and what is known of them.

    Attributes
    ----------
    windows : SplitWindows
        Windows of every patient who has a fold, with an answer or without.
    record_N : ndarray of str
    fold_N : ndarray of int64
    y_N : ndarray of float64
        Answers; NaN where there is none.
    units : Units
        Recordings that have an answer. For a number, y_U is 1 throughout and the number is in `number_U`.
    unit_of_N : ndarray of int64
        Unit of each window, or -1.
    fold_U : ndarray of int64
    number_U : ndarray of float64
        Mean answer of the unit's windows.
    """

    windows: SplitWindows
    record_N: np.ndarray
    fold_N: np.ndarray
    y_N: np.ndarray
    units: Units
    unit_of_N: np.ndarray
    fold_U: np.ndarray
    number_U: np.ndarray

    @property
    def n_folds(self) -> int:
        """Outer folds."""
        return int(self.fold_N.max()) + 1

    def averaged(self, name: str, x_F: Sequence[np.ndarray]) -> Representation:
        """A representation of the recordings, from one of the windows: one matrix a fold, or one for all."""
        averaged = [average_by_unit(x_ND, self.unit_of_N, len(self.units)) for x_ND in x_F]
        return Representation(name, averaged if len(averaged) > 1 else averaged * self.n_folds)

    def scores(self, score_SN: np.ndarray) -> np.ndarray:
        """Scores of the recordings, (S, U): the mean of their windows that have an answer."""
        asked_N = self.unit_of_N >= 0
        return np.stack([average_by_unit(score_n, self.unit_of_N[asked_N], len(self.units)) for score_n in score_SN])


def gather(
    dataset: SegmentDataset, windows: SplitWindows, answers: Answers, question: Question, folds: pd.DataFrame
) -> Material:
    """Bring together what is known of the windows.

    Parameters
    ----------
    dataset : SegmentDataset
    windows : SplitWindows
        Windows of the patients in `folds`.
    answers : Answers
        Of every row of the dataset.
    question : Question
    folds : DataFrame
        subject_id, fold.
    """
    row_N = windows.row_N
    y_N = answers.y_N[row_N]
    record_N = dataset.column("record")[row_N].astype(str)
    fold_N = folds.set_index("subject_id")["fold"].reindex(windows.subject_id_N).to_numpy(np.int64)
    known_N = np.isfinite(y_N)
    label_N = np.where(known_N, 1 if question.regression else np.nan_to_num(y_N), -1).astype(np.int64)
    units, unit_of_N = make_units(windows.subject_id_N, record_N, label_N)
    return Material(
        windows,
        record_N,
        fold_N,
        y_N,
        units,
        unit_of_N,
        average_by_unit(fold_N, unit_of_N, len(units)).astype(np.int64),
        average_by_unit(y_N, unit_of_N, len(units)),
    )


def hand_made_features(layout: EvaluationLayout, dataset: SegmentDataset, windows: SplitWindows) -> HandMade:
    """Hand-made features of the windows, measured once and kept."""
    content: dict[str, Any] = {
        "version": VERSION,
        "dataset": str(dataset.attributes.get("content_hash", "")),
        "windows": windows.fingerprint(),
    }
    path = layout.hand_made(windows.fingerprint())
    kept = kept_rows(path, content)
    if kept is not None:
        return HandMade(kept["values"], tuple(kept["names"].tolist()))
    quality_N = dataset.column("quality")[windows.row_N]
    blocks: list[HandMade] = []
    with progress("hand-made features", len(windows), "segments") as bar:
        for positions in ordered_batches(len(windows), BATCH_SIZE):
            x_BCT = dataset.read(windows.row_N[positions])
            blocks.append(hand_made(x_BCT, dataset.channel_names, dataset.fs_hz, quality_N[positions]))
            bar.advance(len(positions))
    made = HandMade(np.concatenate([block.values_ND for block in blocks]), blocks[0].names)
    keep_rows(path, content, windows.segment_id_N, values=made.values_ND, names=np.array(made.names))
    return made
