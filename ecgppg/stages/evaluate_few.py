"""What few labels are enough for: the embedding, hand-made features, an untrained encoder, a network from scratch."""

from typing import Any

from ecgppg.config.settings import Settings
from ecgppg.core.progress import progress
from ecgppg.evaluation.few_label import compare_draws, few_label_point, few_label_scores
from ecgppg.evaluation.few_label_choice import FewLabelDraw, few_label_draws, possible_labels
from ecgppg.evaluation.intervals import number_or_none
from ecgppg.evaluation.paired import Scores
from ecgppg.evaluation.probes import linear_probe
from ecgppg.stages.evaluate_compare import EMBEDDING, HAND, UNTRAINED, Compared
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_material import Material
from ecgppg.stages.evaluate_question import Question
from ecgppg.stages.evaluate_scratch import scratch_scores

SCRATCH = "network from scratch"


def few_labels(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    material: Material,
    compared: Compared,
    encoder: dict[str, Any],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Curves over the number of labels, and what the embedding gains over the network from scratch.

    Returns
    -------
    points, differences : list of dict
        A point: `method`, `n_labels`, `measure`, `estimate`, `low`, `high`, `n_patients`, `draws`. A difference the
        same with `a` and `b`. Empty where the patients allow no size.
    """
    units, fold_U, seed = material.units, material.fold_U, settings.seed
    wanted = sorted({*settings.few_label_sizes, *([settings.scratch_labels] if settings.scratch_labels else [])})
    sizes = possible_labels(units, fold_U, wanted, settings.few_label_draws, seed)
    methods = (
        material.averaged(EMBEDDING, compared.embedding_F),
        material.averaged(HAND, [compared.plain]),
        material.averaged(UNTRAINED, [compared.untrained_S[0]]),
    )
    points: list[dict[str, Any]] = []
    gains: list[dict[str, Any]] = []
    with progress("few labels", max(len(sizes), 1) * len(methods)) as bar:
        for n_labels in sizes:
            draws = few_label_draws(units, fold_U, n_labels, settings.few_label_draws, seed)
            for of in methods:
                scores = few_label_scores(of, units, fold_U, draws, linear_probe, seed)
                points.append(_point(settings, material, n_labels, Scores(of.name, scores.p_SU)))
                bar.advance(1, f"{n_labels} labels")
                if of.name == EMBEDDING and n_labels == settings.scratch_labels:
                    gains.append(_over_scratch(settings, layout, question, material, draws, encoder, scores, points))
    return points, gains


def _over_scratch(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    material: Material,
    draws: list[FewLabelDraw],
    encoder: dict[str, Any],
    embedding: Scores,
    points: list[dict[str, Any]],
) -> dict[str, Any]:
    """Train the networks from scratch on the same draws, add their point, and compare draw by draw."""
    scratch = Scores(SCRATCH, scratch_scores(settings, layout, question, material, draws, encoder))
    points.append(_point(settings, material, settings.scratch_labels, scratch))
    found = compare_draws(embedding, scratch, material.units, material.fold_U, seed=settings.seed)
    return {
        "method": f"{EMBEDDING} less {SCRATCH}",
        "a": EMBEDDING,
        "b": SCRATCH,
        "n_labels": settings.scratch_labels,
        "measure": f"difference of AUROC with {settings.scratch_labels} labels",
        **found.to_json(),
    }


def _point(settings: Settings, material: Material, n_labels: int, scores: Scores) -> dict[str, Any]:
    point = few_label_point(n_labels, scores, material.units, material.fold_U, seed=settings.seed)
    return {
        "method": scores.name,
        "n_labels": n_labels,
        "measure": f"AUROC with {n_labels} labels",
        **point.auroc.to_json(),
        "draws": [number_or_none(value) for value in point.auroc_D],
    }
