"""What other definitions of labels mean for patients whose splits are frozen: who is a case now, and where."""

from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.schema import SPLITS, OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from ecgppg.data.splits import MIN_CONTROLS_PER_CASE
from ecgppg.stages.split import patient_labels, read_splits
from ecgppg.store.metadata import read_metadata


def reserve_standing(settings: Settings, layout: OutputLayout) -> dict[str, Any] | None:
    """How the risk reserve stands to the labels as they are now.

    Parameters
    ----------
    settings : Settings
        Names the primary outcome.
    layout : OutputLayout
        Holds the metadata; None is returned where there are no splits yet, or these labels made them.

    Returns
    -------
    dict or None
        primary_outcome; n_cases of it now, as cases_in_reserve and cases_outside by split (those of train and val are
        known to an encoder), share_of_cases_in_reserve; controls_in_reserve, who are now denied it, and
        unknown_in_reserve; note, all of it in a line.
    """
    record = read_completion(layout.splits)
    if record is None or not layout.splits.is_file():
        return None
    metadata = read_completion(layout.metadata)
    if metadata is None or record.get("labels_hash") == metadata["content"].get("labels_hash"):
        return None
    splits = read_splits(layout.splits)
    labels = patient_labels(read_metadata(layout.metadata), settings.primary_outcome)
    return standing(splits, labels, settings.primary_outcome, settings.min_cell_patients)


def standing(splits: pd.DataFrame, patients: pd.DataFrame, primary_outcome: str, least: int) -> dict[str, Any]:
    """Cases and controls of the labels as they are, counted over frozen splits.

    Parameters
    ----------
    splits : DataFrame
        subject_id, split, risk_reserve.
    patients : DataFrame
        subject_id, primary (1, 0, -1).
    primary_outcome : str
        Its name, for the words.
    least : int
        Counts of 1 to least - 1 patients are given as "<least"; so is what would give one away by subtraction.

    Returns
    -------
    dict
        See `reserve_standing`.
    """
    placed = splits.merge(patients[["subject_id", "primary"]], on="subject_id", how="left")
    reserve, case = placed["risk_reserve"].to_numpy(bool), (placed["primary"] == 1).to_numpy()
    outside = {name: int((case & ~reserve & (placed["split"] == name)).sum()) for name in SPLITS}
    n_cases, n_in = int(case.sum()), int((case & reserve).sum())
    n_controls = int((reserve & (placed["primary"] == 0)).sum())
    n_unknown = int(reserve.sum()) - n_in - n_controls
    seen = outside["train"] + outside["val"]

    def shown(n: int) -> int | str:
        return f"<{least}" if 0 < n < least else n

    # With one part hidden the others and the whole would tell it; so would the controls of a reserve of known size.
    parts = (n_in, *outside.values(), seen)
    small = any(0 < n < least for n in parts)
    whole: int | str = "hidden" if small and n_cases >= least else shown(n_cases)
    note = (
        f"splits were made with other labels and stay: of {_patients(whole)} with {primary_outcome} "
        f"{shown(n_in)} are in the risk reserve, {shown(outside['test'])} elsewhere in test, {shown(seen)} in train or "
        "val"
    )
    if seen:
        note += "; an encoder trained on these splits knows the latter: they cannot be judged with it"
    if n_in and n_controls < MIN_CONTROLS_PER_CASE * n_in:
        note += f"; the reserve holds {shown(n_controls)} controls, fewer than {MIN_CONTROLS_PER_CASE} a case"
    return {
        "primary_outcome": primary_outcome,
        "n_cases": whole,
        "cases_in_reserve": shown(n_in),
        "cases_outside": {name: shown(n) for name, n in outside.items()},
        "controls_in_reserve": shown(n_controls),
        "unknown_in_reserve": shown(n_unknown),
        "share_of_cases_in_reserve": None if small else float(np.round(n_in / max(1, n_cases), 3)),
        "note": note,
    }


def _patients(n: int | str) -> str:
    return "all patients" if n == "hidden" else f"{n} patients"
