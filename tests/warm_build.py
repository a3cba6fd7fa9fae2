"""Imported by the process that watched builds are forked from: what a first build loads and compiles is there then."""

import tempfile
from pathlib import Path

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.stages import build
from ecgppg.synthetic.cohort import make_cohort

with tempfile.TemporaryDirectory() as folder:
    make_cohort(Path(folder) / "cohort", n_patients=1, minutes=1, seed=1, num_workers=0)
    build.run(
        Settings(waveforms_dir=str(Path(folder) / "cohort" / "waveforms"), num_workers=0, max_segments_per_patient=3),
        OutputLayout(Path(folder) / "out"),
    )
