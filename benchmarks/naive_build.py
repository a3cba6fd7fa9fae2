#!/usr/bin/env python
"""The dataset as anybody would first build it, kept as the measure of the real build.

One process a patient; wfdb loads every record whole; each 10 s window is checked, filtered and normalised by itself;
the parent appends to gzip datasets of HDF5. It imports nothing of the project, and is left as it is.

  python benchmarks/naive_build.py --waveforms DIR --output naive.h5 --workers 2

The last line of its output is one JSON object: counts and seconds.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sized
from dataclasses import dataclass, field
from multiprocessing import Pool
from pathlib import Path

import h5py
import numpy as np
import wfdb
from scipy import signal

FS_HZ = 125
T = 10 * FS_HZ
LEADS = {"ECG": ["II", "MLII", "I", "III", "V", "MCL1", "AVR", "AVF", "AVL"], "PPG": ["PLETH"]}
BANDS_HZ = {"ECG": (0.5, 40.0), "PPG": (0.5, 8.0)}
COEFFICIENTS = {kind: signal.butter(4, band, "bandpass", fs=FS_HZ) for kind, band in BANDS_HZ.items()}


@dataclass
class PatientSegments:
    """What a worker sends to the parent: one patient's kept windows (2, T), where they stand, and counts."""

    patient: str
    kept: list[np.ndarray] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def list_patients(waveforms: Path) -> dict[str, list[Path]]:
    """{patient: master headers without extension}, both sorted, of a tree like p00/p000020/p000020-2183-04-28-17-47."""
    patients: dict[str, list[Path]] = {}
    for header in sorted(waveforms.glob("p[0-9][0-9]/p*/p*.hea")):
        if not header.stem.endswith("n"):
            patients.setdefault(header.parent.name, []).append(header.with_suffix(""))
    return patients


def build_patient(job: tuple[str, list[Path], int]) -> PatientSegments:
    """Read one patient's records and keep the windows that pass, the first `limit` of them (0: all)."""
    patient, paths, limit = job
    found = PatientSegments(patient)
    for path in paths:
        try:
            record = wfdb.rdrecord(str(path))
        except Exception as error:
            # A damaged record raises whatever wfdb's parts raise, and loses itself only.
            print(f"{path}: {error}", file=sys.stderr)
            found.counts["records_unreadable"] += 1
            continue
        columns = [
            record.sig_name.index(n) for n in (first_of(names, record.sig_name) for names in LEADS.values()) if n
        ]
        if len(columns) < len(LEADS) or abs(record.fs - FS_HZ) > 0.1:
            found.counts["records_without_channels"] += 1
            continue
        for start, window in windows(record.p_signal, columns):
            if limit and len(found.kept) >= limit:
                break
            found.counts["judged"] += 1
            segment = clean(window)
            if segment is not None:
                found.kept.append(segment)
                found.records.append(path.name)
                found.starts.append(start)
    found.counts["kept"] = len(found.kept)
    return found


def first_of(wanted: list[str], names: list[str]) -> str | None:
    """The first wanted name that is there."""
    return next((name for name in wanted if name in names), None)


def windows(physical: np.ndarray, columns: list[int]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """(first sample, ECG and PPG of it) of every whole 10 s window of a record."""
    for start in range(0, len(physical) - T + 1, T):
        yield start, [physical[start : start + T, c] for c in columns]


def clean(window: list[np.ndarray]) -> np.ndarray | None:
    """Filtered and z-scored window, float32 (2, T), or None where a rule drops it."""
    if not all(looks_recorded(x) for x in window):
        return None
    filtered = []
    for coefficients, x in zip(COEFFICIENTS.values(), window, strict=True):
        y = signal.filtfilt(*coefficients, bridge_gaps(x))
        filtered.append((y - y.mean()) / (y.std() + 1e-8))
    if not all(has_plausible_rate(y) for y in filtered):
        return None
    return np.stack(filtered).astype(np.float32)


def bridge_gaps(x: np.ndarray) -> np.ndarray:
    """Missing samples by straight lines."""
    missing = np.isnan(x)
    if not missing.any():
        return x
    at = np.arange(len(x))
    return np.where(missing, np.interp(at, at[~missing], x[~missing]), x)


def looks_recorded(x: np.ndarray) -> bool:
    """Few samples missing, not flat for most of the window, not at its extremes for a fifth of it."""
    if np.isnan(x).mean() > 0.05:
        return False
    x = bridge_gaps(x)
    if np.std(x) < 1e-3 or (np.abs(np.diff(x)) < 1e-6).mean() > 0.80:
        return False
    return bool(((x == x.max()) | (x == x.min())).mean() < 0.20)


def has_plausible_rate(x: np.ndarray) -> bool:
    """Peaks of a z-scored window make 30 to 220 beats a minute."""
    peaks, _ = signal.find_peaks(x, distance=int(0.27 * FS_HZ), prominence=1.0)
    return 30 <= len(peaks) * 60 * FS_HZ / T <= 220


class GrowingFile:
    """The HDF5 file: four datasets that grow, gzip, chunked as h5py chooses."""

    def __init__(self, file: h5py.File) -> None:
        text = h5py.string_dtype()
        shapes = {"segments": ((2, T), "f4"), "patient_id": ((), text), "record": ((), text), "start": ((), "i8")}
        self.datasets = {
            name: file.create_dataset(name, (0, *rest), dtype, maxshape=(None, *rest), chunks=True, compression="gzip")
            for name, (rest, dtype) in shapes.items()
        }

    def append(self, found: PatientSegments) -> None:
        """One patient's segments at the end of every dataset."""
        columns: dict[str, Sized] = {
            "segments": np.stack(found.kept),
            "patient_id": [found.patient] * len(found.kept),
            "record": found.records,
            "start": found.starts,
        }
        for name, values in columns.items():
            dataset = self.datasets[name]
            before = len(dataset)
            dataset.resize(before + len(values), axis=0)
            dataset[before:] = values


def main() -> None:
    """Build, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waveforms", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--max-patients", type=int, help="the first N by name")
    parser.add_argument("--max-segments-per-patient", type=int, default=0, help="the first N that pass; 0: all")
    parser.add_argument("--min-segments-per-patient", type=int, default=10)
    args = parser.parse_args()

    began_s, writing_s = time.perf_counter(), 0.0
    counts: Counter[str] = Counter()
    patients = list(list_patients(args.waveforms).items())[: args.max_patients]
    jobs = [(patient, paths, args.max_segments_per_patient) for patient, paths in patients]
    with h5py.File(args.output, "w") as file, Pool(args.workers) as pool:
        dataset = GrowingFile(file)
        for found in pool.imap_unordered(build_patient, jobs):
            counts += found.counts
            if len(found.kept) >= max(args.min_segments_per_patient, 1):
                write_began_s = time.perf_counter()
                dataset.append(found)
                writing_s += time.perf_counter() - write_began_s
                counts["written"] += len(found.kept)
    seconds = {"wall_s": time.perf_counter() - began_s, "parent_writing_s": writing_s}
    print(json.dumps({**counts, **seconds}))


if __name__ == "__main__":
    main()
