"""The supervised network of each outer fold: taught once, kept, and never taught on its fold's patients."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.errors import RunError
from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash
from ecgppg.core.parallel import map_jobs
from ecgppg.core.progress import progress
from ecgppg.data.dataset import SplitWindows
from ecgppg.data.sampler import n_batches
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import Question
from ecgppg.stages.evaluate_rows import keep_rows, kept_rows
from ecgppg.training.device import choose_device, deterministic, one_thread, worth_beside
from ecgppg.training.fold import validation_patients
from ecgppg.training.supervised import SupervisedPlan, Taught, teach

BATCH_SIZE, WARMUP_SHARE = 128, 0.05
_log = logging.getLogger("ecgppg.evaluate")


@dataclass(frozen=True, eq=False)
class _FoldNetwork:
    """The network of one fold and seed to be taught, and the file its scores go to."""

    path: Path
    content: dict[str, Any]
    settings: Settings
    windows: SplitWindows
    y_N: np.ndarray
    fold_N: np.ndarray
    fold: int
    seed: int
    question: Question


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
        "augmentation_strength": settings.augmentation_strength,
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
    networks = [
        _FoldNetwork(path, content_F[fold], settings, windows, y_N, fold_N, fold, seed, question)
        for (seed, fold), path in path_of.items()
        if kept_rows(path, content_F[fold]) is None
    ]
    with progress("supervised", max(len(networks), 1)) as bar:
        for done in map_jobs(_teach, networks, worth_beside(settings.num_workers, settings.device)):
            if done.result is None:
                raise RunError(f"{done.job.path}: teaching this network ended its process {done.killed_workers} times")
            fold, seed, epoch = done.job.fold + 1, done.job.seed, done.result
            _log.info("supervised, fold %d of %d, seed %d: epoch %d chosen", fold, n_folds, seed, epoch)
            bar.advance(1, f"fold {fold}")
    for (seed, fold), path in path_of.items():
        held = kept_rows(path, content_F[fold])
        assert held is not None
        score_SN[seed, fold_N == fold] = held["score"]
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
        augmentation_strength=settings.augmentation_strength,
    )


def _teach(network: _FoldNetwork) -> int:
    """Teach a network and keep its scores; the epoch chosen.

    The epoch is chosen on patients set aside; then all patients outside the fold teach a network for as long.
    """
    settings, windows, y_N = network.settings, network.windows, network.y_N
    outside_N = network.fold_N != network.fold
    chooses = validation_patients(
        np.unique(windows.subject_id_N[outside_N]), settings.supervised_val_share, settings.seed + network.seed
    )
    is_val_N = np.isin(windows.subject_id_N, chooses)
    val = (subset(windows, is_val_N), y_N[is_val_N])

    def taught(learn_N: np.ndarray, epochs: int | None) -> Taught:
        learn = subset(windows, learn_N)
        batch_size = min(BATCH_SIZE, len(learn))
        steps = settings.supervised_epochs * n_batches(len(learn), batch_size)
        plan = replace(
            plan_of(settings, network.content["encoder"], steps, network.seed, network.question, batch_size),
            dropout=settings.supervised_dropout,
            epochs=epochs,
        )
        return teach(
            learn, y_N[learn_N], plan, val=val if epochs is None else None, device=choose_device(settings.device)
        )

    judged = subset(windows, ~outside_N)
    with deterministic(), one_thread():
        chosen = taught(outside_N & ~is_val_N, None)
        score_N = taught(outside_N, chosen.epoch).predict(judged)
    keep_rows(network.path, network.content, judged.segment_id_N, score=score_N)
    return chosen.epoch
