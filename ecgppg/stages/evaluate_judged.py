"""Who is judged by whose encoders: everyone by encoders trained for it, or those whom a given one has not met."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecgppg.config.errors import InputError
from ecgppg.config.settings import Settings
from ecgppg.core.runlog import start_log
from ecgppg.stages.evaluate_choices import Choice, chosen_for, keep_choices, settings_of_folds
from ecgppg.stages.evaluate_given import given_encoder, patients_left
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import Answers, Question, read_answers
from ecgppg.stages.evaluate_train import frozen_folds, keep_settings
from ecgppg.stages.fold_trainings import Training, train_all
from ecgppg.store.reader import SegmentDataset
from ecgppg.training.export import PretrainedEncoder, read_encoder
from ecgppg.training.fold import fold_patients, fold_splits


@dataclass(frozen=True, eq=False)
class Judged:
    """Who is judged, by whose encoders.

    Attributes
    ----------
    settings : Settings
        With channels and rate of the dataset.
    encoders : list of PretrainedEncoder
        One a fold, or the one.
    folds : DataFrame
        subject_id, fold.
    answers : Answers
        Of the patients who are left.
    excluded : dict
        `patients` and `windows` that are not.
    choices : list of dict or None
        What each fold's encoder was trained with; see `stages.evaluate_choices`.
    """

    settings: Settings
    encoders: list[PretrainedEncoder]
    folds: pd.DataFrame
    answers: Answers
    excluded: dict[str, int]
    choices: list[Choice] | None = None


def by_own_encoders(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    dataset: SegmentDataset,
    choices: Path | None,
    verbose: bool,
) -> Judged:
    """Train an encoder a fold, or go on; each with the settings that its fold chose, where a file of them is given."""
    answers = read_answers(dataset, question)
    refuse_other_input(settings, dataset)
    refuse_too_few(answers, dataset.column("subject_id"), question, settings.outer_folds)
    start_log(layout.log, verbose)
    folds = frozen_folds(settings, layout, dataset, answers.stratum_N)
    chosen = chosen_for(settings, layout, folds, dataset, choices)
    settings_F = settings_of_folds(settings, chosen)
    keep_choices(layout, chosen)
    keep_settings(settings, layout)
    _train_folds(settings_F, layout, folds)
    encoders = [read_encoder(layout.fold(fold).encoder) for fold in range(settings.outer_folds)]
    return Judged(settings, encoders, folds, answers, {"patients": 0, "windows": 0}, chosen)


def _train_folds(settings_F: Sequence[Settings], layout: EvaluationLayout, folds: pd.DataFrame) -> None:
    """Train an encoder a fold, or go on training, and embed every window with each."""
    trainings = [
        Training(
            layout.name, fold, given, layout.fold(fold), fold_splits(folds, fold, given.encoder_val_share, given.seed)
        )
        for fold, given in enumerate(settings_F)
    ]
    for _ in train_all(trainings, "encoders"):
        pass


def by_given_encoder(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    dataset: SegmentDataset,
    checkpoint: Path,
    verbose: bool,
) -> Judged:
    """Leave out whom the encoder has met."""
    # The encoder says what it takes; what the settings say of a build is of no matter here.
    settings = settings.model_copy(update={"channels": list(dataset.channel_names), "sampling_rate_hz": dataset.fs_hz})
    subject_id_N = dataset.column("subject_id")
    encoder = given_encoder(settings, checkpoint, dataset)
    left_N, excluded = patients_left(encoder, checkpoint, subject_id_N)
    found = read_answers(dataset, question)
    answers = Answers(found.asked_N & left_N, np.where(left_N, found.y_N, np.nan), found.stratum_N)
    refuse_too_few(answers, subject_id_N, question, settings.outer_folds)
    start_log(layout.log, verbose)
    folds = fold_patients(subject_id_N[left_N], answers.stratum_N[left_N], settings.outer_folds, settings.seed)
    return Judged(settings, [encoder], folds, answers, excluded)


def refuse_other_input(settings: Settings, dataset: SegmentDataset) -> None:
    """Refuse settings that speak of other channels or another rate than the dataset's."""
    wanted = (
        ("channels", list(settings.channels), list(dataset.channel_names)),
        ("sampling_rate_hz", settings.sampling_rate_hz, dataset.fs_hz),
    )
    for key, said, held in wanted:
        if said != held:
            raise InputError(
                f"{key}: the settings say {said}, {dataset.path} has {held}; give the --config it was built with"
            )


def refuse_too_few(answers: Answers, subject_id_N: np.ndarray, question: Question, n_folds: int) -> None:
    """Refuse a question that has one answer only, or fewer patients of an answer than folds."""
    if question.regression:
        n = len(np.unique(subject_id_N[answers.asked_N]))
        if n < n_folds or len(np.unique(answers.y_N[answers.asked_N])) < 2:
            raise InputError(
                f"{question.words}: {n} patients with a number; {n_folds} outer folds need at least {n_folds}, and two "
                "different numbers"
            )
        return
    for value, name in ((1, "cases"), (0, "controls")):
        n = len(np.unique(subject_id_N[answers.asked_N & (answers.y_N == value)]))
        if n < n_folds:
            raise InputError(
                f"{question.words}: {n} patients are {name}, {n_folds} outer folds need at least {n_folds}"
            )
