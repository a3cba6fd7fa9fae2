"""A small dataset file with planted rhythms: regular and irregular windows in every patient, each of his own shape."""

import numpy as np
import pandas as pd

from ecgppg.config.schema import SEGMENT_COLUMNS, OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import segment_id
from ecgppg.store.codec import quantize
from ecgppg.store.segments import SegmentTable
from ecgppg.store.writer import write_segments

FS_HZ = 125.0
T = 1250


PLAIN: dict[str, object] = {"objective_views": 1.0, "beat_targets": "rate", "beat_branch": False}
"""Two views, rate and RR variation: every part of a training has something to do, and a step is soon done."""


def small_settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "batch_size": 16,
        "num_epochs": 2,
        "hidden_dims": [8, 16],
        "embedding_dim": 16,
        "projection_dim": 8,
        "learning_rate": 3e-3,
        "device": "cpu",
        "checkpoint_every": 1,
        **PLAIN,
    }
    return Settings(**(values | changes))


def rhythm_window(
    rng: np.random.Generator, irregular: bool, width_s: float, gain: float
) -> tuple[np.ndarray, float, float]:
    """(2, T): ECG spikes and PPG bumps of the same beats, in mV and in arbitrary units; their rate and variation."""
    mean_s = rng.uniform(0.6, 1.0)
    spread = 0.25 if irregular else 0.02
    beats_s = np.cumsum(np.clip(rng.normal(mean_s, spread * mean_s, 40), 0.3, 2.0)) - 2.0
    time_s = np.arange(T) / FS_HZ
    distance = time_s - beats_s[:, None]
    ecg = gain * np.exp(-((distance / width_s) ** 2)).sum(0)
    ppg = np.exp(-(((distance - 0.25) / 0.12) ** 2)).sum(0)
    rr_s = np.diff(beats_s[(beats_s >= 0) & (beats_s < T / FS_HZ)])
    return np.stack([ecg, ppg]) + rng.normal(0, 0.03, (2, T)), 60 / np.median(rr_s), rr_s.std() / rr_s.mean()


def write_small_dataset(
    layout: OutputLayout, n_patients: int = 12, n_windows: int = 12, seed: int = 0, without_ppg: bool = False
) -> np.ndarray:
    """Write full_dataset.h5 and splits.parquet; returns whether each row of the file is irregular."""
    rng = np.random.default_rng(seed)
    n = n_patients * n_windows
    subject_N = np.repeat(np.arange(1, n_patients + 1), n_windows)
    irregular_N = rng.random(n) < 0.5
    shape = {s: (rng.uniform(0.02, 0.05), rng.uniform(0.5, 1.5)) for s in range(1, n_patients + 1)}
    made = [rhythm_window(rng, bool(i), *shape[s]) for s, i in zip(subject_N, irregular_N, strict=True)]
    x_NCT = np.stack([x_CT for x_CT, _, _ in made]).astype(np.float32)
    step_NC = np.full((n, 2), 0.005, np.float32)
    if without_ppg:
        x_NCT[:, 1], step_NC[:, 1] = 0, 0
    signals_NCT, scale_NC = quantize(x_NCT, step_NC)
    record = np.array([f"p{s:03d}" for s in subject_N], object)
    start_N = np.tile(np.arange(n_windows) * T, n_patients)
    columns = {}
    for column in SEGMENT_COLUMNS:
        shape_N = (n, 2) if column.per_channel else (n,)
        columns[column.name] = (
            np.full(shape_N, "", object) if column.dtype == "str" else np.zeros(shape_N, column.dtype)
        )
    columns |= {
        "segment_id": np.array([segment_id(f"t{seed}", r, s) for r, s in zip(record, start_N, strict=True)], np.int64),
        "subject_id": subject_N.astype(np.int64),
        "record": record,
        "start_sample": start_N.astype(np.int64),
        "start_time_us": (start_N / FS_HZ * 1e6).astype(np.int64),
        "heart_rate_bpm": np.array([rate for _, rate, _ in made], np.float32),
        "rr_cv": np.array([variation for _, _, variation in made], np.float32),
    }
    attributes = {
        "channel_names": ["ECG", "PPG"],
        "units": ["mV", "1"],
        "sampling_rate_hz": FS_HZ,
        "segment_seconds": 10.0,
        "config_hash": "test",
    }
    write_segments(layout.dataset, SegmentTable(signals_NCT, scale_NC, columns), attributes)
    names = np.where(np.arange(n_patients) % 4 == 1, "val", np.where(np.arange(n_patients) % 4 == 3, "test", "train"))
    splits = pd.DataFrame({"subject_id": np.arange(1, n_patients + 1, dtype=np.int64), "split": names})
    splits["stratum"], splits["risk_reserve"] = "unlabelled", False
    splits.to_parquet(layout.splits, index=False)
    return irregular_N
