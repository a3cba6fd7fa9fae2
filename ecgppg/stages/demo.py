"""The demo: the synthetic cohort, every stage on it, and a simulated feature table for the stroke page."""

from pathlib import Path
from typing import Any

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings

PRESET: dict[str, Any] = {
    "source": "mimic3",
    "max_segments_per_patient": 120,
    "num_epochs": 4,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "hidden_dims": [16, 32, 64, 128],
    "embedding_dim": 128,
    "val_share": 0.15,
    "test_share": 0.35,
    "min_cell_patients": 1,
    "discovery_splits": ["val", "test"],
    "max_windows_per_patient": 60,
}
N_PATIENTS, MINUTES = 60, 30.0
SIMULATED_PATIENTS = 2000


def cohort_folder(layout: OutputLayout) -> Path:
    """Where the demo keeps its cohort."""
    return layout.root / "cohort"


def prepare(settings: Settings, layout: OutputLayout) -> Settings:
    """Make the cohort below the output folder unless it is there; returns settings that name it."""
    from ecgppg.synthetic.cohort import make_cohort

    folder = cohort_folder(layout)
    print(f"the synthetic cohort: {folder}", flush=True)
    make_cohort(folder, N_PATIENTS, MINUTES, settings.seed, settings.num_workers)
    return settings.model_copy(
        update={"waveforms_dir": str(folder / "waveforms"), "clinical_dir": str(folder / "clinical")}
    )


def simulate_stroke(settings: Settings, layout: OutputLayout) -> None:
    """Run the stroke report on a simulated table of patients, which says on every page that it is simulated."""
    from ecgppg.stages import stroke

    stroke.run_simulated(settings, layout, SIMULATED_PATIENTS)
