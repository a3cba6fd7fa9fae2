"""From patients to parts and shards, in worker processes: a chunk's parts become a shard while the next are built."""

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ecgppg.config.errors import RunError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.engine import chosen_engine
from ecgppg.core.files import write_completion
from ecgppg.core.parallel import map_jobs
from ecgppg.stages.build_progress import BuildProgress, build_progress
from ecgppg.stages.parts import BuiltPart, PartJob, build_part, dataset_attributes
from ecgppg.stages.plan import PlannedPatient
from ecgppg.stages.quarantine import Quarantine, build_without_killers, without
from ecgppg.stages.room import check_room_for_merge
from ecgppg.stages.tally import Tally
from ecgppg.stages.times import PARTS, BuildTimes
from ecgppg.store.merge import merge_segments

log = logging.getLogger("ecgppg.build")


@dataclass
class Chunk:
    """Patients whose parts become one shard.

    Attributes
    ----------
    shard : Path
        Where that goes.
    tally : Tally
        Of those of them who are built.
    is_merged : bool
        The shard is finished, and its parts are gone.
    """

    patients: Sequence[PlannedPatient]
    shard: Path
    tally: Tally = field(default_factory=Tally)
    is_merged: bool = False

    @property
    def is_built(self) -> bool:
        """Whether all its parts are there."""
        return len(self.tally.subjects) == len(self.patients)

    def parts(self, layout: OutputLayout) -> tuple[Path, ...]:
        """Those that are there."""
        paths = (layout.part(planned.subject_id) for planned in self.patients)
        return tuple(path for path in paths if path.is_file())


@dataclass(frozen=True)
class ShardJob:
    """Everything a worker needs to merge a chunk's parts."""

    root: Path
    chunk: Chunk
    settings: Settings


def build_patients(
    patients: Sequence[PlannedPatient], settings: Settings, layout: OutputLayout, first: int, times: BuildTimes
) -> tuple[list[Path], Tally]:
    """Build patients, chunk by chunk, by the same workers from the first part to the last.

    The last chunk stays in parts: the dataset is merged next, and takes them as well.

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

    Returns
    -------
    sources : list of Path
        Shards and parts that hold these patients, each finished, with its completion record.
    tally : Tally
        Of these patients.
    """
    starts = range(0, len(patients), settings.chunk_size)
    chunks = [
        Chunk(patients[start : start + settings.chunk_size], layout.shard(index))
        for index, start in enumerate(starts, start=first)
    ]
    with build_progress(patients, settings) as bar, times.step(PARTS):
        _Building(chunks, settings, layout, bar, times).run()
    sources: list[Path] = []
    total = Tally()
    for chunk in chunks:
        total.add(chunk.tally)
        sources += [chunk.shard] if chunk.is_merged else chunk.parts(layout)
    return sources, total


class _Building:
    """Chunks in hand."""

    def __init__(
        self, chunks: Sequence[Chunk], settings: Settings, layout: OutputLayout, bar: BuildProgress, times: BuildTimes
    ) -> None:
        self._chunks, self._settings, self._layout, self._bar, self._times = chunks, settings, layout, bar, times
        self._chunk_of = {planned.subject_id: chunk for chunk in chunks for planned in chunk.patients}
        self._to_merge: deque[Chunk] = deque()
        self._engine = chosen_engine(settings, layout.build)
        self._quarantine = Quarantine(layout.build / "quarantine", self._engine)

    def run(self) -> None:
        for done in map_jobs(_work, self._jobs(), self._settings.num_workers, self._engine):
            if isinstance(done.job, PartJob):
                self._add_part(
                    done.job, done.result if isinstance(done.result, BuiltPart) else None, done.killed_workers
                )
            elif isinstance(done.result, float):
                done.job.chunk.is_merged = True
                self._times.add_part({"merge": done.result})
            else:
                raise RunError(f"{done.job.chunk.shard}: merging it killed its worker {done.killed_workers} times")

    def _jobs(self) -> Iterator[PartJob | ShardJob]:
        """Taken one by one as workers are free, so that a shard comes as soon as the last of its parts is there."""
        for chunk in self._chunks:
            for planned in chunk.patients:
                while self._to_merge:
                    yield ShardJob(self._layout.root, self._to_merge.popleft(), self._settings)
                patient, killers = planned.patient, self._quarantine.of(planned.patient)
                job = without(PartJob(patient, self._layout.part(patient.subject_id), self._settings), killers)
                if job.patient.records:
                    yield job
                else:
                    self._add(patient.subject_id, Tally.of_lost_patient(patient.subject_id, killers))

    def _add_part(self, job: PartJob, part: BuiltPart | None, killed_workers: int) -> None:
        subject_id = job.patient.subject_id
        if part is None:
            log.warning("patient %s killed its worker %d times: each record is tried alone",
                        job.patient.subject, killed_workers)  # fmt: skip
            part, _ = build_without_killers(job, self._quarantine)
        planned = next(p for p in self._chunk_of[subject_id].patients if p.subject_id == subject_id)
        left_out = self._quarantine.of(planned.patient)
        if part is None:
            self._add(subject_id, Tally.of_lost_patient(subject_id, left_out))
            return
        self._times.add_part(part.seconds)
        for damage in part.damages:
            log.debug("not read whole: %s", damage)
        self._add(subject_id, Tally.of_part(subject_id, part, left_out))

    def _add(self, subject_id: int, tally: Tally) -> None:
        chunk = self._chunk_of[subject_id]
        chunk.tally.add(tally)
        self._bar.add(subject_id, tally.counts)
        if chunk.is_built and chunk is not self._chunks[-1]:
            self._to_merge.append(chunk)


def _work(job: PartJob | ShardJob) -> BuiltPart | float:
    """What a worker does: a part, or a shard and the seconds it took."""
    return build_part(job) if isinstance(job, PartJob) else _merge_shard(job)


def _merge_shard(job: ShardJob) -> float:
    began_s = time.monotonic()
    layout, chunk, shard = OutputLayout(job.root), job.chunk, job.chunk.shard
    parts = chunk.parts(layout)
    check_room_for_merge(layout.root, parts, f"merging {len(parts)} parts into {shard.name}")
    n_rows = merge_segments(parts, shard, dataset_attributes(job.settings), keep_digests=True, audited=True)
    refuse_missing_rows(layout, n_rows, chunk.tally)
    write_completion(shard, job.settings.content("build"), n_rows, **chunk.tally.as_record())
    for part in parts:
        completion_path(part).unlink(missing_ok=True)
        part.unlink()
    return time.monotonic() - began_s


def refuse_missing_rows(layout: OutputLayout, n_rows: int, tally: Tally) -> None:
    """Refuse to go on with fewer segments than were built.

    Raises
    ------
    RunError
        Says what is wrong on a cluster.
    """
    if n_rows != tally.n_rows:
        raise RunError(
            f"{layout.build}: holds {n_rows:,} segments, the workers told of {tally.n_rows:,}; "
            "on a cluster every worker must write into this folder"
        )
