"""Who is predicted, for which question, and who was left out at which step."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.leakage import check_leakage
from ecgppg.config.errors import InputError
from ecgppg.config.schema import UNKNOWN_TIME_US
from ecgppg.risk.guards import refuse_duplicate_patients

_KEYS = ("subject_id", "hadm_id", "index_time_us", "first_eligible")


@dataclass(frozen=True)
class Task:
    """One question asked of the waveform; the two tasks are never mixed.

    Attributes
    ----------
    name, outcome : str
        Name of the task and its outcome column.
    question : str
        One sentence for the report.
    unknown : str
        What an outcome of -1 means.
    excludes_prior : bool
        Patients who had the outcome before are left out.
    """

    name: str
    outcome: str
    question: str
    unknown: str
    excludes_prior: bool


TASKS = (
    Task(
        "detection",
        "y_stroke_detection",
        "Does the first day of waveform tell who has a stroke coded in this same admission? The stroke may lie before "
        "the waveform: this is recognition, not foresight.",
        "outcome unknown",
        False,
    ),
    Task(
        "prediction",
        "y_stroke_prediction",
        "Does the first day of waveform tell who has a first stroke coded in a later admission? Patients with a stroke "
        "before, or in this admission, are left out; a stroke treated elsewhere is not seen.",
        "stroke before or in this admission, or no later admission",
        True,
    ),
)


@dataclass(frozen=True)
class Step:
    """One line of the attrition table: `n_patients` left the cohort, or entered it at the first step."""

    reason: str
    n_patients: int
    n_remaining: int


@dataclass(frozen=True)
class Cohort:
    """Patients of one task, one row each, by rising subject_id.

    Attributes
    ----------
    frame : pd.DataFrame
        Their rows of the feature table.
    y_N : np.ndarray
        Outcome, 1 or 0.
    steps : tuple of Step
        Attrition, in order.
    """

    task: Task
    frame: pd.DataFrame
    y_N: np.ndarray
    steps: tuple[Step, ...]

    @property
    def n_patients(self) -> int:
        """Patients predicted."""
        return self.y_N.size

    @property
    def n_events(self) -> int:
        """Patients with the outcome."""
        return int(self.y_N.sum())


def read_features(path: Path, definitions: Definitions | None = None) -> pd.DataFrame:
    """Read and check `clinical_features.csv`.

    Parameters
    ----------
    path : Path
    definitions : Definitions, optional
        The user's lists of label codes, see `check_leakage`.

    Raises
    ------
    InputError
        File absent or empty, a column missing or not a number, an outcome other than 1, 0, -1, or a leak: see
        `check_leakage`.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such feature table")
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no CSV table ({str(error).splitlines()[0]})") from error
    missing = [name for name in _KEYS if name not in table]
    if missing:
        raise InputError(f"{path}: has no column {missing[0]}")
    outcomes = [task.outcome for task in TASKS if task.outcome in table]
    if not outcomes:
        raise InputError(f"{path}: has neither {TASKS[0].outcome} nor {TASKS[1].outcome}")
    for name in table:
        if str(name).startswith(("f_", "y_", "known_", "first_eligible")) or name in _KEYS:
            if table[name].dtype == bool:
                table[name] = table[name].astype(int)
            if not pd.api.types.is_numeric_dtype(table[name]) and not table[name].isna().all():
                raise InputError(f"{path}: column {name} holds text where numbers belong")
            if np.isinf(table[name].to_numpy(dtype=float)).any():
                raise InputError(f"{path}: column {name} holds an infinite value")
    if table[list(_KEYS)].isna().any(axis=None):
        raise InputError(f"{path}: an empty value in one of {', '.join(_KEYS)}")
    for name in outcomes:
        if not table[name].isin((1, 0, -1)).all():
            raise InputError(f"{path}: column {name} holds a value other than 1, 0, -1")
    check_leakage(table, str(path), definitions)
    return table


def feature_names(table: pd.DataFrame) -> list[str]:
    """The predictor columns of a feature table, in its order."""
    return [str(name) for name in table if str(name).startswith("f_")]


def build_cohort(table: pd.DataFrame, task: Task, only: Mapping[str, pd.Series] | None = None) -> Cohort:
    """One row a patient for one task, with every patient left out counted under a reason.

    Parameters
    ----------
    table : pd.DataFrame
        From `read_features`, with the outcome of `task`.
    task : Task
        The question.
    only : mapping, optional
        {reason for leaving out: which rows of `table` stay}, applied last and in order.

    Raises
    ------
    InputError
        A patient has two eligible rows.
    """
    steps = [Step("patients in the table", table["subject_id"].nunique(), table["subject_id"].nunique())]
    frame = table

    def keep(rows: pd.Series, reason: str) -> None:
        nonlocal frame
        before = frame["subject_id"].nunique()
        frame = frame[rows]
        after = frame["subject_id"].nunique()
        if before != after:
            steps.append(Step(reason, before - after, after))

    if task.excludes_prior and "f_prior_stroke" in frame:
        keep(frame["f_prior_stroke"] != 1, "stroke in an earlier admission")
    keep(frame[task.outcome] != -1, task.unknown)
    known = f"known_{task.outcome}"
    if known in frame:
        early = (frame[known] <= frame["index_time_us"]) & (frame[known] > UNKNOWN_TIME_US)
        keep(~early, "outcome known by the index time")
    own = f"first_eligible_{task.name}"
    keep(frame[own if own in frame else "first_eligible"] == 1, "no eligible admission")
    refuse_duplicate_patients(frame, task.name)
    waveform = [name for name in feature_names(frame) if name.startswith("f_wave_")]
    if waveform:
        keep(frame[waveform].notna().any(axis=1), "no waveform measurement")
    for reason, stays in (only or {}).items():
        keep(stays.loc[frame.index], reason)
    frame = frame.sort_values("subject_id").reset_index(drop=True)
    return Cohort(task, frame, frame[task.outcome].to_numpy(dtype=int), tuple(steps))
