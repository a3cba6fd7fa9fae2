"""A whole synthetic cohort: WFDB records in the MIMIC-III matched layout, clinical tables, and the truth about both."""

import os
import shutil
from pathlib import Path
from typing import Any

from ecgppg.config.errors import RefusedError, RunError
from ecgppg.config.schema import SYNTHETIC_MARK
from ecgppg.core.files import sync_folder
from ecgppg.core.parallel import map_jobs
from ecgppg.synthetic.damage import EXPECTED_REASONS
from ecgppg.synthetic.patient import PatientJob, PatientRows, write_patient
from ecgppg.synthetic.people import OutcomeModel, simulate_people
from ecgppg.synthetic.recording import FS_HZ
from ecgppg.synthetic.stays import LONGEST_RECORD_MINUTES
from ecgppg.synthetic.tables import write_tables
from ecgppg.synthetic.truth import TABLES, CohortTruth, read_model, read_truth, write_truth

COHORT_VERSION = 1
"""Raised whenever the same parameters give other bytes."""
MOST_PATIENTS = 10_000
OWN_ENTRIES = {"waveforms", "clinical", "truth"}


def make_cohort(
    folder: Path, n_patients: int = 60, minutes: float = 30, seed: int = 42, num_workers: int = 2
) -> CohortTruth:
    """Make a synthetic cohort, or find it made.

    Parameters
    ----------
    folder : Path
        Will hold `waveforms/`, `clinical/` and `truth/`. Appears whole or not at all; a cohort made with other
        parameters is replaced.
    n_patients : int
        People, 1 to 10,000.
    minutes : float
        Length of each record, 0.5 to 150; a person has one to three.
    seed : int
        The same seed gives the same bytes, whatever `num_workers`.
    num_workers : int
        Worker processes (spawned); 0 works in this process.

    Returns
    -------
    CohortTruth

    Raises
    ------
    ValueError
        `n_patients` or `minutes` out of range.
    RefusedError
        The folder holds something else.
    """
    if not 1 <= n_patients <= MOST_PATIENTS:
        raise ValueError(f"n_patients: {n_patients} is not within 1-{MOST_PATIENTS}")
    if not 0.5 <= minutes <= LONGEST_RECORD_MINUTES:
        raise ValueError(f"minutes: {minutes:g} is not within 0.5-{LONGEST_RECORD_MINUTES:g}")
    folder = Path(folder).absolute()
    made_with = {"version": COHORT_VERSION, "n_patients": n_patients, "minutes": float(minutes), "seed": seed}
    model = read_model(folder)
    if model is not None and model["made_with"] == made_with:
        return read_truth(folder)
    _refuse_foreign(folder, model)

    making = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    (making / "waveforms").mkdir(parents=True)
    try:
        rows = _write_patients(making, n_patients, float(minutes), seed, num_workers)
        _write_lists(making / "waveforms", rows)
        write_tables(making / "clinical", (r.clinical for r in rows))
        (making / "clinical" / SYNTHETIC_MARK).write_text("A program made these tables. No row is a person.\n")
        truth = {name: [row for r in rows for row in r.truth[name]] for name in TABLES}
        write_truth(making, truth, _model(made_with))
        _put_in_place(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return read_truth(folder)


def _write_patients(folder: Path, n: int, minutes: float, seed: int, num_workers: int) -> list[PatientRows]:
    people: list[dict[str, Any]] = simulate_people(n, seed).to_dict("records")  # type: ignore[assignment]
    damages = _deal_damage([i for i, person in enumerate(people) if not person["neonate"]])
    jobs = [PatientJob(folder, seed, i, person, minutes, tuple(damages.get(i, []))) for i, person in enumerate(people)]
    rows = []
    for done in map_jobs(write_patient, jobs, num_workers):
        if done.result is None:
            raise RunError(f"synthetic cohort: the workers died on patient {done.job.number}")
        rows.append(done.result)
    return sorted(rows, key=lambda r: r.number)


def _deal_damage(adults: list[int]) -> dict[int, list[str]]:
    """{position in the cohort: kinds of damage}: every kind once, dealt round the adults, since neonates go unread."""
    dealt: dict[int, list[str]] = {}
    for d, kind in enumerate(EXPECTED_REASONS):
        dealt.setdefault(adults[(5 * d + 1) % len(adults)], []).append(kind)
    return dealt


def _write_lists(waveforms: Path, rows: list[PatientRows]) -> None:
    folders = sorted({record.rsplit("/", 1)[0] for r in rows for record in r.waveforms})
    lists = {
        "RECORDS": [f"{folder}/" for folder in folders],
        "RECORDS-waveforms": sorted(record for r in rows for record in r.waveforms),
        "RECORDS-numerics": sorted(record for r in rows for record in r.numerics),
    }
    for name, lines in lists.items():
        (waveforms / name).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _model(made_with: dict[str, Any]) -> dict[str, Any]:
    return {"made_with": made_with, "sampling_rate_hz": FS_HZ, "outcomes": OutcomeModel().to_json()}


def _refuse_foreign(folder: Path, model: dict[str, Any] | None) -> None:
    """Nothing is replaced that a cohort did not put there."""
    if not folder.exists():
        return
    foreign = not folder.is_dir() or (set(os.listdir(folder)) - OWN_ENTRIES if model else any(folder.iterdir()))
    if foreign:
        raise RefusedError(f"{folder}: holds something other than a synthetic cohort; name an empty folder")


def _put_in_place(making: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(making, folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
