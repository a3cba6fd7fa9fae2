"""The supervised network of each outer fold: taught once, kept, and never taught on its fold's patients."""

import logging
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash
from ecgppg.core.progress import progress
from ecgppg.data.dataset import SplitWindows
from ecgppg.data.sampler import n_batches
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import Question
from ecgppg.stages.evaluate_rows import keep_rows, kept_rows
from ecgppg.training.device import choose_device, deterministic
from ecgppg.training.fold import validation_patients
from ecgppg.training.supervised import SupervisedPlan, Taught, teach

BATCH_SIZE, WARMUP_SHARE = 128, 0.05
_log = logging.getLogger("ecgppg.evaluate")


def supervised_scores(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    windows: SplitWindows,
    y_N: np.ndarray,
    folds: pd.DataFrame,
    encoder_F: Sequence[dict[str, Any]],
) -> np.ndarray:
    """Score of each window by the network that has not met its patient.

    Parameters
    ----------
    settings : Settings
        supervised_*, crop_seconds, sampling_rate_hz, seed, device.
    layout : EvaluationLayout
    question : Question
    windows : SplitWindows
        The windows that have an answer.
    y_N : ndarray
        Their answers.
    folds : DataFrame
        subject_id, fold.
    encoder_F : sequence of dict
        Description of each fold's encoder, whose size the network has.

    Returns
    -------
    ndarray, float64 (S, N)
        Logits, or predicted numbers; a row a seed.
    """
    fold_N = folds.set_index("subject_id")["fold"].reindex(windows.subject_id_N).to_numpy()
    content = {
        "question": question.words,
        "dataset": str(windows.source.attributes.get("content_hash", "")),
        "windows": windows.fingerprint(),
        "answers": config_hash({"y": y_N.tolist()}),
        "folds": config_hash({"fold": fold_N.tolist()}),
        "crop_seconds": settings.crop_seconds,
        "epochs": settings.supervised_epochs,
        "learning_rate": settings.supervised_learning_rate,
        "weight_decay": settings.supervised_weight_decay,
        "dropout": settings.supervised_dropout,
        "refitted": True,
        "val_share": settings.supervised_val_share,
        "seed": settings.seed,
    }
    content_F = [content | {"encoder": encoder} for encoder in encoder_F]
    n_folds = len(encoder_F)
    score_SN = np.full((settings.supervised_seeds, len(windows)), np.nan)
    jobs = [(seed, fold) for seed in range(settings.supervised_seeds) for fold in range(n_folds)]
    path_of = {
        (seed, fold): layout.supervised
        / f"{question.name}-{config_hash(content_F[fold])}"
        / f"fold_{fold}_seed_{seed}.npz"
        for seed, fold in jobs
    }
    kept = {job: kept_rows(path, content_F[job[1]]) for job, path in path_of.items()}
    # At the most: the second network of a job is taught for as many epochs as were best for the first.
    total = sum(
        2 * settings.supervised_epochs * int((fold_N != fold).sum()) for (_, fold), held in kept.items() if not held
    )
    with progress("supervised", max(total, 1), "segments") as bar:
        for (seed, fold), held in kept.items():
            in_fold_N = fold_N == fold
            if held is None:
                score_n, epoch = _teach_fold(
                    settings, windows, y_N, fold_N, fold, seed, encoder_F[fold], question, bar.advance
                )
                held = {"score": score_n}
                keep_rows(path_of[seed, fold], content_F[fold], windows.segment_id_N[in_fold_N], **held)
                _log.info("supervised, fold %d of %d, seed %d: epoch %d chosen", fold + 1, n_folds, seed, epoch)
            score_SN[seed, in_fold_N] = held["score"]
    return score_SN


def subset(windows: SplitWindows, chosen: np.ndarray) -> SplitWindows:
    """Some of the windows (a mask or positions), in the same order."""
    arrays = {field.name: getattr(windows, field.name) for field in fields(windows) if field.name != "source"}
    return replace(windows, **{name: values[chosen] for name, values in arrays.items()})


def plan_of(
    settings: Settings, encoder: dict[str, Any], steps: int, seed: int, question: Question, batch_size: int
) -> SupervisedPlan:
    """What networks that are taught on labels share, few or many, from the settings."""
    return SupervisedPlan(
        encoder=encoder,
        crop_samples=round(settings.crop_seconds * settings.sampling_rate_hz),
        fs_hz=settings.sampling_rate_hz,
        steps=steps,
        batch_size=batch_size,
        learning_rate=settings.supervised_learning_rate,
        weight_decay=settings.supervised_weight_decay,
        warmup_share=WARMUP_SHARE,
        seed=settings.seed + seed,
        regression=question.regression,
    )


def _teach_fold(
    settings: Settings,
    windows: SplitWindows,
    y_N: np.ndarray,
    fold_N: np.ndarray,
    fold: int,
    seed: int,
    encoder: dict[str, Any],
    question: Question,
    advance: Any,
) -> tuple[np.ndarray, int]:
    """(scores of the fold's windows, epoch chosen)."""
    """The epoch is chosen on patients set aside; then all patients outside the fold teach a network for as long."""
    outside_N = fold_N != fold
    chooses = validation_patients(
        np.unique(windows.subject_id_N[outside_N]), settings.supervised_val_share, settings.seed + seed
    )
    is_val_N = np.isin(windows.subject_id_N, chooses)
    val = (subset(windows, is_val_N), y_N[is_val_N])

    def taught(learn_N: np.ndarray, epochs: int | None) -> Taught:
        learn = subset(windows, learn_N)
        batch_size = min(BATCH_SIZE, len(learn))
        steps = settings.supervised_epochs * n_batches(len(learn), batch_size)
        plan = replace(
            plan_of(settings, encoder, steps, seed, question, batch_size),
            dropout=settings.supervised_dropout,
            epochs=epochs,
        )
        return teach(
            learn, y_N[learn_N], plan, val=val if epochs is None else None, device=choose_device(settings.device),
            advance=advance,
        )  # fmt: skip

    with deterministic():
        chosen = taught(outside_N & ~is_val_N, None)
        again = taught(outside_N, chosen.epoch)
        return again.predict(subset(windows, fold_N == fold)), chosen.epoch
