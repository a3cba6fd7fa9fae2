"""Settings of what the encoder is and what it is asked to learn."""

from typing import Literal, Self

from pydantic import model_validator

from ecgppg.config.keys import SettingsPart, content

WEIGHTS = ("objective_views", "objective_near", "objective_ecg_ppg", "objective_beats")


class ObjectiveSettings(SettingsPart):
    """Kind of encoder, weights of the terms of the loss, and their temperature."""

    encoder_name: Literal["resnet1d", "two_towers"] = content(
        "train", "resnet1d", "resnet1d: one network over the channels; two_towers: one a channel"
    )
    rhythm_branch: bool = content(
        "train", True, "whether the encoder also reads the autocorrelation of the signal's steepness"
    )
    beat_branch: bool = content(
        "train", True, "whether the encoder also reads the intervals between beats, and the average beat"
    )
    objective_views: float = content("train", 0.0, "weight of: two augmented views of a window", ge=0, le=1000)
    objective_near: float = content("train", 0.0, "weight of: two windows of a record near in time", ge=0, le=1000)
    near_seconds: float = content("train", 60.0, "farthest two such windows start apart, s", gt=0, le=86_400)
    objective_ecg_ppg: float = content("train", 0.0, "weight of: ECG against PPG of a window", ge=0, le=1000)
    objective_beats: float = content(
        "train", 1.0, "weight of: predicting measures of the beats, see beat_targets", ge=0, le=1000
    )
    beat_targets: Literal["rate", "rhythm", "shape"] = content(
        "train",
        "shape",
        "what objective_beats predicts. rate: rate and RR variation; rhythm: also how intervals follow one another; "
        "shape: also P wave, T wave and likeness of the beats",
    )
    same_patient_negatives: bool = content(
        "train", False, "whether windows of one patient are told apart from each other"
    )
    temperature: float = content("train", 0.1, "divides the similarities; where learnt, its start", ge=0.01, le=10)
    learnable_temperature: bool = content("train", False, "whether the temperature is learnt")
    temperature_floor: float = content("train", 0.01, "least temperature that can be learnt", gt=0, le=10)

    @property
    def objective_weights(self) -> dict[str, float]:
        """Weights of the terms that are not 0, by the name of their setting."""
        return {name: weight for name in WEIGHTS if (weight := getattr(self, name)) > 0}

    @property
    def compares(self) -> bool:
        """Whether a term tells projections of windows apart."""
        return bool(self.objective_weights.keys() - {"objective_beats"})

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if not self.objective_weights:
            raise ValueError(f"{', '.join(WEIGHTS)}: all are 0, which leaves nothing to learn")
        channels = getattr(self, "channels", ["ECG", "PPG"])
        if self.objective_ecg_ppg and not {"ECG", "PPG"} <= set(channels):
            raise ValueError(f"objective_ecg_ppg: needs the channels ECG and PPG, got {', '.join(channels)}")
        if self.learnable_temperature and self.temperature <= self.temperature_floor:
            raise ValueError(f"temperature: has to start above temperature_floor {self.temperature_floor:g}")
        return self
