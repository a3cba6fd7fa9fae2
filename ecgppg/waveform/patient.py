"""All windows kept of one patient: planned from headers, read in a spread order, judged, described.

Shapes: N windows, C channels (in the order of `settings.channels`), T samples.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.config.errors import DamagedRecord
from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import segment_id
from ecgppg.waveform.plan import frames_per_window, plan_patient, runs
from ecgppg.waveform.reader import bytes_per_frame
from ecgppg.waveform.record import RecordPlan, open_record
from ecgppg.waveform.verdict import Verdict, judge
from ecgppg.waveform.windows import RunWindows, read_run


@dataclass(frozen=True)
class PatientWindows:
    """Windows kept of one patient, in the order of record and start_sample.

    Attributes
    ----------
    filtered_NCT : np.ndarray
        float32, physical units; 0 where a channel is absent or a sample missing.
    source_step_NC : np.ndarray
        float32, physical units of one ADC code; 0 where the channel is absent.
    columns : dict
        {name: array} of `schema.SEGMENT_COLUMNS`.
    counts : Counter
        records, records_read, windows_candidate = windows_judged + windows_over_limit,
        windows_judged = windows_kept + every window:<reason>, and record:<reason> for each segment not read whole.
    """

    filtered_NCT: np.ndarray
    source_step_NC: np.ndarray
    columns: dict[str, np.ndarray]
    counts: Counter[str]


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
    plans, counts = _open_records(root, records, settings)
    plan = plan_patient(plans, settings)
    counts["windows_candidate"] = plan.n_candidates
    rows = _Rows(subject, subject_id, settings)
    for run in plan.runs:
        room = np.inf if settings.max_segments_per_patient is None else settings.max_segments_per_patient - len(rows)
        if room <= 0:
            break
        try:
            windows = read_run(plans[run.record], run, settings)
        except DamagedRecord as damage:
            counts[f"record:{damage.reason}"] += 1
            counts["window:unreadable"] += run.n
            counts["windows_judged"] += run.n
            continue
        verdict = judge(windows, settings)
        # Windows of the last run that come after the last one there is room for count as not judged.
        judged = int(np.searchsorted(np.cumsum(verdict.keep_N), room)) + 1
        keep_N = verdict.keep_N[:judged]
        counts["windows_judged"] += len(keep_N)
        counts.update(f"window:{reason}" for reason in verdict.reason_N[:judged][~keep_N])
        rows.add(windows, verdict, np.flatnonzero(keep_N))
    counts["windows_kept"] = len(rows)
    counts["windows_over_limit"] = counts["windows_candidate"] - counts["windows_judged"]
    return rows.finish(+counts)


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
    plans, _ = _open_records(root, records, settings)
    n_candidates, n_bytes = 0, 0.0
    for record in plans:
        n_frames = frames_per_window(record.fs_hz, settings.segment_seconds)
        for run in runs(record, settings.segment_seconds):
            piece = record.stretches[run.stretch].pieces[0]
            n_candidates += run.n
            n_bytes += run.n * n_frames * bytes_per_frame(piece.header, list(piece.signals.values()))
    return n_candidates, round(n_bytes)


def _open_records(root: Path, records: Sequence[str], settings: BuildSettings) -> tuple[list[RecordPlan], Counter[str]]:
    """Plans of the records that can be opened, in the order of their names, and the counts of what cannot be read."""
    plans = []
    counts = Counter(records=len(records))
    for name in sorted(set(records)):
        try:
            record = open_record(root, name, settings.channels, settings.required_channels)
        except DamagedRecord as damage:
            counts[f"record:{damage.reason}"] += 1
            continue
        plans.append(record)
        counts["records_read"] += 1
        counts.update({f"record:{reason}": n for reason, n in record.problems.items()})
        used = {run.stretch for run in runs(record, settings.segment_seconds)}
        counts["record:too_short"] += len(record.stretches) - len(used)
    return plans, counts


class _Rows:
    """Kept windows, collected run by run."""

    def __init__(self, subject: str, subject_id: int, settings: Settings) -> None:
        self.subject, self.subject_id, self.settings = subject, subject_id, settings
        self.filtered: list[np.ndarray] = []
        self.columns: dict[str, list[np.ndarray]] = {column.name: [] for column in SEGMENT_COLUMNS}

    def __len__(self) -> int:
        return sum(map(len, self.filtered))

    def add(self, windows: RunWindows, verdict: Verdict, kept: np.ndarray) -> None:
        """Take the windows at indices `kept`."""
        present_NC = verdict.present_NC[kept]
        specs = [windows.specs.get(channel) for channel in self.settings.channels]
        gain_C = np.array([spec.gain if spec else 0.0 for spec in specs])
        fs_hz_C = np.array([b.fs_hz if (b := windows.blocks.get(c)) else 0.0 for c in self.settings.channels])
        ecg = windows.specs.get("ECG")
        has_ecg_N = present_NC[:, self.settings.channels.index("ECG")] if ecg else np.zeros(len(kept), dtype=bool)
        starts_N = windows.start_sample_N[kept]
        ids = [segment_id(self.settings.source, windows.record, start) for start in starts_N.tolist()]
        self.filtered.append(windows.filtered_NCT[kept] * present_NC[:, :, None])
        values = {
            "segment_id": np.array(ids, dtype=np.int64),
            "subject_id": np.full(len(kept), self.subject_id),
            "subject": np.full(len(kept), self.subject, dtype=object),
            "record": np.full(len(kept), windows.record, dtype=object),
            "start_sample": starts_N,
            "start_time_us": windows.start_time_us_N[kept],
            "ecg_lead": np.where(has_ecg_N, ecg.name if ecg else "", "").astype(object),
            "gain": present_NC * gain_C,
            "fs_hz": present_NC * fs_hz_C,
            "quality": verdict.quality_N[kept],
            "flags": verdict.flags_N[kept],
            "heart_rate_bpm": verdict.heart_rate_bpm_N[kept],
            "rr_cv": verdict.rr_cv_N[kept],
            "n_beats": verdict.n_beats_N[kept],
        }
        for name, column in self.columns.items():
            column.append(values[name])

    def finish(self, counts: Counter[str]) -> PatientWindows:
        """Everything added, in the order of record and start_sample."""
        n_channels = len(self.settings.channels)
        columns = {}
        for column in SEGMENT_COLUMNS:
            dtype = object if column.dtype == "str" else np.dtype(column.dtype)
            empty = np.zeros((0, n_channels) if column.per_channel else 0, dtype=dtype)
            columns[column.name] = np.concatenate([empty, *self.columns[column.name]]).astype(dtype)
        filtered_NCT = np.concatenate([np.zeros((0, n_channels, self.settings.n_samples), np.float32), *self.filtered])
        order = np.array(
            sorted(range(len(filtered_NCT)), key=lambda i: (columns["record"][i], columns["start_sample"][i])),
            dtype=np.intp,
        )
        columns = {name: values[order] for name, values in columns.items()}
        gain_NC = columns["gain"]
        step_NC = np.divide(1.0, np.abs(gain_NC), out=np.zeros_like(gain_NC), where=gain_NC != 0)
        return PatientWindows(filtered_NCT[order], step_NC, columns, counts)
