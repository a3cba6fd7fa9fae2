"""The demo: the synthetic cohort, every stage on it, and a simulated feature table for the stroke page."""

import logging
from pathlib import Path
from typing import Any

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import write_text

log = logging.getLogger("ecgppg")

PRESET: dict[str, Any] = {
    "source": "mimic3",
    "max_segments_per_patient": 120,
    "num_epochs": 4,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "encoder_size": "small",
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


def compare_with_truth(layout: OutputLayout) -> None:
    """Write how the clusters lie to the planted rhythms: discovery/planted_rhythms.md."""
    import pandas as pd

    from ecgppg.synthetic.truth import read_truth

    clustered = layout.discovery / "windows.parquet"
    if not clustered.is_file():
        return
    windows = pd.read_parquet(clustered)
    subjects = pd.read_parquet(layout.metadata, columns=["segment_id", "subject_id"])
    people = read_truth(cohort_folder(layout)).patients[["subject_id", "rhythm"]]
    joined = windows[["segment_id", "cluster"]].merge(subjects, on="segment_id").merge(people, on="subject_id")
    counts = pd.crosstab(joined["cluster"], joined["rhythm"])
    lines = [
        "# Clusters and the rhythms that were planted",
        "",
        "Windows by cluster (-1: none) and by the rhythm of their patient, which the clustering did not know.",
        "Synthetic patients; a patient of paroxysmal fibrillation is counted under it throughout.",
        "",
        f"| cluster | {' | '.join(counts.columns)} |",
        "|---:" * (1 + len(counts.columns)) + "|",
        *(
            f"| {cluster} | {' | '.join(map(str, row))} |"
            for cluster, row in zip(counts.index, counts.values, strict=True)
        ),
    ]
    write_text(layout.discovery / "planted_rhythms.md", "\n".join(lines) + "\n")
    if 0 in counts.index:
        held = sorted(((n, rhythm) for rhythm, n in counts.to_dict("index")[0].items()), reverse=True)
        said = ", ".join(f"{n} {rhythm}" for n, rhythm in held if n)
        log.info("largest cluster against the planted truth: %s; planted af in all: %d", said, counts["af"].sum())
