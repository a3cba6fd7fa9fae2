"""Which patients to build, from headers alone: found, of age, with candidate windows, largest first."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ecgppg.config.settings import Settings
from ecgppg.core.parallel import map_jobs
from ecgppg.core.progress import progress
from ecgppg.core.runlog import readable_bytes
from ecgppg.sources.find import Patient, find_patients
from ecgppg.waveform.volume import Volume, patient_volume

ALONE_SECONDS = 2.0
"""Headers are read in this process for so long before workers are started for the rest; starting them takes as long."""


@dataclass(frozen=True)
class PlannedPatient:
    """A patient to build and what the headers promise."""

    patient: Patient
    n_candidates: int
    n_bytes: int

    @property
    def subject_id(self) -> int:
        """The patient's identifier."""
        return self.patient.subject_id


@dataclass(frozen=True)
class BuildPlan:
    """Patients in building order, everyone who was found, and how many were left out before a signal was read."""

    patients: tuple[PlannedPatient, ...]
    found: tuple[Patient, ...]
    attrition: Counter[str]


@dataclass(frozen=True)
class _VolumeJob:
    patient: Patient
    settings: Settings


def plan_build(settings: Settings) -> BuildPlan:
    """Plan a build from headers and the clinical tables' ages.

    Parameters
    ----------
    settings : Settings
        Names the waveform folder, the limits and, where given, the clinical folder.

    Returns
    -------
    BuildPlan
        Patients with most candidate windows first, at most `max_patients`; ties by subject_id. The same whatever
        `num_workers`.
    """
    found = find_patients(settings)
    attrition = Counter(patients_found=len(found), records_found=sum(len(p.records) for p in found))
    with_records = [p for p in found if p.records]
    for patient in (p for p in found if not p.records):
        attrition["patients_without_records"] += 1
        attrition["record:missing_file"] += len(patient.missing)
        attrition["record:path_outside_folder"] += len(patient.refused)
    of_age = _of_age(with_records, settings)
    attrition["patients_under_age"] = len(with_records) - len(of_age)
    planned = _planned(of_age, settings)
    planned.sort(key=lambda p: (-p.n_candidates, p.subject_id))
    kept = planned[: settings.max_patients]
    attrition["patients_beyond_max_patients"] = len(planned) - len(kept)
    attrition["patients_planned"] = len(kept)
    return BuildPlan(tuple(kept), tuple(found), attrition)


def _planned(patients: list[Patient], settings: Settings) -> list[PlannedPatient]:
    if not patients:
        return []
    n_candidates = n_bytes = 0
    planned = []
    with progress("reading headers", sum(len(p.records) for p in patients), "records") as bar:
        for patient, volume in _volumes(patients, settings):
            planned.append(PlannedPatient(patient, *volume))
            n_candidates += volume.n_candidates
            n_bytes += volume.n_bytes
            bar.advance(
                len(patient.records), f"{len(planned):,}/{len(patients):,} patients", f"{n_candidates:,} windows",
                readable_bytes(n_bytes),
            )  # fmt: skip
    return planned


def _volumes(patients: list[Patient], settings: Settings) -> Iterator[tuple[Patient, Volume]]:
    """Every patient's volume: here as long as that takes no longer than to start workers, then in workers."""
    jobs = [_VolumeJob(patient, settings) for patient in patients]
    began_s, n_alone = time.monotonic(), 0
    while n_alone < len(jobs) and not (settings.num_workers and time.monotonic() - began_s > ALONE_SECONDS):
        yield jobs[n_alone].patient, _volume(jobs[n_alone])
        n_alone += 1
    if rest := jobs[n_alone:]:
        for done in map_jobs(_volume, rest, settings.num_workers):
            yield done.job.patient, done.result or Volume(0, 0)


def _volume(job: _VolumeJob) -> Volume:
    assert job.settings.waveforms_dir
    return patient_volume(Path(job.settings.waveforms_dir), job.patient.records, job.settings)


def _of_age(patients: list[Patient], settings: Settings) -> list[Patient]:
    """Leave out who was under age at the first admission; who is not in the tables stays, unlabelled."""
    if not settings.clinical_dir:
        return patients
    from ecgppg.clinical.demographics import patients_at_first_admission
    from ecgppg.clinical.tables import read_tables

    admitted = patients_at_first_admission(read_tables(Path(settings.clinical_dir)))
    under_age = set(admitted.loc[admitted["age_years"] < settings.min_age_years, "subject_id"])
    return [p for p in patients if p.subject_id not in under_age]
