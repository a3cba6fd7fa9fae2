"""A patient whose part kills every worker: which record does it, so that this one alone is left out."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ecgppg.core.engine import Engine
from ecgppg.core.files import config_hash, read_json, write_json
from ecgppg.core.parallel import map_jobs
from ecgppg.sources.find import Patient
from ecgppg.stages.parts import BuiltPart, PartJob, build_part

log = logging.getLogger("ecgppg.build")


class Quarantine:
    """Records left out of a build, one small file a patient, so that a build that is continued knows them.

    Parameters
    ----------
    folder : Path
        Where the files lie, and the parts of single records while they are tried.
    engine : Engine
        Where they are tried.
    """

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder, self.engine = folder, engine

    def of(self, patient: Patient) -> dict[str, str]:
        """{record: why} of one patient."""
        known = read_json(self._file(patient))
        killers = known.get("killers") if isinstance(known, dict) else None
        if not isinstance(killers, dict):
            return {}
        return {record: str(why) for record, why in killers.items() if record in patient.records}

    def add(self, patient: Patient, killers: Mapping[str, str]) -> None:
        """Leave records of a patient out from now on."""
        write_json(self._file(patient), {"subject": patient.subject, "killers": self.of(patient) | dict(killers)})

    def _file(self, patient: Patient) -> Path:
        return self.folder / f"{patient.subject_id}.json"

    def _probe(self, job: PartJob, record: str, every_window: bool) -> PartJob:
        """The part of one record alone; a finished one says that the record does no harm."""
        name = config_hash({"record": record, "every_window": every_window})
        settings = job.settings.model_copy(update={"max_segments_per_patient": None}) if every_window else job.settings
        return PartJob(
            replace(job.patient, records=(record,)), self.folder / str(job.patient.subject_id) / f"{name}.h5", settings
        )

    def search(self, job: PartJob, every_window: bool = False) -> dict[str, str]:
        """Build each record of a patient alone in a worker, and leave out those that kill it each time.

        Parameters
        ----------
        job : PartJob
            The patient's, without the records that are known.
        every_window : bool
            Read every window of a record, not only as many as a patient may keep: of a long stay the patient's part
            takes other windows of a record than the record alone would.

        Returns
        -------
        dict
            {record: why} of those found.
        """
        found: dict[str, str] = {}
        probes = [self._probe(job, record, every_window) for record in job.patient.records]
        for done in map_jobs(build_part, probes, job.settings.num_workers, self.engine):
            if done.result is not None:
                continue
            (record,) = done.job.patient.records
            found[record] = f"killed its worker {done.killed_workers} times"
            log.error("record %s %s and is left out; patient %s keeps the others",
                      record, found[record], job.patient.subject)  # fmt: skip
            self.add(job.patient, {record: found[record]})
        return found


def without(job: PartJob, records: Iterable[str]) -> PartJob:
    """A job without some of its patient's records."""
    left_out = set(records)
    kept = tuple(record for record in job.patient.records if record not in left_out)
    return replace(job, patient=replace(job.patient, records=kept))


def build_without_killers(job: PartJob, quarantine: Quarantine) -> tuple[BuiltPart | None, dict[str, str]]:
    """Build the part of a patient who killed workers, without the records that do it.

    Parameters
    ----------
    job : PartJob
        The patient's, without the records that are known.
    quarantine : Quarantine
        Learns the records found.

    Returns
    -------
    part : BuiltPart or None
        None where no record is left, or where the patient's records kill together and none of them does alone.
    killers : dict
        {record: why} of the records found.
    """
    killers: dict[str, str] = {}
    for every_window in (False, True):
        found = quarantine.search(job, every_window)
        killers |= found
        job = without(job, found)
        if not job.patient.records:
            return None, killers
        if found:
            (done,) = map_jobs(build_part, [job], 1, quarantine.engine)
            if done.result is not None:
                return done.result, killers
    log.error("patient %s kills its worker and no record does so alone: left out whole", job.patient.subject)
    together = dict.fromkeys(job.patient.records, "killed its worker with the patient's other records")
    quarantine.add(job.patient, together)
    return None, killers | together
