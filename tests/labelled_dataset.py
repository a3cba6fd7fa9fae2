"""A small dataset file whose patients have one rhythm each: A fibrillates, N is regular, O has early beats."""

from pathlib import Path

import numpy as np

from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.core.files import write_json
from ecgppg.core.seeds import segment_id
from ecgppg.store.codec import quantize
from ecgppg.store.segments import Categories, SegmentTable
from ecgppg.store.writer import write_segments
from tests.small_dataset import FS_HZ, T, small_settings

RHYTHMS = ("A", "N", "O")
SMALL: dict[str, object] = {
    "outer_folds": 3,
    "num_epochs": 1,
    "probe_seeds": 1,
    "few_label_sizes": [4],
    "few_label_draws": 2,
    "scratch_labels": 4,
    "scratch_steps": 2,
    "supervised_epochs": 2,
    "supervised_seeds": 1,
}
"""Settings under which a whole evaluation takes seconds."""


def beats_of(rhythm: str, rng: np.random.Generator) -> np.ndarray:
    """Times of beats from before the window to past it, s."""
    mean_s = rng.uniform(0.65, 0.95)
    if rhythm == "A":
        rr_s = np.clip(rng.normal(mean_s, 0.25 * mean_s, 40), 0.3, 2.0)
    else:
        rr_s = rng.normal(mean_s, 0.015 * mean_s, 40)
        if rhythm == "O":
            rr_s[::3] *= 0.7
            rr_s[1::3] *= 1.3
    return np.cumsum(rr_s) - 2.0


def write_labelled_dataset(
    path: Path, n_patients: int = 18, n_windows: int = 4, seed: int = 0, ages: tuple[str, ...] = ()
) -> dict[int, str]:
    """Write a dataset file of ECG alone, and the config.json that built it; returns the rhythm of each patient.

    Label columns: label_reference (A, N, O); label_irregular (1 for A, 0 else, -1 for the last patient) and stroke_this
    (the same, as if from codes); label_age (float, follows the heart rate); label_age_text (`ages`, if given).
    """
    rng = np.random.default_rng(seed)
    n = n_patients * n_windows
    subject_N = np.repeat(np.arange(101, 101 + n_patients), n_windows)
    rhythm_of = {101 + i: RHYTHMS[i % 3] for i in range(n_patients)}
    x_NCT, rate_N, cv_N = np.empty((n, 1, T), np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    time_s = np.arange(T) / FS_HZ
    for row, subject in enumerate(subject_N.tolist()):
        beat_s = beats_of(rhythm_of[subject], rng)
        x_NCT[row, 0] = np.exp(-(((time_s - beat_s[:, None]) / 0.025) ** 2)).sum(0) + rng.normal(0, 0.02, T)
        if rhythm_of[subject] == "A":
            x_NCT[row, 0] += 0.12 * np.sin(2 * np.pi * (rng.uniform(5, 7) * time_s + rng.random()))
        rr_s = np.diff(beat_s[(beat_s >= 0) & (beat_s < T / FS_HZ)])
        rate_N[row], cv_N[row] = 60 / np.median(rr_s), rr_s.std() / rr_s.mean()
    signals_NCT, scale_NC = quantize(x_NCT, np.full((n, 1), 0.001, np.float32))
    record = np.array([f"p{s}" for s in subject_N], object)
    start_N = np.tile(np.arange(n_windows) * T, n_patients)
    columns: dict[str, np.ndarray | Categories] = {
        column.name: np.full(n, "", object)
        if column.dtype == "str"
        else np.zeros((n, 1) if column.per_channel else (n,), column.dtype)
        for column in SEGMENT_COLUMNS
    }
    irregular_N = np.array([rhythm_of[s] == "A" for s in subject_N.tolist()], np.int8)
    irregular_N[subject_N == subject_N.max()] = -1
    columns |= {
        "segment_id": np.array([segment_id("labelled", r, s) for r, s in zip(record, start_N, strict=True)], np.int64),
        "subject_id": subject_N.astype(np.int64),
        "record": record,
        "start_sample": start_N.astype(np.int64),
        "start_time_us": (start_N / FS_HZ * 1e6).astype(np.int64),
        "heart_rate_bpm": rate_N,
        "rr_cv": cv_N,
        "quality": np.full(n, 0.9, np.float32),
        "label_reference": Categories(
            np.array([RHYTHMS.index(rhythm_of[s]) for s in subject_N.tolist()], np.uint8), RHYTHMS
        ),
        "label_irregular": irregular_N,
        "stroke_this": irregular_N,
        "label_age": np.round(rate_N).astype(np.float32),
    }
    if ages:
        names = tuple(sorted(set(ages) - {""}))
        codes = [names.index(age) if age else Categories.UNKNOWN for age in ages]
        columns["label_age_text"] = Categories(np.repeat(np.array(codes, np.uint8), n_windows), names)
    attributes = {
        "channel_names": ["ECG"],
        "units": ["mV"],
        "sampling_rate_hz": FS_HZ,
        "segment_seconds": 10.0,
        "config_hash": "test",
    }
    write_segments(path, SegmentTable(signals_NCT, scale_NC, columns), attributes)
    settings = small_settings(channels=["ECG"], required_channels=["ECG"], source="wfdb", **SMALL)
    write_json(path.parent / "config.json", settings.model_dump(mode="json"))
    return rhythm_of
