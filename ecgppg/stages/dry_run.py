"""What a build would do: patients, windows, bytes, time; from the headers and a small sample, nothing is written."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ecgppg.config.settings import Settings
from ecgppg.core.runlog import readable_bytes, readable_seconds
from ecgppg.stages.plan import BuildPlan, PlannedPatient, plan_build
from ecgppg.stages.sample import PatientSample, Sample, cores, take_sample


@dataclass(frozen=True)
class Forecast:
    """An estimate of a build.

    Attributes
    ----------
    n_patients, n_candidates : int
        Planned patients and their candidate windows; these are counted, all else is estimated.
    n_judged, n_kept : int
        Windows read and judged, and kept.
    n_bytes_read, n_bytes_written : int
        Of signal files, and of what will lie in the output folder.
    n_bytes_needed : int
        Free disk that the build needs at its fullest.
    seconds : float
        From the command to the finished dataset.
    n_parallel : int
        Workers that will work at once.
    sample : Sample or None
        What was measured; None where there is nothing to build.
    """

    n_patients: int
    n_candidates: int
    n_judged: int
    n_kept: int
    n_bytes_read: int
    n_bytes_written: int
    n_bytes_needed: int
    seconds: float
    n_parallel: int
    sample: Sample | None


def run(settings: Settings) -> Forecast:
    """Plan, build a small sample, and scale.

    Parameters
    ----------
    settings : Settings
        As for the build.

    Returns
    -------
    Forecast
    """
    began_s = time.monotonic()
    plan = plan_build(settings)
    plan_s = time.monotonic() - began_s
    return forecast(plan, plan_s, take_sample(plan.patients, settings), settings)


def forecast(plan: BuildPlan, plan_s: float, sample: Sample | None, settings: Settings) -> Forecast:
    """Scale a sample to a plan.

    Parameters
    ----------
    plan : BuildPlan
        What would be built.
    plan_s : float
        Seconds that planning took, and will take.
    sample : Sample or None
        Measured on some of the plan's patients.
    settings : Settings
        Limits, workers and chunks.

    Returns
    -------
    Forecast
    """
    n_patients, n_candidates = len(plan.patients), sum(p.n_candidates for p in plan.patients)
    if sample is None:
        return Forecast(n_patients, n_candidates, 0, 0, 0, 0, 0, plan_s, 1, None)
    known = {one.subject_id: (one,) for one in sample.patients}
    expected = [_expected(p, known.get(p.subject_id, sample.patients), settings) for p in plan.patients]
    n_judged, n_kept, n_signal_bytes, n_bytes_read = (sum(column) for column in zip(*expected, strict=True))
    n_parallel = _parallel(settings)
    merge = sample.merge
    # The last chunk stays in parts.
    share_in_shards = (math.ceil(n_patients / settings.chunk_size) - 1) * settings.chunk_size / n_patients
    shards_s = share_in_shards * (n_patients * merge.part_s + n_kept * merge.shard_segment_s)
    seconds = (
        plan_s
        + sample.start_s
        + (n_patients * sample.patient_s + n_judged * sample.window_s + shards_s) / n_parallel
        + merge.last_s.at(n_kept)
    )
    n_written = n_signal_bytes + merge.other_bytes.at(n_kept)
    return Forecast(
        n_patients, n_candidates, round(n_judged), round(n_kept), round(n_bytes_read), round(n_written),
        round(n_written + n_signal_bytes), seconds, n_parallel, sample,
    )  # fmt: skip


def _expected(
    patient: PlannedPatient, like: Sequence[PatientSample], settings: Settings
) -> tuple[float, float, float, float]:
    """Windows judged and kept of a patient, bytes of the kept and bytes read, if it is like one of the sampled.

    The mean over patients, and not the patient with the mean share: a limit is reached by the good ones alone.
    """
    judged = kept = n_bytes = 0.0
    for one in like:
        limit = patient.n_candidates * one.kept_share
        if settings.max_segments_per_patient is not None:
            limit = min(limit, settings.max_segments_per_patient)
        judged += limit / one.kept_share if one.kept_share > 0 else patient.n_candidates
        if limit >= settings.least_segments:
            kept += limit
            n_bytes += limit * one.bytes_each
    n = len(like)
    return judged / n, kept / n, n_bytes / n, patient.n_bytes * judged / n / max(patient.n_candidates, 1)


def _parallel(settings: Settings) -> int:
    """Workers that work at once: no more than this machine has cores; a cluster's own are as many as is said."""
    on_cluster = settings.backend != "local" and (settings.dask_address or settings.ray_address)
    return max(1, settings.num_workers if on_cluster else min(settings.num_workers, cores()))


def describe(plan: Forecast, settings: Settings) -> list[str]:
    """A forecast as lines for people."""
    rows = [
        ("patients", f"{plan.n_patients:,}"),
        ("candidate windows", f"{plan.n_candidates:,}"),
        ("to judge, about", f"{plan.n_judged:,}"),
        ("to keep, about", f"{plan.n_kept:,}"),
        ("to read, about", readable_bytes(plan.n_bytes_read)),
        ("to write, about", readable_bytes(plan.n_bytes_written)),
        ("disk needed, about", readable_bytes(plan.n_bytes_needed)),
        ("time, about", f"{readable_seconds(plan.seconds)} with {settings.num_workers} workers"),
    ]
    lines = [f"{name:<20} {value}" for name, value in rows]
    if plan.sample is None:
        return [*lines, "no patient has a candidate window: nothing to sample"]
    sampled = plan.sample
    n_judged, n_kept = (sum(getattr(p, key) for p in sampled.patients) for key in ("n_judged", "n_kept"))
    return [
        *lines,
        f"an estimate: {n_judged:,} windows of {len(sampled.patients)} patients were judged, "
        f"{100 * n_kept / max(n_judged, 1):.0f} % kept;",
        f"{1 / sampled.window_s:,.0f} windows/s a worker with {max(sampled.n_workers, 1)} at work, and "
        f"{sampled.patient_s:.2g} s a patient, measured here; {plan.n_parallel} counted as working at once",
    ]
