"""What few labels are enough for: the embedding, hand-made features, networks from scratch and from its weights."""

from collections.abc import Sequence
from typing import Any

from ecgppg.config.settings import Settings
from ecgppg.core.progress import progress
from ecgppg.evaluation.few_label import compare_draws, few_label_point, few_label_scores
from ecgppg.evaluation.few_label_choice import few_label_draws, possible_labels
from ecgppg.evaluation.intervals import number_or_none
from ecgppg.evaluation.paired import Scores
from ecgppg.evaluation.probes import linear_probe
from ecgppg.stages.evaluate_compare import EMBEDDING, HAND, UNTRAINED, Compared
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_material import Material
from ecgppg.stages.evaluate_question import Question
from ecgppg.stages.evaluate_scratch import network_scores
from ecgppg.training.export import PretrainedEncoder

SCRATCH, FINE_TUNED = "network from scratch", "network fine-tuned"
PAIRS = ((EMBEDDING, SCRATCH), (FINE_TUNED, SCRATCH), (FINE_TUNED, EMBEDDING))


def few_labels(
    settings: Settings,
    layout: EvaluationLayout,
    question: Question,
    material: Material,
    compared: Compared,
    encoder_F: Sequence[dict[str, Any]],
    pretrained_F: Sequence[PretrainedEncoder] | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Curves over the number of labels, and what pre-training gains over the network from scratch.

    Parameters
    ----------
    settings : Settings
    layout : EvaluationLayout
    question : Question
    material : Material
    compared : Compared
    encoder_F : sequence of dict
        Description of each fold's encoder, for networks of its kind.
    pretrained_F : sequence of PretrainedEncoder or None
        The encoder of each fold, for networks that go on from it; None where it takes other channels than there are.

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
        material.averaged(UNTRAINED, compared.untrained_S[0]),
    )
    points: list[dict[str, Any]] = []
    gains: list[dict[str, Any]] = []
    with progress("few labels", max(len(sizes), 1) * len(methods)) as bar:
        for n_labels in sizes:
            draws = few_label_draws(units, fold_U, n_labels, settings.few_label_draws, seed)
            found = {}
            for of in methods:
                scores = few_label_scores(of, units, fold_U, draws, linear_probe, seed)
                found[of.name] = Scores(of.name, scores.p_SU)
                bar.advance(1, f"{n_labels} labels")
            if n_labels == settings.scratch_labels:
                for name, start_F in ((SCRATCH, None), (FINE_TUNED, pretrained_F)):
                    if name == SCRATCH or start_F is not None:
                        p_DU = network_scores(settings, layout, question, material, draws, encoder_F, start_F)
                        found[name] = Scores(name, p_DU)
                gains = _gains(settings, material, found)
            points += [_point(settings, material, n_labels, scores) for scores in found.values()]
    return points, gains


def _gains(settings: Settings, material: Material, found: dict[str, Scores]) -> list[dict[str, Any]]:
    """Differences, draw by draw: what is compared trained on the same recordings."""
    n_labels, rows = settings.scratch_labels, []
    for a, b in PAIRS:
        if a in found and b in found:
            gain = compare_draws(found[a], found[b], material.units, material.fold_U, seed=settings.seed)
            rows.append(
                {
                    "method": f"{a} less {b}",
                    "a": a,
                    "b": b,
                    "n_labels": n_labels,
                    "measure": f"difference of AUROC with {n_labels} labels",
                    **gain.to_json(),
                }
            )
    return rows


def _point(settings: Settings, material: Material, n_labels: int, scores: Scores) -> dict[str, Any]:
    point = few_label_point(n_labels, scores, material.units, material.fold_U, seed=settings.seed)
    return {
        "method": scores.name,
        "n_labels": n_labels,
        "measure": f"AUROC with {n_labels} labels",
        **point.auroc.to_json(),
        "draws": [number_or_none(value) for value in point.auroc_D],
    }
