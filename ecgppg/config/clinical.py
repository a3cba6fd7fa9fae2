"""Settings of the clinical joins, the splits and what tables for people hide."""

from typing import Self

from pydantic import model_validator

from ecgppg.config.keys import SettingsPart, content


class ClinicalSettings(SettingsPart):
    """Cohort age, label definitions, splits."""

    min_age_years: int = content("build", 18, "patients younger at their first admission are left out", ge=0, le=89)
    code_lists: str | None = content("label", None, "YAML file of label definitions; null: the built-in lists")
    elixhauser_file: str | None = content("label", None, "YAML file of Elixhauser groups; null: the built-in map")
    cha2ds2_vasc_file: str | None = content("label", None, "YAML file of CHA2DS2-VASc codes; null: the built-in map")
    ccs_file: str | None = content("label", None, "HCUP CCS single-level file, CSV or YAML; null: no CCS groups")
    min_cell_patients: int = content("label", 11, "tables for people hide counts of patients under this", ge=1)
    val_share: float = content("split", 0.15, "share of patients in val", gt=0, lt=0.5)
    test_share: float = content("split", 0.20, "share of patients in test", gt=0, lt=0.5)
    primary_outcome: str = content("split", "stroke", "label whose cases the risk reserve holds")
    reserve_controls_per_case: int = content("split", 20, "controls per case in the risk reserve", ge=1)
    reserve_max_share: float = content("split", 0.30, "largest share of patients in the risk reserve", gt=0, lt=1)

    @model_validator(mode="after")
    def _room_for_train(self) -> Self:
        if self.val_share + self.test_share >= 0.8:
            raise ValueError("val_share: with test_share leaves less than a fifth of the patients for training")
        return self
