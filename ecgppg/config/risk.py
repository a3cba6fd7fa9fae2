"""Settings of the stroke report."""

from ecgppg.config.keys import SettingsPart, content


class RiskSettings(SettingsPart):
    """Outcome models and their intervals."""

    n_bootstrap: int = content("stroke", 1000, "patient-level bootstrap draws", ge=100)
    confidence: float = content("stroke", 0.95, "width of the intervals", gt=0.5, lt=1)
    n_outer_folds: int = content("stroke", 5, "patient-grouped outer folds", ge=2, le=20)
    min_events: int = content("stroke", 10, "fewer events than this: counts only, no model", ge=2)
