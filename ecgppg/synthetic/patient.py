"""One person of the cohort, written to disk: records, damaged extras, and the rows of every table about them."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.synthetic.damage import EXPECTED_REASONS, damage_record
from ecgppg.synthetic.recording import FS_HZ, Body, Recording, beat_truth, draw_body, simulate_recording
from ecgppg.synthetic.stays import Placement, draw_course, place_extra, place_records
from ecgppg.synthetic.tables import Row, patient_rows
from ecgppg.synthetic.truth import TABLES, beats_path
from ecgppg.synthetic.waves import Floats
from ecgppg.synthetic.wfdb_files import RecordName, write_numerics, write_record

EXTRA_MINUTES = 2.0
"""A damaged record is at most this long."""
NUMERICS_SHARE = 0.4


@dataclass(frozen=True)
class PatientJob:
    """What a worker needs to write one person.

    Parameters
    ----------
    folder : Path
        Of the cohort.
    seed : int
        Of the cohort; with `number` it decides everything.
    number : int
        Position in the cohort.
    person : dict
        A row of `people.simulate_people`.
    minutes : float
        Length of a record.
    damages : tuple of str
        Kinds of damage, one extra record each.
    """

    folder: Path
    seed: int
    number: int
    person: dict[str, Any]
    minutes: float
    damages: tuple[str, ...]


@dataclass
class PatientRows:
    """What one person adds to the tables and lists of the cohort."""

    number: int
    clinical: dict[str, list[Row]]
    waveforms: list[str] = field(default_factory=list)
    numerics: list[str] = field(default_factory=list)
    truth: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in TABLES})


def write_patient(job: PatientJob) -> PatientRows:
    """Write all records of one person, sound and damaged, with the beats of the sound ones.

    Parameters
    ----------
    job : PatientJob

    Returns
    -------
    PatientRows
        The same for the same job, wherever it runs.
    """
    rng = np.random.default_rng([job.seed, 2, job.number])
    course = draw_course(job.person, job.number, rng)
    body = draw_body(rng)
    placements = place_records(course, job.minutes, job.number, rng)
    out = PatientRows(job.number, patient_rows(job.person, course, rng))
    index = course.index
    out.truth["patients"].append(
        {
            **job.person,
            "over_89": course.over_89,
            "dbsource": course.dbsource,
            "n_admissions": len(course.admissions),
            "index_hadm_id": index.hadm_id,
            "index_icustay_id": index.icustay_id,
            "death_recorded": course.dod is not None,
        }
    )
    n = round(job.minutes * 60 * FS_HZ)
    for r, placement in enumerate(placements):
        _write_sound(job, out, r, placement, body, n)
    n_extra = round(min(job.minutes, EXTRA_MINUTES) * 60 * FS_HZ)
    for k, kind in enumerate(job.damages):
        record_rng = np.random.default_rng([job.seed, 4, job.number, k])
        name = _name(job, len(placements) + k, place_extra(course, k))
        recording = simulate_recording(job.person, body, n_extra, record_rng)
        _write_waveforms(job, name, recording, record_rng)
        file = damage_record(job.folder / "waveforms", name, kind)
        out.waveforms.append(name.path)
        out.truth["damaged"].append(
            {
                "record": name.path,
                "subject_id": job.person["subject_id"],
                "damage": kind,
                "expected_reason": EXPECTED_REASONS[kind],
                "file": file,
            }
        )
    return out


def _write_sound(job: PatientJob, out: PatientRows, r: int, placement: Placement, body: Body, n: int) -> None:
    rng = np.random.default_rng([job.seed, 3, job.number, r])
    name = _name(job, r, placement)
    recording = simulate_recording(job.person, body, n, rng)
    _write_waveforms(job, name, recording, rng)
    out.waveforms.append(name.path)
    numerics = rng.random() < NUMERICS_SHARE
    if numerics:
        out.numerics.append(write_numerics(job.folder / "waveforms", name, _minute_values(recording, rng)))
    path = beats_path(job.folder, name.record)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, allow_pickle=False, **beat_truth(recording))
    _add_record_truth(out.truth, name, job, placement, recording, body)


def _write_waveforms(job: PatientJob, name: RecordName, recording: Recording, rng: np.random.Generator) -> None:
    odd_clocks = rng.random() < 0.3
    write_record(job.folder / "waveforms", name, recording.signals, recording.pieces, recording.fmt, FS_HZ, odd_clocks)


def _name(job: PatientJob, r: int, placement: Placement) -> RecordName:
    return RecordName(f"p{job.person['subject_id']:06d}", f"{3_000_000 + 20 * job.number + r}", placement.start)


def _minute_values(recording: Recording, rng: np.random.Generator) -> dict[str, tuple[str, Floats]]:
    """What the monitor shows, one value a minute: rate from the beats, saturation of its own."""
    n = max(1, int(recording.n_samples / FS_HZ / 60))
    counts = np.histogram(recording.beats.times_s, np.arange(n + 1) * 60.0)[0].astype(float)
    spo2 = np.clip(np.rint(97 + rng.standard_normal(n)), 85, 100)
    spo2[rng.random(n) < 0.05] = np.nan
    return {"HR": ("bpm", counts), "PULSE": ("bpm", counts.copy()), "SpO2": ("%", spo2)}


def _add_record_truth(
    truth: dict[str, list[dict[str, Any]]],
    name: RecordName,
    job: PatientJob,
    placement: Placement,
    recording: Recording,
    body: Body,
) -> None:
    n = recording.n_samples
    truth["records"].append(
        {
            "record": name.path,
            "subject_id": job.person["subject_id"],
            "case": placement.case,
            "expected_grade": placement.expected_grade,
            "expected_hadm_id": placement.expected_hadm_id,
            "start_time": f"{placement.start:%Y-%m-%d %H:%M:%S.%f}"[:-3],
            "end_time": f"{placement.start + timedelta(seconds=n / FS_HZ):%Y-%m-%d %H:%M:%S.%f}"[:-3],
            "n_samples": n,
            "fmt": recording.fmt,
            "rhythm": job.person["rhythm"],
            "pulse_arrival_s": round(body.pulse.arrival_s, 4),
            "shift_start_s": round(recording.shift_s[0], 4),
            "shift_end_s": round(recording.shift_s[1], 4),
            "n_beats": len(recording.beats.times_s),
        }
    )
    for episode in recording.beats.episodes:
        start, stop = (min(n, round(t * FS_HZ)) for t in (episode.start_s, episode.end_s))
        truth["rhythm_episodes"].append(
            {"record": name.path, "rhythm": episode.rhythm, "start_sample": start, "end_sample": stop}
        )
    for artefact in recording.artefacts:
        truth["artefacts"].append(
            {
                "record": name.path,
                "kind": artefact.kind,
                "channels": " ".join(artefact.channels),
                "start_sample": artefact.start,
                "end_sample": artefact.stop,
                "strength": round(artefact.strength, 4),
            }
        )
    segments = [p for p in recording.pieces if p.channels]
    for k, piece in enumerate(segments, start=1):
        truth["segments"].append(
            {
                "record": name.path,
                "segment": name.segment(k),
                "start_sample": piece.start,
                "n_samples": piece.n_samples,
                "channels": " ".join(piece.channels),
                "gains": " ".join(f"{g:g}" for g in piece.gains),
                "uncalibrated_ecg": piece.uncalibrated_ecg,
            }
        )
