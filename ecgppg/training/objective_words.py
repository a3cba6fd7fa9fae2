"""What an encoder was asked to learn, in words, as its card and the report of its run say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TERMS = {
    "objective_views": "two augmented views of a window belong together",
    "objective_near": "two windows of a recording near in time belong together",
    "objective_ecg_ppg": "the ECG and the PPG of a window belong together",
    "objective_beats": "heart rate and RR variation, as the beat detector found them, are predicted",
}
BEAT_TARGETS = {
    "rhythm": "and so are ten measures of how the intervals follow one another",
    "shape": "and so are ten measures of how the intervals follow one another, and six of the beats' shape",
}
"""What `objective_beats` asks for besides, by the setting `beat_targets`."""


@dataclass(frozen=True)
class ObjectiveWords:
    """The terms of a loss.

    Attributes
    ----------
    weights : dict
        Weight of each term that has one, by its setting.
    besides : tuple of str
        What has to be said of them besides.
    compares : bool
        Whether any term is contrastive.
    """

    weights: dict[str, float]
    besides: tuple[str, ...]
    compares: bool


def objective_words(training: Mapping[str, Any]) -> ObjectiveWords:
    """Words for the `training` of an encoder's description; one made before there was a choice had two views."""
    weights = {name: float(training[name]) for name in TERMS if training.get(name)} or {"objective_views": 1.0}
    besides = []
    if "objective_near" in weights and "near_seconds" in training:
        besides.append(f"near in time: at most {training['near_seconds']:g} s apart")
    if "objective_beats" in weights and training.get("beat_targets") in BEAT_TARGETS:
        besides.append(BEAT_TARGETS[training["beat_targets"]])
    return ObjectiveWords(weights, tuple(besides), bool(weights.keys() - {"objective_beats"}))
