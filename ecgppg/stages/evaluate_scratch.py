"""Networks taught from scratch with few labels: what the same architecture makes of them without pre-training."""

from typing import Any

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash
from ecgppg.core.progress import progress
from ecgppg.evaluation.few_label import FewLabelDraw
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_material import Material
from ecgppg.stages.evaluate_question import Question
from ecgppg.stages.evaluate_rows import keep_rows, kept_rows
from ecgppg.stages.evaluate_supervised import plan_of, subset
from ecgppg.training.device import choose_device, deterministic
from ecgppg.training.supervised import teach

BATCH_SIZE = 64


def scratch_scores(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    material: Material,
    draws: list[FewLabelDraw],
    encoder: dict[str, Any],
) -> np.ndarray:
    """Score of each recording by networks that saw the labels of a draw alone, and no other window.

    The number of steps is fixed beforehand: with so few labels there is nothing to choose it by.

    Parameters
    ----------
    settings : Settings
        scratch_steps, supervised_learning_rate, crop_seconds, seed, device.
    layout : EvaluationLayout
    question : Question
    material : Material
    draws : list of FewLabelDraw
    encoder : dict
        Description of the encoder.

    Returns
    -------
    ndarray, float64 (draws, U)
    """
    windows, unit_of_N = material.windows, material.unit_of_N
    content = {
        "question": question.words,
        "encoder": encoder,
        "dataset": str(windows.source.attributes.get("content_hash", "")),
        "windows": windows.fingerprint(),
        "units": config_hash({"unit": unit_of_N.tolist(), "fold": material.fold_U.tolist()}),
        "draws": config_hash({"units": [draw.train_units.tolist() for draw in draws]}),
        "crop_seconds": settings.crop_seconds,
        "steps": settings.scratch_steps,
        "learning_rate": settings.supervised_learning_rate,
        "seed": settings.seed,
    }
    folder = layout.supervised / f"{question.name}-few-{config_hash(content)}"
    p_DU = np.full((max(draw.draw for draw in draws) + 1, len(material.units)), np.nan)
    paths = [folder / f"draw_{draw.draw}_fold_{draw.fold}.npz" for draw in draws]
    kept = [kept_rows(path, content) for path in paths]
    steps = settings.scratch_steps * sum(held is None for held in kept)
    with progress("few labels from scratch", max(steps, 1)) as bar, deterministic():
        for draw, path, held in zip(draws, paths, kept, strict=True):
            test_N = (material.fold_N == draw.fold) & (unit_of_N >= 0)
            if held is None:
                learn_N = np.isin(unit_of_N, draw.train_units)
                plan = plan_of(settings, encoder, settings.scratch_steps, draw.draw, question, BATCH_SIZE)
                taught = teach(
                    subset(windows, learn_N), material.y_N[learn_N], plan, device=choose_device(settings.device),
                    advance=lambda _, note: bar.advance(1, note),
                )  # fmt: skip
                held = {"score": taught.predict(subset(windows, test_N))}
                keep_rows(path, content, windows.segment_id_N[test_N], **held)
            score_N = np.full(len(windows), np.nan)
            score_N[test_N] = held["score"]
            in_fold_U = material.fold_U == draw.fold
            p_DU[draw.draw, in_fold_U] = material.scores(score_N[None, unit_of_N >= 0])[0, in_fold_U]
    return p_DU
