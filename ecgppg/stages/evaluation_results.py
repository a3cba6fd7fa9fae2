"""What `evaluate` left below OUT/evaluation/, for pages that show it beside other things."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import read_json
from ecgppg.training.model_card import Judged

MEASURES = ("auroc", "average_precision", "r2", "mae", "accuracy", "top1", "value", "estimate", "mean")
NAMES = ("method", "name", "features", "model", "task")


def read_judged(layout: OutputLayout) -> list[Judged]:
    """Every value with an interval in the results of every question; nothing where none were asked.

    Results are read for what they hold and not by their place: what is no number with an interval is passed over.
    """
    return [row for path in result_files(layout) for row in _judged(read_json(path), path.parent.name)]


def result_files(layout: OutputLayout) -> list[Path]:
    """Results of the questions, by name."""
    return sorted((layout.root / "evaluation").glob("*/results.json"))


def _judged(results: Any, question: str) -> Iterator[Judged]:
    if isinstance(results, dict):
        question = next(
            (str(results[key]) for key in ("question", "words") if isinstance(results.get(key), str)), question
        )
    for labels, found in _intervals(results, ()):
        measure = next((name for name in MEASURES if _is_number(found.get(name))), None)
        if measure is None:
            continue
        named = next((str(found[key]) for key in NAMES if isinstance(found.get(key), str)), "")
        said = found.get("measure", labels[-1] if measure in ("value", "estimate", "mean") and labels else measure)
        method = named or " ".join(label for label in labels if label != said) or "-"
        n = found.get("n_patients", found.get("patients"))
        yield Judged(
            question, _said(method), _said(said), found[measure], found["low"], found["high"],
            n if isinstance(n, int) else None,
        )  # fmt: skip


def _said(name: Any) -> str:
    return str(name).replace("_", " ")


def _intervals(value: Any, labels: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if isinstance(value, dict):
        if _is_number(value.get("low")) and _is_number(value.get("high")):
            yield labels, value
            return
        for key, inner in value.items():
            yield from _intervals(inner, (*labels, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _intervals(inner, labels)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
