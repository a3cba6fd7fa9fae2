"""One patient's part: read, filter, judge, compress, write; what a worker process does."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash, read_completion, write_completion
from ecgppg.sources.find import Patient
from ecgppg.store.codec import quantize
from ecgppg.store.segments import SegmentTable
from ecgppg.store.writer import write_segments
from ecgppg.waveform.patient import read_patient

FILTER_NOTE = "Butterworth band-pass, zero-phase, over the continuous span before cutting; right for rhythm, not for ST"


@dataclass(frozen=True)
class PartJob:
    """Everything a worker needs to build one part."""

    patient: Patient
    path: Path
    settings: Settings


def dataset_attributes(settings: Settings) -> dict[str, Any]:
    """Root attributes of every part, shard and dataset file."""
    return {
        "channel_names": list(settings.channels),
        "units": ["mV" if channel == "ECG" else "NU" for channel in settings.channels],
        "sampling_rate_hz": settings.sampling_rate_hz,
        "segment_seconds": settings.segment_seconds,
        "config_hash": config_hash(settings.content("build")),
        "source": settings.source,
        "filter": FILTER_NOTE,
        "ecg_band_hz": list(settings.ecg_band_hz),
        "ppg_band_hz": list(settings.ppg_band_hz),
    }


def finished_part(path: Path, settings: Settings) -> dict[str, Any] | None:
    """The completion record of a part that these settings made, or None."""
    record = read_completion(path)
    wanted = config_hash(settings.content("build"))
    return record if record is not None and record["config_hash"] == wanted else None


@dataclass(frozen=True)
class BuiltPart:
    """What a worker tells of a part: segments, counts, and one line for each file that could not be read whole."""

    n_rows: int
    counts: Counter[str]
    damages: tuple[str, ...]


def build_part(job: PartJob) -> BuiltPart:
    """Build one patient's part unless it is there already.

    Parameters
    ----------
    job : PartJob
        The patient, where the part goes, and the settings.

    Returns
    -------
    BuiltPart
        `n_rows` is 0 where the patient has fewer segments than the least number.
    """
    done = finished_part(job.path, job.settings)
    if done is not None:
        return BuiltPart(done["rows"], Counter(done["counts"]), tuple(done["damages"]))
    assert job.settings.waveforms_dir
    patient = job.patient
    windows = read_patient(
        Path(job.settings.waveforms_dir), patient.subject, patient.subject_id, list(patient.records), job.settings
    )
    counts = Counter(windows.counts)
    counts["record:missing_file"] += len(patient.missing)
    counts["record:path_outside_folder"] += len(patient.refused)
    signals_NCT, scale_NC = quantize(windows.filtered_NCT, windows.source_step_NC)
    columns = windows.columns
    kept = len(signals_NCT)
    if kept < job.settings.least_segments:
        counts["windows_of_left_out_patients"] += kept
        signals_NCT, scale_NC = signals_NCT[:0], scale_NC[:0]
        columns = {name: values[:0] for name, values in columns.items()}
    write_segments(job.path, SegmentTable(signals_NCT, scale_NC, columns), dataset_attributes(job.settings))
    counts = +counts
    damages = (
        *(f"{record}: missing_file: listed, but not there" for record in patient.missing),
        *(f"{record}: path_outside_folder" for record in patient.refused),
        *windows.damages,
    )
    write_completion(
        job.path, job.settings.content("build"), len(signals_NCT), counts=dict(counts), damages=list(damages)
    )
    return BuiltPart(len(signals_NCT), counts, damages)
