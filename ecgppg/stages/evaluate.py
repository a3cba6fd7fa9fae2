"""The stage that asks a representation a question, beside everything it must be measured against."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.errors import InputError
from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash, read_completion, read_json, sha256_file
from ecgppg.core.runlog import start_log
from ecgppg.data.dataset import SplitWindows, select_windows
from ecgppg.evaluation.hand_made import VERSION
from ecgppg.evaluation.paired import Scores
from ecgppg.stages.evaluate_compare import SUPERVISED, Compared, differences, measured, score_methods
from ecgppg.stages.evaluate_few import few_labels
from ecgppg.stages.evaluate_given import given_embeddings, patients_left
from ecgppg.stages.evaluate_knows import what_it_knows
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_material import Material, gather, hand_made_features
from ecgppg.stages.evaluate_question import Answers, Question, read_answers
from ecgppg.stages.evaluate_regression import regression_results
from ecgppg.stages.evaluate_supervised import subset, supervised_scores
from ecgppg.stages.evaluate_train import (
    fold_embeddings,
    frozen_folds,
    keep_settings,
    train_folds,
    untrained_embeddings,
)
from ecgppg.stages.evaluate_write import RESULTS, Map, say_results, write_results
from ecgppg.store.reader import SegmentDataset, open_dataset
from ecgppg.training.export import WEIGHTS, read_encoder
from ecgppg.training.fold import fold_patients

_log = logging.getLogger("ecgppg.evaluate")


def run(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    checkpoint: Path | None = None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Ask encoders a question about patients they have not met; write and print the answer.

    Parameters
    ----------
    settings : Settings
    layout : EvaluationLayout
    question : Question
    checkpoint : Path, optional
        Folder of an encoder. Its own patients are left out. Without it an encoder is trained for each fold.
    verbose : bool
        Show details on the terminal.

    Returns
    -------
    dict
        What results.json holds.

    Raises
    ------
    InputError
        If the dataset cannot answer the question, or the encoder has met too many of its patients.
    RefusedError
        If what is there was made with other settings.
    """
    dataset = open_dataset(layout.dataset)
    answers = read_answers(dataset, question)
    if checkpoint is None:
        refuse_other_input(settings, dataset)
    else:
        # The encoder says what it takes; what the settings say of a build is of no matter here.
        settings = settings.model_copy(
            update={"channels": list(dataset.channel_names), "sampling_rate_hz": dataset.fs_hz}
        )
    subject_id_N = dataset.column("subject_id")
    refuse_too_few(answers, subject_id_N, question, settings.outer_folds)
    if checkpoint is None:
        start_log(layout.log, verbose)
        folds = frozen_folds(settings, layout, dataset, answers.stratum_N)
        keep_settings(settings, layout)
        train_folds(settings, layout, folds)
        encoders = [layout.fold(fold).encoder for fold in range(settings.outer_folds)]
        excluded = {"patients": 0, "windows": 0}
    else:
        left_N, excluded = patients_left(checkpoint, subject_id_N)
        answers = Answers(answers.asked_N & left_N, np.where(left_N, answers.y_N, np.nan), answers.stratum_N)
        refuse_too_few(answers, subject_id_N, question, settings.outer_folds)
        start_log(layout.log, verbose)
        folds = fold_patients(subject_id_N[left_N], answers.stratum_N[left_N], settings.outer_folds, settings.seed)
        encoders = [checkpoint]
    windows = select_windows(dataset, folds["subject_id"].to_numpy())
    material = gather(dataset, windows, answers, question, folds)
    content = {
        **settings.content("run", "evaluate"),
        "crop_seconds": settings.crop_seconds,
        "question": question.words,
        "dataset": str(dataset.attributes.get("content_hash", "")),
        "answers": config_hash({"y": np.nan_to_num(material.y_N, nan=-9e9).tolist()}),
        "folds": config_hash({"fold": material.fold_N.tolist()}),
        "encoders": [sha256_file(encoder / WEIGHTS) for encoder in encoders],
        "hand_made": VERSION,
    }
    folder = layout.task(question.name)
    record, held = read_completion(folder / RESULTS), read_json(folder / RESULTS)
    if record is not None and record["content"] == content and isinstance(held, dict):
        say_results(folder)
        return held
    description = read_encoder(encoders[0]).description["encoder"]
    compared = _represented(settings, layout, dataset, windows, encoders, description)
    found = _answered(settings, layout, question, dataset, material, folds, compared, description)
    results = {
        "question": question.words,
        "caution": question.caution,
        "dataset": str(dataset.attributes.get("content_hash", "")),
        "encoder": description,
        "trained": "one encoder a fold" if checkpoint is None else "one encoder, given",
        "excluded": excluded,
        "outer_folds": material.n_folds,
        "n_windows": int((material.unit_of_N >= 0).sum()),
        "n_recordings": len(material.units),
        "n_patients": material.units.n_patients,
        "settings": settings.content("run", "train", "evaluate"),
        **found,
    }
    map_of = (
        None if question.regression else Map(question, material, material.averaged("embedding", compared.embedding_F))
    )
    write_results(folder, results, content, settings.min_cell_patients, map_of)
    say_results(folder)
    return results


def _represented(
    settings: Settings,
    layout: EvaluationLayout,
    dataset: SegmentDataset,
    windows: SplitWindows,
    encoders: list[Path],
    description: dict[str, Any],
) -> Compared:
    """The windows as numbers of every kind."""
    if len(encoders) > 1:
        embedding_F = [fold_embeddings(layout, fold, windows.segment_id_N) for fold in range(len(encoders))]
    else:
        embedding_F = [given_embeddings(settings, layout, encoders[0], windows)]
    untrained_S = untrained_embeddings(layout, description, windows, settings.probe_seeds, settings.device)
    return Compared(embedding_F, untrained_S, hand_made_features(layout, dataset, windows))


def _answered(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    dataset: SegmentDataset,
    material: Material,
    folds: pd.DataFrame,
    compared: Compared,
    description: dict[str, Any],
) -> dict[str, Any]:
    """What the question finds in each of them."""
    asked_N = material.unit_of_N >= 0
    score_SN = supervised_scores(
        settings, layout, question, subset(material.windows, asked_N), material.y_N[asked_N], folds, description
    )
    supervised = Scores(SUPERVISED, material.scores(score_SN))
    knows = what_it_knows(dataset, material, compared, settings.seed)
    if question.regression:
        return {**regression_results(settings, material, compared, supervised), "knows": knows}
    scores = [*score_methods(settings, material, compared), supervised]
    points, gains = few_labels(settings, layout, question, material, compared, description)
    return {
        "n_patients_with": material.units.n_patients_with,
        "results": measured(settings, material, scores),
        "differences": [*differences(settings, material, scores), *gains],
        "few_labels": points,
        "knows": knows,
    }


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
