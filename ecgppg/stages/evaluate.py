"""The stage that asks a representation a question, beside everything it must be measured against."""

import logging
from typing import Any

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.config.settings import Settings
from ecgppg.core.runlog import start_log
from ecgppg.data.dataset import SplitWindows, select_windows
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import Answers, Question, read_answers
from ecgppg.stages.evaluate_supervised import supervised_scores
from ecgppg.stages.evaluate_train import frozen_folds, keep_settings, train_folds, untrained_embeddings
from ecgppg.store.reader import SegmentDataset, open_dataset
from ecgppg.training.export import read_encoder

_log = logging.getLogger("ecgppg.evaluate")


def run(settings: Settings, layout: EvaluationLayout, question: Question, verbose: bool = False) -> dict[str, Any]:
    """Train an encoder a fold, and ask each about the patients it has not met.

    Parameters
    ----------
    settings : Settings
    layout : EvaluationLayout
    question : Question
    verbose : bool
        Show details on the terminal.

    Raises
    ------
    InputError
        If the dataset cannot answer the question.
    RefusedError
        If what is there was made with other settings.
    """
    dataset = open_dataset(layout.dataset)
    answers = read_answers(dataset, question)
    refuse_other_input(settings, dataset)
    refuse_too_few(answers, dataset.column("subject_id"), question, settings.outer_folds)
    start_log(layout.log, verbose)
    folds = frozen_folds(settings, layout, dataset, answers.stratum_N)
    keep_settings(settings, layout)
    train_folds(settings, layout, folds)
    windows = select_windows(dataset, np.unique(dataset.column("subject_id")))
    encoder = read_encoder(layout.fold(0).encoder).description["encoder"]
    untrained_embeddings(layout, encoder, windows, settings.probe_seeds, settings.device)
    asked, y_N = asked_windows(windows, answers)
    supervised_scores(settings, layout, question, asked, y_N, folds, encoder)
    return {}


def asked_windows(windows: SplitWindows, answers: Answers) -> tuple[SplitWindows, np.ndarray]:
    """The windows that have an answer, and their answers."""
    from ecgppg.stages.evaluate_supervised import subset

    chosen_N = answers.asked_N[windows.row_N]
    return subset(windows, chosen_N), answers.y_N[windows.row_N[chosen_N]]


def refuse_other_input(settings: Settings, dataset: SegmentDataset) -> None:
    """Refuse settings that speak of other channels or another rate than the dataset's."""
    wanted = (("channels", list(settings.channels), list(dataset.channel_names)),
              ("sampling_rate_hz", settings.sampling_rate_hz, dataset.fs_hz))  # fmt: skip
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
                f"{question.words}: {n} patients with a number; {n_folds} folds need more, and two numbers"
            )
        return
    for value, name in ((1, "cases"), (0, "controls")):
        n = len(np.unique(subject_id_N[answers.asked_N & (answers.y_N == value)]))
        if n < n_folds:
            raise InputError(
                f"{question.words}: {n} patients are {name}, {n_folds} outer folds need at least {n_folds}"
            )
