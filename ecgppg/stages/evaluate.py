"""The stage that asks a representation a question, beside everything it must be measured against."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash, read_completion, read_json
from ecgppg.data.dataset import SplitWindows, select_windows
from ecgppg.evaluation.hand_made import VERSION
from ecgppg.evaluation.paired import Scores
from ecgppg.stages.embed_cohort import encoder_hash
from ecgppg.stages.evaluate_compare import SUPERVISED, Compared, differences, measured, score_methods
from ecgppg.stages.evaluate_few import few_labels
from ecgppg.stages.evaluate_given import given_embeddings
from ecgppg.stages.evaluate_judged import by_given_encoder, by_own_encoders
from ecgppg.stages.evaluate_knows import what_it_knows
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_material import Material, gather, hand_made_features
from ecgppg.stages.evaluate_question import Question
from ecgppg.stages.evaluate_regression import regression_results
from ecgppg.stages.evaluate_supervised import subset, supervised_scores
from ecgppg.stages.evaluate_train import fold_embeddings, untrained_embeddings
from ecgppg.stages.evaluate_write import RESULTS, Map, say_results, write_results
from ecgppg.store.reader import SegmentDataset, open_dataset
from ecgppg.training.export import PretrainedEncoder

METHODS = 2
"""Counted up when methods are added: a question that was answered without them is answered again."""
_log = logging.getLogger("ecgppg.evaluate")


def run(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    checkpoint: Path | None = None,
    choices: Path | None = None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Ask encoders a question about patients they have not met; write and print the answer.

    Parameters
    ----------
    settings : Settings
    layout : EvaluationLayout
    question : Question
    checkpoint : Path, optional
        An encoder (see `stages.encoder_at`); its own patients are left out. Without it one is trained for each fold.
    choices : Path, optional
        A choice.json: each fold's encoder is trained with the settings that were chosen without that fold.
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
    judged = (
        by_own_encoders(settings, layout, question, dataset, choices, verbose)
        if checkpoint is None
        else by_given_encoder(settings, layout, question, dataset, checkpoint, verbose)
    )
    settings, encoders, folds, answers = judged.settings, judged.encoders, judged.folds, judged.answers
    windows = select_windows(dataset, folds["subject_id"].to_numpy())
    material = gather(dataset, windows, answers, question, folds)
    content = {
        **settings.content("run", "evaluate"),
        "crop_seconds": settings.crop_seconds,
        "question": question.words,
        "dataset": str(dataset.attributes.get("content_hash", "")),
        "answers": config_hash({"y": np.nan_to_num(material.y_N, nan=-9e9).tolist()}),
        "folds": config_hash({"fold": material.fold_N.tolist()}),
        "encoders": [encoder_hash(encoder) for encoder in encoders],
        "hand_made": VERSION,
        "methods": METHODS,
        **({"choices": judged.choices} if judged.choices else {}),
    }
    folder = layout.task(question.name)
    record, held = read_completion(folder / RESULTS), read_json(folder / RESULTS)
    if record is not None and record["content"] == content and isinstance(held, dict):
        say_results(folder)
        return held
    compared = _represented(settings, layout, dataset, windows, encoders)
    of_fold = encoders if len(encoders) > 1 else encoders * material.n_folds
    found = _answered(settings, layout, question, dataset, material, folds, compared, of_fold)
    results = {
        "question": question.words,
        "caution": question.caution,
        "dataset": str(dataset.attributes.get("content_hash", "")),
        "encoder": encoders[0].description["encoder"],
        "trained": "one encoder a fold" if checkpoint is None else "one encoder, given",
        "choices": judged.choices,
        "excluded": judged.excluded,
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
    encoders: list[PretrainedEncoder],
) -> Compared:
    """The windows as numbers of every kind."""
    if len(encoders) > 1:
        embedding_F = [fold_embeddings(layout, fold, windows.segment_id_N) for fold in range(len(encoders))]
    else:
        embedding_F = [given_embeddings(settings, layout, encoders[0], windows)]
    untrained_S = untrained_embeddings(settings, layout, encoders, windows)
    return Compared(embedding_F, untrained_S, hand_made_features(layout, dataset, windows))


def _answered(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    dataset: SegmentDataset,
    material: Material,
    folds: pd.DataFrame,
    compared: Compared,
    encoder_F: list[PretrainedEncoder],
) -> dict[str, Any]:
    """What the question finds in each of them."""
    asked_N = material.unit_of_N >= 0
    # The supervised network sees the channels that are there, an encoder of more channels zeros where one is not.
    same_size_F = [encoder.description["encoder"] | {"n_channels": len(dataset.channel_names)} for encoder in encoder_F]
    score_SN = supervised_scores(
        settings, layout, question, subset(material.windows, asked_N), material.y_N[asked_N], folds, same_size_F
    )
    supervised = Scores(SUPERVISED, material.scores(score_SN))
    knows = what_it_knows(dataset, material, compared, settings.seed)
    if question.regression:
        return {**regression_results(settings, material, compared, supervised), "knows": knows}
    scores = [*score_methods(settings, material, compared), supervised]
    goes_on = all(encoder.channels == tuple(dataset.channel_names) for encoder in encoder_F)
    if not goes_on:
        _log.info("no network goes on from the encoder: it takes %s", ", ".join(encoder_F[0].channels))
    points, gains = few_labels(
        settings, layout, question, material, compared, same_size_F, encoder_F if goes_on else None
    )
    return {
        "n_patients_with": material.units.n_patients_with,
        "results": measured(settings, material, scores),
        "differences": [*differences(settings, material, scores), *gains],
        "few_labels": points,
        "knows": knows,
    }
