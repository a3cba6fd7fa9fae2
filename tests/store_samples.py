"""Segments with known contents for the tests of the store."""

from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.core.seeds import segment_id
from ecgppg.store.codec import quantize
from ecgppg.store.segments import SegmentTable
from ecgppg.store.writer import write_segments

N_SAMPLES = 100
ATTRIBUTES: dict[str, Any] = {
    "channel_names": ["ECG", "PPG"],
    "units": ["mV", "NU"],
    "sampling_rate_hz": 10.0,
    "segment_seconds": 10.0,
    "config_hash": "0123456789abcdef",
    "filter": "zero-phase Butterworth, ECG 0.5-4 Hz",
}


def make_table(rows: list[tuple[int, str, int]], seed: int = 0) -> SegmentTable:
    """A table of (subject_id, record, start_sample) rows whose signals depend on their row alone."""
    n = len(rows)
    x = np.empty((n, 2, N_SAMPLES), np.float32)
    for i, row in enumerate(rows):
        rng = np.random.default_rng([seed, row[0], row[2], *row[1].encode()])
        x[i] = rng.standard_normal((2, N_SAMPLES)).cumsum(axis=1)
    signals, scale = quantize(x, np.full((n, 2), 0.005))
    columns = {
        "segment_id": np.array([segment_id("test", f"{s}/{record}", start) for s, record, start in rows], np.int64),
        "subject_id": np.array([s for s, _, _ in rows], np.int64),
        "subject": np.array([f"p{s:06d}" for s, _, _ in rows], object),
        "record": np.array([r for _, r, _ in rows], object),
        "start_sample": np.array([b for _, _, b in rows], np.int64),
        "start_time_us": np.array([b * 8000 for _, _, b in rows], np.int64),
        "ecg_lead": np.array(["II"] * n, object),
        "gain": np.full((n, 2), 200.0, np.float32),
        "fs_hz": np.full((n, 2), 125.0, np.float32),
        "quality": np.full(n, 0.9, np.float32),
        "flags": np.zeros(n, np.uint16),
        "heart_rate_bpm": np.full(n, 70.0, np.float32),
        "rr_cv": np.full(n, np.nan, np.float32),
        "n_beats": np.full(n, 12, np.int16),
        "ppg_lag_s": np.array([b / 1e4 if b else np.nan for _, _, b in rows], np.float32),
    }
    return SegmentTable(signals, scale, columns)


def write_sample(path: Path, rows: list[tuple[int, str, int]], seed: int = 0) -> Path:
    """A dataset file of `make_table(rows)`."""
    write_segments(path, make_table(rows, seed), ATTRIBUTES)
    return path
