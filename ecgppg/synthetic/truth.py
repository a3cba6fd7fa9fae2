"""The known answers of a synthetic cohort, beside it on disk: below `truth/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgppg.config.errors import InputError
from ecgppg.core.files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

TABLES = {
    "patients": "subject_id neonate gender age_years rhythm af paroxysmal rate_bpm stroke stroke_when prior_stroke "
    "died death_where af_coded p_stroke p_death over_89 dbsource n_admissions index_hadm_id index_icustay_id "
    "death_recorded",
    "records": "record subject_id case expected_grade expected_hadm_id start_time end_time n_samples fmt rhythm "
    "pulse_arrival_s shift_start_s shift_end_s n_beats",
    "rhythm_episodes": "record rhythm start_sample end_sample",
    "artefacts": "record kind channels start_sample end_sample strength",
    "segments": "record segment start_sample n_samples channels gains uncalibrated_ecg",
    "damaged": "record subject_id damage expected_reason file",
}
"""Columns of each table: times in s, rates in bpm, samples of the record (end not included)."""


@dataclass(frozen=True)
class CohortTruth:
    """A cohort and what is true of it.

    Parameters
    ----------
    folder : Path
        Holds `waveforms/`, `clinical/` and `truth/`.
    model : dict
        Parameters the cohort was made with and the coefficients of the outcome models.
    patients, records, rhythm_episodes, artefacts, segments, damaged : DataFrame
        One row per person, sound record, episode, artefact, segment, damaged record.
    """

    folder: Path
    model: dict[str, Any]
    patients: "pd.DataFrame"
    records: "pd.DataFrame"
    rhythm_episodes: "pd.DataFrame"
    artefacts: "pd.DataFrame"
    segments: "pd.DataFrame"
    damaged: "pd.DataFrame"

    @property
    def waveforms(self) -> Path:
        """Folder of the WFDB records."""
        return self.folder / "waveforms"

    @property
    def clinical(self) -> Path:
        """Folder of the clinical tables."""
        return self.folder / "clinical"

    def beats(self, record: str) -> dict[str, NDArray[Any]]:
        """Beats of one sound record, as `recording.beat_truth` gives them.

        Parameters
        ----------
        record : str
            Path of the record below `waveforms`, or its last part.
        """
        with np.load(beats_path(self.folder, record), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}


def beats_path(folder: Path, record: str) -> Path:
    """Where the beats of a record lie."""
    return folder / "truth" / "beats" / f"{record.rsplit('/', 1)[-1]}.npz"


def write_truth(folder: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]], model: dict[str, Any]) -> None:
    """Write the tables of truth and, last, the model.

    Parameters
    ----------
    folder : Path
        Of the cohort.
    rows : dict
        {table of `TABLES`: its rows}.
    model : dict
        JSON values.
    """
    import pandas as pd

    (folder / "truth").mkdir(exist_ok=True)
    for name, columns in TABLES.items():
        table = pd.DataFrame(list(rows[name]), columns=columns.split())
        table.to_csv(folder / "truth" / f"{name}.csv", index=False, lineterminator="\n")
    write_json(folder / "truth" / "model.json", model)


def read_model(folder: Path) -> dict[str, Any] | None:
    """The model of a whole cohort in this folder, or None if there is none."""
    model = read_json(folder / "truth" / "model.json")
    return model if isinstance(model, dict) and "made_with" in model else None


def read_truth(folder: Path) -> CohortTruth:
    """Read the truth of a cohort.

    Raises
    ------
    InputError
        The folder holds no whole synthetic cohort.
    """
    import pandas as pd

    model = read_model(folder)
    if model is None:
        raise InputError(f"{folder}: not a synthetic cohort (no truth/model.json)")
    text = {"record": str, "damage": str, "file": str, "channels": str, "stroke_when": str, "death_where": str}
    tables = {
        name: pd.read_csv(folder / "truth" / f"{name}.csv", dtype=text, keep_default_na=False, na_values=[""])
        for name in TABLES
    }
    return CohortTruth(folder, model, **tables)
