"""What became of every record: found, readable, with the channels asked for, linked to an admission, kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecgppg.config.errors import DamagedRecord
from ecgppg.config.schema import UNKNOWN_ID, UNKNOWN_TIME_US
from ecgppg.config.settings import Settings
from ecgppg.sources.find import Patient
from ecgppg.waveform.channels import pick_channels
from ecgppg.waveform.header import GAP, Header, read_header

_UNLINKED = {"none": "no admission within 12 h, or no time", "ambiguous": "two admissions as near"}


@dataclass(frozen=True)
class FlowStep:
    """One step of the flow; a record that passes has passed all steps before.

    Attributes
    ----------
    passed : str
        What is true of those that are left.
    lost : str
        What is true of those that left here; empty for the first step.
    n_records, n_patients : int
        Left after this step.
    reasons : tuple of (str, int)
        Records that left here, by reason, where there is more than one.
    """

    passed: str
    lost: str
    n_records: int
    n_patients: int
    reasons: tuple[tuple[str, int], ...] = ()

    def loss(self, n_lost: int) -> str:
        """What left here in words: "12: not linked (no admission within 12 h, or no time: 12)"."""
        reasons = "; ".join(f"{name}: {n:,}" for name, n in self.reasons)
        return f"{n_lost:,}: {self.lost}" + (f" ({reasons})" if reasons else "")


def record_facts(patients: list[Patient], n_kept: Mapping[str, int], settings: Settings) -> pd.DataFrame:
    """What headers tell of every record, and how many of its windows were kept.

    Parameters
    ----------
    patients : list of Patient
        Everyone found, whether or not a window of them was kept.
    n_kept : mapping of str to int
        Segments of every record of the dataset.
    settings : Settings
        Names the waveform folder and the required channels.

    Returns
    -------
    DataFrame
        subject_id, record, start_time_us, end_time_us (INT64_MIN unknown), readable (its header can be read),
        has_required_channels (its headers name them, at any time of the record), n_windows_kept.
    """
    assert settings.waveforms_dir
    root = Path(settings.waveforms_dir)
    rows = []
    for patient in patients:
        for record in patient.records:
            start_us = end_us = UNKNOWN_TIME_US
            readable = complete = False
            try:
                header = read_header((root / record).parent, Path(record).name)
                readable = True
                if header.start_time_us != UNKNOWN_TIME_US:
                    start_us = header.start_time_us
                    end_us = start_us + round(max(header.n_samples, 0) / header.fs_hz * 1e6)
                picked = pick_channels(_signal_names(header), settings.channels)
                complete = all(channel in picked for channel in settings.required_channels)
            except DamagedRecord:
                pass
            rows.append((patient.subject_id, record, start_us, end_us, readable, complete, n_kept.get(record, 0)))
    names = ["subject_id", "record", "start_time_us", "end_time_us", "readable", "has_required_channels"]
    return pd.DataFrame(rows, columns=[*names, "n_windows_kept"])


def _signal_names(header: Header) -> list[str]:
    """Names of a record's signals: of its layout, or without one of its first segment."""
    named = [segment.name for segment in header.segments if segment.name != GAP]
    described = read_header(header.folder, named[0]) if named else header
    return [signal.name for signal in described.signals]


def record_flow(linkage: pd.DataFrame, required_channels: Sequence[str]) -> list[FlowStep]:
    """The flow of all records of the clinical linkage.

    Parameters
    ----------
    linkage : DataFrame
        As linkage.parquet holds it: `record_facts` and the columns of `link_records`.
    required_channels : sequence of str
        For the words.

    Returns
    -------
    list of FlowStep
        Found, readable, with channels, linked, kept.
    """
    channels = " and ".join(required_channels)
    left = np.ones(len(linkage), bool)
    steps = [_step("found", "", linkage, left)]
    for passed, lost, passes in (
        ("with a readable header", "header absent or damaged", linkage["readable"]),
        (f"with {channels}", f"without {' or '.join(required_channels)}", linkage["has_required_channels"]),
        ("linked to an admission", "not linked", linkage["hadm_id"] != UNKNOWN_ID),
        ("with a kept window", "no window kept, or patient left out", linkage["n_windows_kept"] > 0),
    ):
        leaving = linkage[left & ~passes.to_numpy(bool)]
        left = left & passes.to_numpy(bool)
        grades = leaving["link_grade_name"].value_counts() if passed.startswith("linked") else pd.Series(dtype=int)
        steps.append(_step(passed, lost, linkage, left, tuple((_UNLINKED[str(k)], int(n)) for k, n in grades.items())))
    return steps


def _step(
    passed: str, lost: str, linkage: pd.DataFrame, left: np.ndarray, reasons: tuple[tuple[str, int], ...] = ()
) -> FlowStep:
    return FlowStep(passed, lost, int(left.sum()), linkage.loc[left, "subject_id"].nunique(), reasons)


def unlinked_but_kept(linkage: pd.DataFrame) -> int:
    """Records in the dataset that no admission was found for: their labels are unknown."""
    return int(((linkage["n_windows_kept"] > 0) & (linkage["hadm_id"] == UNKNOWN_ID)).sum())


def flow_lines(steps: Sequence[FlowStep], kept_unlinked: int, figure: str) -> list[str]:
    """The flow as a section of the dataset card, Markdown.

    Parameters
    ----------
    steps : sequence of FlowStep
    kept_unlinked : int
        See `unlinked_but_kept`.
    figure : str
        Name of the figure's file, beside the card.
    """
    lines = [
        "",
        "## From records to admissions",
        "",
        "| records | count | patients | left here |",
        "|---|---:|---:|---|",
    ]
    before = 0
    for step in steps:
        left = step.loss(before - step.n_records) if step.lost else ""
        lines.append(f"| {step.passed} | {step.n_records:,} | {step.n_patients:,} | {left} |")
        before = step.n_records
    lines += ["", f"![flow of records]({figure})"]
    if kept_unlinked:
        lines += [
            "",
            f"{kept_unlinked:,} records with kept windows start in no one admission; a window of theirs has labels "
            "where its own time lies in one.",
        ]
    return lines
