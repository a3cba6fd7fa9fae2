"""What a build would do: patients, windows, bytes, time; measured on a few windows, nothing is written."""

import time
from typing import Any

from ecgppg.config.settings import Settings
from ecgppg.stages.plan import BuildPlan, PlannedPatient, plan_build

SAMPLE_PATIENTS = 3
SAMPLE_WINDOWS = 60


def run(settings: Settings) -> dict[str, Any]:
    """Plan, read a few windows of a few patients, and scale.

    Parameters
    ----------
    settings : Settings
        As for the build.

    Returns
    -------
    dict
        n_patients, n_candidates, n_windows (an upper bound of those kept), n_bytes_read, n_bytes_written, seconds.
    """
    plan = plan_build(settings)
    limit = settings.max_segments_per_patient
    kept = [p.n_candidates if limit is None else min(limit, p.n_candidates) for p in plan.patients]
    n_candidates = sum(p.n_candidates for p in plan.patients)
    per_window_s, kept_share, bytes_each = _sample(plan, settings)
    judged = [min(p.n_candidates, n / max(kept_share, 0.05)) for p, n in zip(plan.patients, kept, strict=True)]
    share_read = sum(judged) / max(n_candidates, 1)
    n_windows = round(sum(min(n, j * kept_share) for n, j in zip(kept, judged, strict=True)))
    return {
        "n_patients": len(plan.patients),
        "n_candidates": n_candidates,
        "n_windows": n_windows,
        "n_bytes_read": round(sum(p.n_bytes for p in plan.patients) * share_read),
        "n_bytes_written": round(n_windows * bytes_each),
        "seconds": sum(judged) * per_window_s / max(settings.num_workers, 1),
    }


def _sample(plan: BuildPlan, settings: Settings) -> tuple[float, float, float]:
    """(seconds a judged window, share kept, bytes a kept segment), of patients spread over the plan."""
    from ecgppg.store.codec import encode_segment, quantize

    n_judged = n_kept = n_bytes = 0
    seconds = 0.0
    few = settings.model_copy(update={"max_segments_per_patient": SAMPLE_WINDOWS})
    for planned in _spread(plan.patients):
        began_s = time.perf_counter()
        windows = _read(planned, few)
        signals_NCT, _ = quantize(windows.filtered_NCT, windows.source_step_NC)
        n_bytes += sum(len(encode_segment(signal_CT)) for signal_CT in signals_NCT)
        seconds += time.perf_counter() - began_s
        n_judged += windows.counts["windows_judged"]
        n_kept += windows.counts["windows_kept"]
    return seconds / max(n_judged, 1), n_kept / max(n_judged, 1), n_bytes / max(n_kept, 1)


def _read(planned: PlannedPatient, settings: Settings) -> Any:
    from pathlib import Path

    from ecgppg.waveform.patient import read_patient

    patient = planned.patient
    assert settings.waveforms_dir
    root = Path(settings.waveforms_dir)
    return read_patient(root, patient.subject, patient.subject_id, list(patient.records), settings)


def _spread(patients: tuple[PlannedPatient, ...]) -> list[PlannedPatient]:
    with_data = [p for p in patients if p.n_candidates]
    step = max(1, len(with_data) // SAMPLE_PATIENTS)
    return with_data[::step][:SAMPLE_PATIENTS]
