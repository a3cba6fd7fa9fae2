"""A small build of a few patients, in a folder of its own that is removed: what share is kept, how large, how fast.

The parts are made by the code that builds them, in as many worker processes as will work at once, because two workers
on one core's two threads are no two workers.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ecgppg.config.settings import Settings
from ecgppg.core.parallel import map_jobs
from ecgppg.core.progress import progress
from ecgppg.stages.parts import PartJob, build_part
from ecgppg.stages.plan import PlannedPatient
from ecgppg.stages.sample_merge import MergeCost, measure_merge
from ecgppg.store.reader import open_file

SHARE_PATIENTS, SHARE_WINDOWS = 24, 48
"""Patients and windows of each, by which the share kept and the size of a segment are judged."""
SPEED_PATIENTS, SPEED_WINDOWS = 8, 300
"""The largest patients of these are read further, to tell the cost of a window from the cost of a patient."""
SPEED_BLOCKS = 4, 16
"""The same where every window is wanted: then they are read in order of time, a hundred in one go."""
MAX_SAMPLE_WORKERS = 8

_warm_pids: set[int] = set()


@dataclass(frozen=True)
class PatientSample:
    """Windows of one patient, judged."""

    subject_id: int
    n_judged: int
    n_kept: int
    n_bytes: int
    """of the kept segments, compressed"""

    @property
    def kept_share(self) -> float:
        """Of the windows judged."""
        return self.n_kept / max(self.n_judged, 1)

    @property
    def bytes_each(self) -> float:
        """Of a kept segment; 0 where none was kept."""
        return self.n_bytes / max(self.n_kept, 1)


@dataclass(frozen=True)
class Sample:
    """What a small build took.

    Attributes
    ----------
    patients : tuple of PatientSample
        Spread over the plan from the largest to the smallest.
    n_workers : int
        Worker processes that were at it; 0 for none but this one.
    start_s : float
        That a worker loses before it is at its usual speed.
    patient_s, window_s : float
        Seconds of one worker for a patient, and for each window judged.
    merge : MergeCost
        Of what comes after the parts.
    """

    patients: tuple[PatientSample, ...]
    n_workers: int
    start_s: float
    patient_s: float
    window_s: float
    merge: MergeCost


@dataclass(frozen=True)
class _Measured:
    n_judged: int
    n_kept: int
    n_bytes: int
    took_s: float
    began_s: float
    """Time at which the part was begun, by a worker at its usual speed."""
    is_first: bool
    """Whether the worker had just done the same part for the first time, slowly."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def take_sample(patients: Sequence[PlannedPatient], settings: Settings) -> Sample | None:
    """Build a few windows of patients spread over the plan.

    Parameters
    ----------
    patients : sequence of PlannedPatient
        In the order of building.
    settings : Settings
        As for the build. The same settings and tree give the same windows.

    Returns
    -------
    Sample or None
        None where no patient has a candidate window, or none of those sampled can be read.
    """
    chosen = spread([p for p in patients if p.n_candidates], SHARE_PATIENTS)
    if not chosen:
        return None
    n_workers = min(settings.num_workers, cores(), MAX_SAMPLE_WORKERS)
    with tempfile.TemporaryDirectory(prefix="ecgppg-sample-") as name, progress("sampling", 2) as bar:
        folder = Path(name)
        # Kernels that this machine never used are compiled and kept, as the build will find them.
        for _ in map_jobs(build_part, _jobs(chosen, 1, folder / "parts_first", settings), min(n_workers, 1)):
            bar.advance(1 / len(chosen), "first windows")
        small = _jobs(chosen, SHARE_WINDOWS, folder / "parts_small", settings)
        few, more = _speed_jobs(chosen[:SPEED_PATIENTS], small, folder, settings)
        began_s = time.monotonic()
        measured: dict[Path, _Measured] = {}
        jobs = list({job.path: job for job in small + few + more}.values())
        for done in map_jobs(_measure, jobs, n_workers):
            bar.advance(1 / len(jobs), f"{len(measured)} parts measured")
            if done.result is not None:
                measured[done.job.path] = done.result
        seen = [(job.patient.subject_id, measured[job.path]) for job in small if job.path in measured]
        if not seen:
            return None
        grown = [(a.path, b.path) for a, b in zip(few, more, strict=True) if {a.path, b.path} <= measured.keys()]
        pairs = [(measured[a], measured[b]) for a, b in grown]
        in_time_order = settings.max_segments_per_patient is None and bool(pairs)
        patient_s, window_s = _costs([a for a, _ in pairs] if in_time_order else [one for _, one in seen], pairs)
        merge = measure_merge([a for a, _ in grown], [b for _, b in grown], folder, settings)
    return Sample(
        tuple(PatientSample(i, one.n_judged, one.n_kept, one.n_bytes) for i, one in seen), n_workers,
        _start_s(list(measured.values()), began_s), patient_s, window_s, merge,
    )  # fmt: skip


def spread(patients: Sequence[PlannedPatient], n: int) -> list[PlannedPatient]:
    """At most `n` patients at even distances in the plan, the middle of each n-th part of it."""
    n = min(n, len(patients))
    return [patients[(2 * i + 1) * len(patients) // (2 * n)] for i in range(n)]


def _jobs(patients: Sequence[PlannedPatient], n_windows: int, folder: Path, settings: Settings) -> list[PartJob]:
    """Parts of at most so many windows."""
    limit = settings.max_segments_per_patient
    few = n_windows if limit is None else min(limit, n_windows)
    limits = settings.model_copy(update={"max_segments_per_patient": few, "min_segments_per_patient": 1})
    return [PartJob(p.patient, folder / f"{p.subject_id}.h5", limits) for p in patients]


def _speed_jobs(
    patients: Sequence[PlannedPatient], small: Sequence[PartJob], folder: Path, settings: Settings
) -> tuple[list[PartJob], list[PartJob]]:
    """Parts of the same patients, of few windows and of more, read as the build will read them."""
    if settings.max_segments_per_patient is not None:
        return list(small[: len(patients)]), _jobs(patients, SPEED_WINDOWS, folder / "parts_large", settings)
    whole = settings.model_copy(update={"min_segments_per_patient": 1})
    few, more = (
        [PartJob(p.patient, folder / name / f"{p.subject_id}.h5", whole, n) for p in patients]
        for name, n in zip(("parts_few", "parts_large"), SPEED_BLOCKS, strict=True)
    )
    return few, more


def _measure(job: PartJob) -> _Measured:
    is_first = os.getpid() not in _warm_pids
    if is_first:
        build_part(replace(job, path=job.path.with_suffix(f".{os.getpid()}.h5")))
        _warm_pids.add(os.getpid())
    began_s = time.monotonic()
    part = build_part(job)
    took_s = time.monotonic() - began_s
    with open_file(job.path) as file:
        n_bytes = int(file["signals"].id.get_storage_size())
    return _Measured(part.counts["windows_judged"], part.n_rows, n_bytes, took_s, began_s, is_first)


def _start_s(measured: Sequence[_Measured], began_s: float) -> float:
    """Seconds that a worker lost before it was at its usual speed."""
    lost = [one.began_s - began_s - one.took_s for one in measured if one.is_first]
    return max(sum(lost) / len(lost), 0.0) if lost else 0.0


def _costs(small: Sequence[_Measured], pairs: Sequence[tuple[_Measured, _Measured]]) -> tuple[float, float]:
    """Seconds a patient and a window, by how much longer the same patients took where more was read of them."""
    took_s, n_judged = sum(one.took_s for one in small), sum(one.n_judged for one in small)
    more_s = sum(large.took_s - few.took_s for few, large in pairs)
    n_more = sum(large.n_judged - few.n_judged for few, large in pairs)
    at_most = took_s / max(n_judged, 1)
    window_s = min(more_s / n_more, at_most) if more_s > 0 and n_more > n_judged // 2 else at_most
    return max(took_s - window_s * n_judged, 0.0) / len(small), window_s
