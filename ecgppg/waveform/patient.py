"""All windows kept of one patient: planned from headers, read in a spread order, judged, described."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.config.errors import DamagedRecord
from ecgppg.config.settings import Settings
from ecgppg.waveform.kept import KeptWindows, PatientWindows
from ecgppg.waveform.plan import WINDOWS_PER_RUN, Run, frames_per_window, plan_patient, runs
from ecgppg.waveform.reader import bytes_per_frame
from ecgppg.waveform.record import RecordPlan, open_record
from ecgppg.waveform.verdict import Verdict, judge
from ecgppg.waveform.windows import RunWindows, read_run

__all__ = ["PatientWindows", "patient_volume", "read_patient"]

RUNS_PER_BLOCK = 11
"""Runs judged in one call: 66 windows."""


def read_patient(
    root: Path, subject: str, subject_id: int, records: Sequence[str], settings: Settings
) -> PatientWindows:
    """Read, filter and judge a patient's windows until the limit of kept ones is reached.

    Parameters
    ----------
    root : Path
        The waveform folder.
    subject, subject_id : str, int
        Name and number of the patient.
    records : sequence of str
        Paths below `root`, without extension, in any order.
    settings : Settings
        Channels, lengths, bands, limits.

    Returns
    -------
    PatientWindows
        A record that cannot be read is a count; it never raises.
    """
    plans, counts, damages = _open_records(root, records, settings)
    plan = plan_patient(plans, settings)
    counts["windows_candidate"] = plan.n_candidates
    rows = KeptWindows(subject, subject_id, settings)
    limit = settings.max_segments_per_patient
    next_run = 0
    while next_run < len(plan.runs) and (limit is None or len(rows) < limit):
        enough = RUNS_PER_BLOCK if limit is None else -(-(limit - len(rows)) // WINDOWS_PER_RUN)
        block = plan.runs[next_run : next_run + min(RUNS_PER_BLOCK, enough)]
        next_run += len(block)
        for run, outcome in zip(block, _read_and_judge(plans, block, settings), strict=True):
            room = np.inf if limit is None else limit - len(rows)
            if room <= 0:
                break
            if isinstance(outcome, DamagedRecord):
                counts[f"record:{outcome.reason}"] += 1
                damages.append(outcome)
                counts["window:unreadable"] += run.n
                counts["windows_judged"] += run.n
                continue
            windows, verdict = outcome
            # Windows that come after the last one there is room for count as not judged.
            judged = int(np.searchsorted(np.cumsum(verdict.keep_N), room)) + 1
            keep_N = verdict.keep_N[:judged]
            counts["windows_judged"] += len(keep_N)
            counts.update(f"window:{reason}" for reason in verdict.reason_N[:judged][~keep_N])
            rows.add(windows, verdict, np.flatnonzero(keep_N))
    counts["windows_kept"] = len(rows)
    counts["windows_over_limit"] = counts["windows_candidate"] - counts["windows_judged"]
    return rows.finish(+counts, tuple(str(damage) for damage in damages))


def patient_volume(root: Path, records: Sequence[str], settings: BuildSettings) -> tuple[int, int]:
    """What a patient has to offer, from headers and file sizes alone.

    Parameters
    ----------
    root, records, settings
        As for `read_patient`.

    Returns
    -------
    n_candidates : int
        Candidate windows.
    n_bytes : int
        Bytes of the signal files that hold them.
    """
    plans, _, _ = _open_records(root, records, settings)
    n_candidates, n_bytes = 0, 0.0
    for record in plans:
        n_frames = frames_per_window(record.fs_hz, settings.segment_seconds)
        for run in runs(record, settings.segment_seconds):
            piece = record.stretches[run.stretch].pieces[0]
            n_candidates += run.n
            n_bytes += run.n * n_frames * bytes_per_frame(piece.header, list(piece.signals.values()))
    return n_candidates, round(n_bytes)


def _read_and_judge(
    plans: Sequence[RecordPlan], block: Sequence[Run], settings: BuildSettings
) -> list[tuple[RunWindows, Verdict] | DamagedRecord]:
    """Windows and verdict of each run, or why it cannot be read."""
    read: list[RunWindows | DamagedRecord] = []
    for run in block:
        try:
            read.append(read_run(plans[run.record], run, settings))
        except DamagedRecord as damage:
            read.append(damage)
    verdicts = iter(judge([windows for windows in read if isinstance(windows, RunWindows)], settings))
    return [w if isinstance(w, DamagedRecord) else (w, next(verdicts)) for w in read]


def _open_records(
    root: Path, records: Sequence[str], settings: BuildSettings
) -> tuple[list[RecordPlan], Counter[str], list[DamagedRecord]]:
    """Plans of the records that can be opened, in the order of their names, and what cannot be read, counted."""
    plans = []
    counts = Counter(records=len(records))
    damages: list[DamagedRecord] = []
    for name in sorted(set(records)):
        try:
            record = open_record(root, name, settings.channels, settings.required_channels)
        except DamagedRecord as damage:
            counts[f"record:{damage.reason}"] += 1
            damages.append(damage)
            continue
        plans.append(record)
        counts["records_read"] += 1
        counts.update({f"record:{reason}": n for reason, n in record.problems.items()})
        damages.extend(record.damages)
        used = {run.stretch for run in runs(record, settings.segment_seconds)}
        counts["record:too_short"] += len(record.stretches) - len(used)
    return plans, counts, damages
