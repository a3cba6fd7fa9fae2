"""Networks taught with few labels, from scratch and from the encoder's weights: what pre-training is worth to them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash
from ecgppg.core.progress import progress
from ecgppg.evaluation.few_label import FewLabelDraw
from ecgppg.stages.embed_cohort import encoder_hash
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_material import Material
from ecgppg.stages.evaluate_question import Question
from ecgppg.stages.evaluate_rows import keep_rows, kept_rows
from ecgppg.stages.evaluate_supervised import plan_of, subset
from ecgppg.training.device import choose_device, deterministic
from ecgppg.training.export import PretrainedEncoder
from ecgppg.training.supervised import teach

BATCH_SIZE = 64


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

    From scratch they saw no other window; from an encoder's weights they take the same steps at the same rates on the
    same views, with the same fresh head, and differ in where the encoder starts alone. All of it is fixed beforehand:
    with so few labels there is nothing to choose it by.

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
        "seed": settings.seed,
    }
    content_F = [shared | {"encoder": encoder} for encoder in encoder_F]
    if pretrained_F is not None:
        content_F = [
            content | {"weights": encoder_hash(encoder)}
            for content, encoder in zip(content_F, pretrained_F, strict=True)
        ]
    kind = "few" if pretrained_F is None else "fine-tuned"
    folder_F = [layout.supervised / f"{question.name}-{kind}-{config_hash(content)}" for content in content_F]
    p_DU = np.full((max(draw.draw for draw in draws) + 1, len(material.units)), np.nan)
    paths = [folder_F[draw.fold] / f"draw_{draw.draw}_fold_{draw.fold}.npz" for draw in draws]
    kept = [kept_rows(path, content_F[draw.fold]) for draw, path in zip(draws, paths, strict=True)]
    steps = settings.scratch_steps * sum(held is None for held in kept)
    words = "few labels from scratch" if pretrained_F is None else "few labels, fine-tuned"
    with progress(words, max(steps, 1)) as bar, deterministic():
        for draw, path, held in zip(draws, paths, kept, strict=True):
            test_N = (material.fold_N == draw.fold) & (unit_of_N >= 0)
            if held is None:
                learn_N = np.isin(unit_of_N, draw.train_units)
                plan = plan_of(settings, encoder_F[draw.fold], settings.scratch_steps, draw.draw, question, BATCH_SIZE)
                initial = pretrained_F[draw.fold].network.state_dict() if pretrained_F is not None else None
                taught = teach(
                    subset(windows, learn_N), material.y_N[learn_N], plan, device=choose_device(settings.device),
                    initial=initial, advance=lambda _, note: bar.advance(1, note),
                )  # fmt: skip
                held = {"score": taught.predict(subset(windows, test_N))}
                keep_rows(path, content_F[draw.fold], windows.segment_id_N[test_N], **held)
            score_N = np.full(len(windows), np.nan)
            score_N[test_N] = held["score"]
            in_fold_U = material.fold_U == draw.fold
            p_DU[draw.draw, in_fold_U] = material.scores(score_N[None, unit_of_N >= 0])[0, in_fold_U]
    return p_DU
