"""From patients to shards: parts in worker processes, and one shard a chunk of patients."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecgppg.config.errors import RunError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.engine import chosen_engine
from ecgppg.core.files import write_completion
from ecgppg.core.parallel import map_jobs
from ecgppg.stages.build_progress import BuildProgress, build_progress
from ecgppg.stages.parts import PartJob, build_part, dataset_attributes
from ecgppg.stages.plan import PlannedPatient
from ecgppg.stages.quarantine import Quarantine, build_without_killers, without
from ecgppg.stages.room import check_room_for_merge
from ecgppg.stages.tally import Tally
from ecgppg.stages.times import PARTS, BuildTimes
from ecgppg.store.merge import merge_segments

log = logging.getLogger("ecgppg.build")


def build_shards(
    patients: Sequence[PlannedPatient], settings: Settings, layout: OutputLayout, first: int, times: BuildTimes
) -> Iterator[tuple[Path, Tally]]:
    """Build patients, chunk by chunk.

    Parameters
    ----------
    patients : sequence of PlannedPatient
        In the order of building.
    settings : Settings
        Chunk size, workers, and what a part is.
    layout : OutputLayout
        Where parts and shards go.
    first : int
        Number of the first shard.
    times : BuildTimes
        Is told how long everything takes.

    Yields
    ------
    shard : Path
        Finished, with its completion record; its parts are gone.
    tally : Tally
        Of its patients.
    """
    with build_progress(patients, settings) as bar:
        for index, start in enumerate(range(0, len(patients), settings.chunk_size), start=first):
            chunk = patients[start : start + settings.chunk_size]
            with times.step(PARTS):
                tally = _build_parts(chunk, settings, layout, bar, times)
            with times.step("merge shards"):
                shard = _merge(chunk, tally, settings, layout, index)
            yield shard, tally


def _build_parts(
    chunk: Sequence[PlannedPatient], settings: Settings, layout: OutputLayout, bar: BuildProgress, times: BuildTimes
) -> Tally:
    engine = chosen_engine(settings, layout.build)
    quarantine = Quarantine(layout.build / "quarantine", engine)
    tally = Tally()
    jobs = []
    for patient in (planned.patient for planned in chunk):
        job = without(PartJob(patient, layout.part(patient.subject_id), settings), quarantine.of(patient))
        if job.patient.records:
            jobs.append(job)
        else:
            tally.add(Tally.of_lost_patient(patient.subject_id, quarantine.of(patient)))
            bar.add(patient.subject_id, Counter())
    by_id = {planned.subject_id: planned.patient for planned in chunk}
    for done in map_jobs(build_part, jobs, settings.num_workers, engine):
        part, subject_id = done.result, done.job.patient.subject_id
        if part is None:
            log.warning("patient %s killed its worker %d times: each record is tried alone",
                        done.job.patient.subject, done.killed_workers)  # fmt: skip
            part, _ = build_without_killers(done.job, quarantine)
        left_out = quarantine.of(by_id[subject_id])
        if part is None:
            built = Tally.of_lost_patient(subject_id, left_out)
        else:
            built = Tally.of_part(subject_id, part, left_out)
            times.add_part(part.seconds)
            for damage in part.damages:
                log.debug("not read whole: %s", damage)
        tally.add(built)
        bar.add(subject_id, built.counts)
    return tally


def _merge(chunk: Sequence[PlannedPatient], tally: Tally, settings: Settings, layout: OutputLayout, index: int) -> Path:
    parts = [path for path in (layout.part(planned.subject_id) for planned in chunk) if path.is_file()]
    shard = layout.shard(index)
    check_room_for_merge(layout.root, parts, f"merging {len(parts)} parts into {shard.name}")
    n_rows = merge_segments(parts, shard, dataset_attributes(settings), keep_digests=True, audited=True)
    if n_rows != tally.n_rows:
        raise RunError(
            f"{layout.parts}: holds {n_rows:,} segments of {len(parts)} parts, the workers told of {tally.n_rows:,}; "
            "on a cluster every worker must write into this folder"
        )
    write_completion(shard, settings.content("build"), n_rows, **tally.as_record())
    for part in parts:
        completion_path(part).unlink(missing_ok=True)
        part.unlink()
    return shard
