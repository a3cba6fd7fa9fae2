"""The windows kept of one patient, in the columns of the schema.

Shapes: N windows, C channels (in the order of `settings.channels`), T samples.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import segment_ids
from ecgppg.waveform.verdict import Verdict
from ecgppg.waveform.windows import RunWindows


@dataclass(frozen=True)
class KeptWindows:
    """Some windows that are kept.

    Attributes
    ----------
    filtered_NCT : np.ndarray
        float32, physical units; 0 where a channel is absent or a sample missing.
    source_step_NC : np.ndarray
        float32, physical units of one ADC code; 0 where the channel is absent.
    columns : dict
        {name: array} of `schema.SEGMENT_COLUMNS`.
    """

    filtered_NCT: np.ndarray
    source_step_NC: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.filtered_NCT)


@dataclass(frozen=True)
class PatientWindows(KeptWindows):
    """All windows kept of one patient, in the order of record and start_sample.

    Attributes
    ----------
    counts : Counter
        records, records_read, windows_candidate = windows_judged + windows_over_limit,
        windows_judged = windows_kept + every window:<reason>, and record:<reason> for each segment not read whole.
    damages : tuple of str
        One line for each of those, with its path and reason.
    """

    counts: Counter[str]
    damages: tuple[str, ...]


def kept_windows(
    windows: RunWindows, verdict: Verdict, kept: np.ndarray, subject: str, subject_id: int, settings: Settings
) -> KeptWindows:
    """The windows at indices `kept`, with what is known of each."""
    present_NC = verdict.present_NC[kept]
    specs = [windows.specs.get(channel) for channel in settings.channels]
    gain_NC = present_NC * np.array([spec.gain if spec else 0.0 for spec in specs], np.float32)
    fs_hz_C = np.array([b.fs_hz if (b := windows.blocks.get(c)) else 0.0 for c in settings.channels], np.float32)
    ecg = windows.specs.get("ECG")
    has_ecg_N = present_NC[:, settings.channels.index("ECG")] if ecg else np.zeros(len(kept), dtype=bool)
    starts_N = windows.start_sample_N[kept]
    filtered_NCT = windows.filtered(kept)
    filtered_NCT[~present_NC] = 0.0
    values = {
        "segment_id": segment_ids(settings.source, windows.record, starts_N.tolist()),
        "subject_id": np.full(len(kept), subject_id),
        "subject": np.full(len(kept), subject, dtype=object),
        "record": np.full(len(kept), windows.record, dtype=object),
        "start_sample": starts_N,
        "start_time_us": windows.start_time_us_N[kept],
        "ecg_lead": np.where(has_ecg_N, ecg.name if ecg else "", "").astype(object),
        "gain": gain_NC,
        "fs_hz": present_NC * fs_hz_C,
        "quality": verdict.quality_N[kept],
        "flags": verdict.flags_N[kept],
        "heart_rate_bpm": verdict.heart_rate_bpm_N[kept],
        "rr_cv": verdict.rr_cv_N[kept],
        "n_beats": verdict.n_beats_N[kept],
        "ppg_lag_s": verdict.ppg_lag_s_N[kept],
    }
    columns = {column.name: np.asarray(values[column.name], dtype=_dtype(column.dtype)) for column in SEGMENT_COLUMNS}
    step_NC = np.divide(1.0, np.abs(gain_NC), out=np.zeros_like(gain_NC), where=gain_NC != 0)
    return KeptWindows(filtered_NCT, step_NC, columns)


def collected(
    blocks: Sequence[KeptWindows], settings: BuildSettings, counts: Counter[str], damages: tuple[str, ...]
) -> PatientWindows:
    """All blocks as one, in the order of record and start_sample."""
    n_channels = len(settings.channels)
    columns = {}
    for column in SEGMENT_COLUMNS:
        empty = np.zeros((0, n_channels) if column.per_channel else 0, dtype=_dtype(column.dtype))
        columns[column.name] = np.concatenate([empty, *(block.columns[column.name] for block in blocks)])
    order = record_order(columns)
    none = np.zeros((0, n_channels, settings.n_samples), np.float32)
    return PatientWindows(
        np.concatenate([none, *(block.filtered_NCT for block in blocks)])[order],
        np.concatenate([none[:, :, 0], *(block.source_step_NC for block in blocks)])[order],
        {name: values[order] for name, values in columns.items()},
        counts,
        damages,
    )


def record_order(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Indices that put a patient's windows in the order of record and start_sample."""
    records, starts = columns["record"].tolist(), columns["start_sample"].tolist()
    return np.array(sorted(range(len(records)), key=lambda i: (records[i], starts[i])), dtype=np.intp)


def _dtype(name: str) -> np.dtype:
    return np.dtype(object if name == "str" else name)
