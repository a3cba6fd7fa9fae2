"""Networks taught with few labels, from scratch and from the encoder's weights: what pre-training is worth to them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ecgppg.config.errors import RunError
from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash
from ecgppg.core.parallel import map_jobs
from ecgppg.core.progress import progress
from ecgppg.data.dataset import SplitWindows
from ecgppg.evaluation.few_label import FewLabelDraw
from ecgppg.stages.embed_cohort import encoder_hash
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_material import Material
from ecgppg.stages.evaluate_question import Question
from ecgppg.stages.evaluate_rows import keep_rows, kept_rows
from ecgppg.stages.evaluate_supervised import plan_of, subset
from ecgppg.training.device import choose_device, deterministic, one_thread, worth_beside
from ecgppg.training.export import PretrainedEncoder
from ecgppg.training.supervised import SupervisedPlan, teach

BATCH_SIZE = 64
HEAD_FIRST, ENCODER_RATE = 0.5, 0.1
"""Of networks that go on from an encoder's weights, see `SupervisedPlan`."""


@dataclass(frozen=True, eq=False)
class _Network:
    """One network to be taught, and the file its scores go to."""

    path: Path
    content: dict[str, Any]
    learn: SplitWindows
    y_N: np.ndarray
    judged: SplitWindows
    plan: SupervisedPlan
    initial: dict[str, Tensor] | None
    device: str


def network_scores(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    material: Material,
    draws: list[FewLabelDraw],
    encoder_F: Sequence[dict[str, Any]],
    pretrained_F: Sequence[PretrainedEncoder] | None = None,
) -> np.ndarray:
    """Score of each recording by networks that saw the labels of a draw alone.

    From scratch they saw no other window. From an encoder's weights they take as many steps on the same views with the
    same fresh head, which learns alone for half of them; then the encoder learns too, at a tenth of the rate. All of
    it is fixed beforehand: with so few labels there is nothing to choose it by.

    Parameters
    ----------
    settings : Settings
        scratch_steps, supervised_learning_rate, crop_seconds, seed, device.
    layout : EvaluationLayout
    question : Question
    material : Material
    draws : list of FewLabelDraw
    encoder_F : sequence of dict
        Description of each fold's encoder.
    pretrained_F : sequence of PretrainedEncoder, optional
        The encoder of each fold, to go on from; without them weights are fresh.

    Returns
    -------
    ndarray, float64 (draws, U)
    """
    windows, unit_of_N = material.windows, material.unit_of_N
    shared = {
        "question": question.words,
        "dataset": str(windows.source.attributes.get("content_hash", "")),
        "windows": windows.fingerprint(),
        "units": config_hash({"unit": unit_of_N.tolist(), "fold": material.fold_U.tolist()}),
        "draws": config_hash({"units": [draw.train_units.tolist() for draw in draws]}),
        "crop_seconds": settings.crop_seconds,
        "steps": settings.scratch_steps,
        "learning_rate": settings.supervised_learning_rate,
        "weight_decay": settings.supervised_weight_decay,
        "augmentation_strength": settings.augmentation_strength,
        "seed": settings.seed,
    }
    content_F = [shared | {"encoder": encoder} for encoder in encoder_F]
    if pretrained_F is not None:
        content_F = [
            content | {"weights": encoder_hash(encoder), "head_first": HEAD_FIRST, "encoder_rate": ENCODER_RATE}
            for content, encoder in zip(content_F, pretrained_F, strict=True)
        ]
    kind = "few" if pretrained_F is None else "fine-tuned"
    folder_F = [layout.supervised / f"{question.name}-{kind}-{config_hash(content)}" for content in content_F]
    p_DU = np.full((max(draw.draw for draw in draws) + 1, len(material.units)), np.nan)
    paths = [folder_F[draw.fold] / f"draw_{draw.draw}_fold_{draw.fold}.npz" for draw in draws]
    networks = [
        _network(settings, question, material, draw, path, content_F[draw.fold], encoder_F, pretrained_F)
        for draw, path in zip(draws, paths, strict=True)
        if kept_rows(path, content_F[draw.fold]) is None
    ]
    words = "few labels from scratch" if pretrained_F is None else "few labels, fine-tuned"
    with progress(words, max(len(networks), 1)) as bar:
        for done in map_jobs(_teach, networks, worth_beside(settings.num_workers, settings.device)):
            if done.result is None:
                raise RunError(f"{done.job.path}: teaching this network ended its process {done.killed_workers} times")
            bar.advance(1)
    for draw, path in zip(draws, paths, strict=True):
        held = kept_rows(path, content_F[draw.fold])
        assert held is not None
        score_N = np.full(len(windows), np.nan)
        score_N[(material.fold_N == draw.fold) & (unit_of_N >= 0)] = held["score"]
        in_fold_U = material.fold_U == draw.fold
        p_DU[draw.draw, in_fold_U] = material.scores(score_N[None, unit_of_N >= 0])[0, in_fold_U]
    return p_DU


def _network(
    settings: Settings,
    question: Question,
    material: Material,
    draw: FewLabelDraw,
    path: Path,
    content: dict[str, Any],
    encoder_F: Sequence[dict[str, Any]],
    pretrained_F: Sequence[PretrainedEncoder] | None,
) -> _Network:
    learn_N = np.isin(material.unit_of_N, draw.train_units)
    plan = plan_of(settings, encoder_F[draw.fold], settings.scratch_steps, draw.draw, question, BATCH_SIZE)
    if pretrained_F is not None:
        plan = replace(plan, head_first=HEAD_FIRST, encoder_rate=ENCODER_RATE)
    return _Network(
        path, content, subset(material.windows, learn_N), material.y_N[learn_N],
        subset(material.windows, (material.fold_N == draw.fold) & (material.unit_of_N >= 0)),
        plan, None if pretrained_F is None else pretrained_F[draw.fold].network.state_dict(), settings.device,
    )  # fmt: skip


def _teach(network: _Network) -> int:
    """Teach a network and keep its scores; how many."""
    with deterministic(), one_thread():
        taught = teach(
            network.learn, network.y_N, network.plan, device=choose_device(network.device), initial=network.initial
        )
        score_N = taught.predict(network.judged)
    keep_rows(network.path, network.content, network.judged.segment_id_N, score=score_N)
    return len(score_N)
