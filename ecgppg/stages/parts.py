"""One patient's part: read, filter, judge, compress, write; what a worker process does."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.core.files import config_hash, read_completion, write_completion
from ecgppg.core.memory import keep_freed_memory
from ecgppg.core.stopwatch import Stopwatch
from ecgppg.sources.find import Patient
from ecgppg.store.codec import encode_segments, quantize
from ecgppg.store.content_hash import segment_digests
from ecgppg.store.writer import EncodedSegments, segment_writer
from ecgppg.waveform.kept import KeptWindows, record_order
from ecgppg.waveform.patient import PatientReading

FILTER_NOTE = "Butterworth band-pass, zero-phase, over the continuous span before cutting; right for rhythm, not for ST"


@dataclass(frozen=True)
class PartJob:
    """Everything a worker needs to build one part; `most_blocks` ends it early, for a sample of what it takes."""

    patient: Patient
    path: Path
    settings: Settings
    most_blocks: int | None = None


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
    """What a worker tells of a part: segments, counts, one line for each file not read whole, seconds by step."""

    n_rows: int
    counts: Counter[str]
    damages: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)


def build_part(job: PartJob) -> BuiltPart:
    """Build one patient's part unless it is there already.

    Parameters
    ----------
    job : PartJob
        The patient, where the part goes, and the settings.

    Returns
    -------
    BuiltPart
        `n_rows` is 0 where the patient has fewer segments than the least number; `seconds` is empty where the part
        was there.
    """
    done = finished_part(job.path, job.settings)
    if done is not None:
        return BuiltPart(done["rows"], Counter(done["counts"]), tuple(done["damages"]))
    patient, settings = job.patient, job.settings
    assert settings.waveforms_dir
    keep_freed_memory()
    reading = PatientReading(
        Path(settings.waveforms_dir), patient.subject, patient.subject_id, list(patient.records), settings
    )
    watch, limit = reading.watch, settings.max_segments_per_patient
    shape_CT = (len(settings.channels), settings.n_samples)
    with segment_writer(job.path, dataset_attributes(settings), shape_CT) as writer:
        blocks = (_encoded(block, watch) for block in islice(reading.blocks(), job.most_blocks))
        # Without a limit windows come in the dataset's order and go to disk at once, whatever the length of a stay.
        for segments in blocks if limit is None else _in_order(list(blocks)):
            with watch.step("write"):
                writer.add(segments)
        kept = len(writer)
        if kept < settings.least_segments:
            reading.counts["windows_of_left_out_patients"] += kept
            writer.drop_all()
        n_rows = len(writer)
        with watch.step("write"):
            writer.finish()
    counts = reading.counts
    counts["record:missing_file"] += len(patient.missing)
    counts["record:path_outside_folder"] += len(patient.refused)
    counts = +counts
    damages = (
        *(f"{record}: missing_file: listed, but not there" for record in patient.missing),
        *(f"{record}: path_outside_folder" for record in patient.refused),
        *reading.damages,
    )
    with watch.step("write"):
        write_completion(job.path, settings.content("build"), n_rows, counts=dict(counts), damages=list(damages))
    return BuiltPart(n_rows, counts, damages, watch.seconds)


def _encoded(windows: KeptWindows, watch: Stopwatch) -> EncodedSegments:
    with watch.step("quantise"):
        signals_NCT, scale_NC = quantize(windows.filtered_NCT, windows.source_step_NC)
    with watch.step("compress"):
        chunks = encode_segments(signals_NCT)
    with watch.step("digest"):
        return EncodedSegments(chunks, scale_NC, segment_digests(signals_NCT), windows.columns)


def _in_order(blocks: Sequence[EncodedSegments]) -> Iterator[EncodedSegments]:
    """Blocks that came in a spread order as one in the dataset's: no more than the limit of a patient."""
    if not blocks:
        return
    columns = {name: np.concatenate([block.columns[name] for block in blocks]) for name in blocks[0].columns}
    order = record_order(columns)
    chunks = [chunk for block in blocks for chunk in block.chunks]
    yield EncodedSegments(
        [chunks[i] for i in order],
        np.concatenate([block.scale_NC for block in blocks])[order],
        np.concatenate([block.digests for block in blocks])[order],
        {name: values[order] for name, values in columns.items()},
    )
