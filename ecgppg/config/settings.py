"""The one settings model: flat keys, composed from the parts that own them."""

from typing import Any

from ecgppg.config.build import BuildSettings
from ecgppg.config.clinical import ClinicalSettings
from ecgppg.config.discovery import DiscoverySettings
from ecgppg.config.evaluation import EvaluationSettings
from ecgppg.config.keys import kind_and_stage
from ecgppg.config.objective import ObjectiveSettings
from ecgppg.config.presets import PresetSettings
from ecgppg.config.risk import RiskSettings
from ecgppg.config.run import RunSettings
from ecgppg.config.training import TrainingSettings


class Settings(
    RunSettings,
    BuildSettings,
    ClinicalSettings,
    PresetSettings,
    TrainingSettings,
    ObjectiveSettings,
    DiscoverySettings,
    RiskSettings,
    EvaluationSettings,
):
    """Every setting of a run."""

    @property
    def least_segments(self) -> int:
        """`min_segments_per_patient` with its source's default filled in."""
        if self.min_segments_per_patient is not None:
            return self.min_segments_per_patient
        return 1 if self.source == "wfdb" else 10

    def content(self, *stages: str) -> dict[str, Any]:
        """Content settings that the named stages read, as plain JSON values.

        Parameters
        ----------
        *stages : str
            Of "run", "build", "label", "split", "train", "discover", "validate", "stroke", "evaluate", "choose".

        Returns
        -------
        dict
            {key: value}, in the order of declaration.
        """
        values = self.model_dump(mode="json")
        return {
            key: values[key]
            for key, field in type(self).model_fields.items()
            if kind_and_stage(field)[0] == "content" and kind_and_stage(field)[1] in stages
        }
