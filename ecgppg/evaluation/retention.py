"""What the quality checks keep, group by group: a check that drops a rhythm hides it from everything that follows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecgppg.config.errors import DamagedRecord, InputError
from ecgppg.config.settings import Settings
from ecgppg.evaluation.intervals import Interval, share_with_interval
from ecgppg.sources.find import Patient
from ecgppg.waveform.plan import runs
from ecgppg.waveform.record import open_record
from ecgppg.waveform.verdict import judge
from ecgppg.waveform.windows import RunWindows, read_run

RUNS_AT_ONCE = 66
BEFORE_EVENT_S = 20.0


@dataclass(frozen=True)
class Retention:
    """How the windows of one group fare.

    Attributes
    ----------
    group : tuple of str
        Values of the labels that make the group.
    n_windows : int
    kept : Interval
        Share kept, its 95 % interval over patients.
    no_beats, no_beats_kept : int
        Windows in which no beat was found, and how many of them were kept.
    dropped : dict
        {reason: windows}, the most frequent first.
    """

    group: tuple[str, ...]
    n_windows: int
    kept: Interval
    no_beats: int
    no_beats_kept: int
    dropped: dict[str, int]


def judge_records(root: Path, owners: Iterable[tuple[int, str]], settings: Settings) -> pd.DataFrame:
    """Every window of some records, judged as the build judges it.

    Parameters
    ----------
    root : Path
        Folder of the WFDB records.
    owners : iterable of (int, str)
        subject_id and record, the path below `root` without extension.
    settings : Settings
        Channels, bands and limits.

    Returns
    -------
    pd.DataFrame
        A row a window: subject_id, record, start_s, kept, reason ("" where kept), quality, n_beats; of a run that
        cannot be read every window is dropped as "unreadable".
    """
    rows: list[dict[str, np.ndarray]] = []
    waiting: list[tuple[int, float, RunWindows]] = []

    def judge_waiting() -> None:
        verdicts = judge([windows for _, _, windows in waiting], settings)
        for (subject_id, fs_hz, windows), verdict in zip(waiting, verdicts, strict=True):
            start_s_N = windows.start_sample_N / fs_hz
            rows.append(
                _columns(subject_id, windows.record, start_s_N)
                | {"kept": verdict.keep_N, "reason": verdict.reason_N}
                | {"quality": verdict.quality_N, "n_beats": verdict.n_beats_N}
            )
        waiting.clear()

    for subject_id, name in owners:
        try:
            record = open_record(root, name, settings.channels, settings.required_channels)
        except DamagedRecord:
            continue
        for run in runs(record, settings.segment_seconds):
            try:
                waiting.append((subject_id, record.fs_hz, read_run(record, run, settings)))
            except DamagedRecord:
                starts_s = (run.first + np.arange(run.n)) * settings.segment_seconds
                lost = {"kept": np.zeros(run.n, bool), "reason": np.full(run.n, "unreadable")}
                lost |= {"quality": np.zeros(run.n), "n_beats": np.zeros(run.n, int)}
                rows.append(_columns(subject_id, name, starts_s) | lost)
        if len(waiting) >= RUNS_AT_ONCE:
            judge_waiting()
    if waiting:
        judge_waiting()
    if not rows:
        raise InputError(f"{root}: no record holds a whole window of {', '.join(settings.required_channels)}")
    return pd.concat([pd.DataFrame(row) for row in rows], ignore_index=True)


def with_labels(windows: pd.DataFrame, patients: Sequence[Patient], by: Sequence[str]) -> pd.DataFrame:
    """The windows with the labels of their records, "" where a record has none.

    Raises
    ------
    InputError
        If no record has such a label.
    """
    labels = {record: patient.labels.get(record, {}) for patient in patients for record in patient.records}
    known = {name for values in labels.values() for name in values}
    for name in by:
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise InputError(f"{name}: no record has this label (labels there are: {there})")
    columns = {name: [labels[record].get(name, "") for record in windows["record"]] for name in by}
    return windows.assign(**columns)


def shortly_before(windows: pd.DataFrame, event_s: float, segment_seconds: float) -> np.ndarray:
    """Windows that lie wholly in the `BEFORE_EVENT_S` before a moment of every recording, bool (N,)."""
    start_s_N = windows["start_s"].to_numpy()
    return (start_s_N >= event_s - BEFORE_EVENT_S - 1e-6) & (start_s_N + segment_seconds <= event_s + 1e-6)


def retention_by(windows: pd.DataFrame, by: Sequence[str]) -> list[Retention]:
    """Retention of all windows, and of each combination of labels.

    Parameters
    ----------
    windows : pd.DataFrame
        As `judge_records` and `with_labels` make it.
    by : sequence of str
        Columns of labels.

    Returns
    -------
    list of Retention
        All windows first.
    """
    found = [_retention(("all", *[""] * (len(by) - 1)), windows)]
    if by:
        found += [_retention(tuple(map(str, group)), rows) for group, rows in windows.groupby(list(by))]
    return found


def markdown(retentions: Sequence[Retention], by: Sequence[str]) -> str:
    """A table of text."""
    head = [*(by or [""]), "patients", "windows", "kept, %", "95 % interval", "no beats (kept)", "dropped for"]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for r in retentions:
        reasons = ", ".join(f"{reason} {n}" for reason, n in r.dropped.items()) or "-"
        cells = [*r.group, r.kept.n_patients, r.n_windows, f"{100 * r.kept.estimate:.1f}", percent_range(r.kept)]
        lines.append(" | ".join(map(str, [*cells, f"{r.no_beats} ({r.no_beats_kept})", reasons])))
    return "\n".join(f"| {line} |" for line in lines)


def percent_range(interval: Interval) -> str:
    """Ends of an interval in percent."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _columns(subject_id: int, record: str, start_s_N: np.ndarray) -> dict[str, np.ndarray]:
    n = len(start_s_N)
    return {"subject_id": np.full(n, subject_id), "record": np.full(n, record, dtype=object), "start_s": start_s_N}


def _retention(group: tuple[str, ...], windows: pd.DataFrame) -> Retention:
    still = windows[windows["n_beats"] == 0]
    return Retention(
        group=group,
        n_windows=len(windows),
        kept=share_with_interval(windows["kept"].to_numpy(bool), windows["subject_id"].to_numpy()),
        no_beats=len(still),
        no_beats_kept=int(still["kept"].sum()),
        dropped={str(reason): int(n) for reason, n in windows.loc[~windows["kept"], "reason"].value_counts().items()},
    )
