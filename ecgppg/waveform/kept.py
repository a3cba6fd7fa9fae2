"""The windows kept of one patient, collected run by run into the columns of the schema.

Shapes: N windows, C channels (in the order of `settings.channels`), T samples.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import segment_id
from ecgppg.waveform.verdict import Verdict
from ecgppg.waveform.windows import RunWindows


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
    damages : tuple of str
        One line for each of those, with its path and reason.
    """

    filtered_NCT: np.ndarray
    source_step_NC: np.ndarray
    columns: dict[str, np.ndarray]
    counts: Counter[str]
    damages: tuple[str, ...]


class KeptWindows:
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

    def finish(self, counts: Counter[str], damages: tuple[str, ...]) -> PatientWindows:
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
        return PatientWindows(filtered_NCT[order], step_NC, columns, counts, damages)
