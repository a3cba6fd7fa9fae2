"""The stage that chooses settings for every outer fold without its patients.

For each outer fold the patients outside it are split again: candidates train on one part, and are judged by the other.
The winner of a fold is chosen without anything of that fold, so what `evaluate` finds there with it is untouched.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.candidates import Candidate, with_changes
from ecgppg.config.errors import InputError, RefusedError
from ecgppg.config.settings import Settings
from ecgppg.core.files import write_completion, write_json, write_text
from ecgppg.core.runlog import start_log
from ecgppg.core.side_files import side_files
from ecgppg.evaluation.choice_page import choice_markdown, forest_rows
from ecgppg.evaluation.evaluation_figures import draw_forest
from ecgppg.evaluation.paired import paired_difference
from ecgppg.stages.choose_layout import ChoiceLayout
from ecgppg.stages.choose_score import InnerFold, Worth, inner_fold, stacked_units, worth_of
from ecgppg.stages.evaluate_judged import refuse_other_input, refuse_too_few
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import Question, read_answers
from ecgppg.stages.evaluate_train import folds_hash, frozen_folds
from ecgppg.stages.fold_trainings import Training, train_all
from ecgppg.store.reader import open_dataset
from ecgppg.training.fold import inner_splits

_log = logging.getLogger("ecgppg.choose")


def run(
    settings: Settings,
    root: Path,
    dataset_path: Path,
    question: Question,
    candidates: Sequence[Candidate],
    verbose: bool = False,
) -> dict[str, Any]:
    """Train and judge every candidate inside every outer fold's other patients; write OUT/choice/.

    Parameters
    ----------
    settings : Settings
        What all candidates share; choice_val_share, outer_folds, probe_seeds, num_workers.
    root : Path
        The output folder: outer folds that `evaluate` dealt there are the same ones.
    dataset_path : Path
    question : Question
        A label.
    candidates : sequence of Candidate
        The others are compared with the first.
    verbose : bool
        Show details on the terminal.

    Returns
    -------
    dict
        What choice.json holds.

    Raises
    ------
    ConfigError
        If the settings of a candidate cannot be.
    InputError
        If the dataset cannot answer the question, or its patients do not suffice.
    RefusedError
        If what is there was made with other settings.
    RunError
        If a training cannot be done.
    """
    settings_C = {c.name: with_changes(settings, c.changes, f"candidate {c.name}") for c in candidates}
    dataset = open_dataset(dataset_path)
    answers = read_answers(dataset, question)
    refuse_other_input(settings, dataset)
    subject_id_N = dataset.column("subject_id")
    refuse_too_few(answers, subject_id_N, question, settings.outer_folds)
    layout = ChoiceLayout(root, dataset_path)
    start_log(layout.log, verbose)
    folds = frozen_folds(settings, EvaluationLayout(root, dataset_path), dataset, answers.stratum_N)
    stratum_of = pd.Series(answers.stratum_N).groupby(subject_id_N).max()
    splits_F = [
        inner_splits(folds, fold, stratum_of, settings.choice_val_share, settings.seed)
        for fold in range(settings.outer_folds)
    ]
    inner_F = [inner_fold(dataset, answers, splits) for splits in splits_F]
    _refuse_one_sided(inner_F, question)
    trainings = [
        Training(name, fold, changed, layout.trained(name, fold), splits)
        for fold, splits in enumerate(splits_F)
        for name, changed in settings_C.items()
    ]
    for training, said in train_all(trainings, "choosing"):
        if said["epochs"] > training.settings.num_epochs:
            raise RefusedError(
                f"{training.layout.root} was trained for {said['epochs']} epochs, and not for "
                f"{training.settings.num_epochs}: all candidates are compared alike, give --num-epochs {said['epochs']}"
            )
    worths = []
    for candidate in candidates:
        _log.info("judging %s", candidate.name)
        layouts = [layout.trained(candidate.name, fold) for fold in range(settings.outer_folds)]
        worths.append(worth_of(settings, candidate.name, layouts, inner_F))
    chosen = _answer(settings, question, candidates, worths, inner_F)
    chosen |= {
        "dataset": str(dataset.attributes.get("content_hash", "")),
        "folds": folds_hash(folds),
        "settings": settings.content("run", "train", "choose") | {"num_epochs": settings.num_epochs},
    }
    _write(layout, chosen, settings.min_cell_patients)
    return chosen


def _answer(
    settings: Settings,
    question: Question,
    candidates: Sequence[Candidate],
    worths: Sequence[Worth],
    inner_F: Sequence[InnerFold],
) -> dict[str, Any]:
    """The table of candidates, and the winner of each outer fold; of equals the first."""
    units, fold_U = stacked_units(inner_F)
    best_F = np.argmax([worth.auroc_F for worth in worths], axis=0).tolist()
    rows = []
    for at, (candidate, worth) in enumerate(zip(candidates, worths, strict=True)):
        less_first = paired_difference(worth.scores, worths[0].scores, units, fold_U, seed=settings.seed)
        rows.append(
            worth.row
            | {
                "changes": candidate.changes,
                "less_first": less_first.to_json() if at else None,
                "picked": best_F.count(at),
            }
        )
    winners = [
        {"fold": fold, "candidate": candidates[best].name, "changes": candidates[best].changes,
         "auroc": rows[best]["folds"][fold], "n_recordings": int((fold_U == fold).sum())}
        for fold, best in enumerate(best_F)
    ]  # fmt: skip
    return {
        "question": question.words,
        "outer_folds": settings.outer_folds,
        "seed": settings.seed,
        "n_patients": units.n_patients,
        "n_patients_with": units.n_patients_with,
        "candidates": rows,
        "winners": winners,
    }


def _refuse_one_sided(inner_F: Sequence[InnerFold], question: Question) -> None:
    for fold, inner in enumerate(inner_F):
        for judges, part in ((True, "that judge"), (False, "that train")):
            y = inner.units.y_U[inner.judges_U == judges]
            if len(np.unique(y)) < 2:
                raise InputError(
                    f"{question.words}: outside fold {fold + 1} the {len(y)} recordings {part} are all of one kind; "
                    "fewer outer folds, or another choice_val_share, may help"
                )


def _write(layout: ChoiceLayout, chosen: dict[str, Any], least: int) -> None:
    draw_forest(layout.figure, forest_rows(chosen), least)
    write_text(layout.page, choice_markdown(chosen, layout.figure.name, least))
    write_json(layout.answer, chosen)
    content = {key: chosen[key] for key in ("question", "dataset", "folds", "settings")}
    beside = side_files(layout.root, [layout.page, layout.figure])
    write_completion(layout.answer, content, len(chosen["candidates"]), files=beside)
    _log.info("\n%s\n%s", layout.page.read_text(encoding="utf-8"), layout.page)
