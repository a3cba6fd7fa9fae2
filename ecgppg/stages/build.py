"""The build: patients in chunks -> parts -> one shard a chunk -> full_dataset.h5, each whole or absent."""

import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgppg.config.errors import RefusedError, RunError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import changed_keys, read_completion, write_completion
from ecgppg.core.parallel import map_jobs
from ecgppg.core.runlog import progress, readable_bytes, readable_seconds
from ecgppg.stages.card import write_card
from ecgppg.stages.join import linkage_counts, write_joined
from ecgppg.stages.parts import PartJob, build_part, dataset_attributes
from ecgppg.stages.plan import BuildPlan, PlannedPatient, plan_build
from ecgppg.store.merge import merge_segments

log = logging.getLogger("ecgppg.build")


@dataclass
class Tally:
    """Counts of one build, and per patient the segments kept."""

    counts: Counter[str]
    subjects: dict[str, int]

    @classmethod
    def empty(cls) -> "Tally":
        """A tally of nothing."""
        return cls(Counter(), {})

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Tally":
        """The tally kept in a completion record."""
        return cls(Counter(record["tally"]), dict(record["subjects"]))

    def add(self, other: "Tally") -> None:
        """Count another tally in."""
        self.counts += other.counts
        self.subjects |= other.subjects

    def __contains__(self, patient: PlannedPatient) -> bool:
        return str(patient.subject_id) in self.subjects


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Build the dataset, or what is new in it since the last time.

    Parameters
    ----------
    settings : Settings
        Content keys must be those of what lies in the folder already.
    layout : OutputLayout
        Where everything goes.

    Returns
    -------
    dict
        n_patients, n_segments, and the counts of the dataset card.
    """
    began_s = time.monotonic()
    content = settings.content("build")
    before = _finished_before(layout)
    _refuse_changes(layout.dataset, before, content)
    plan = plan_build(settings)
    total = Tally.of(before) if before else Tally.empty()
    shards = _finished_shards(layout, content)
    for record in shards.values():
        total.add(Tally.of(record))
    new = [patient for patient in plan.patients if patient not in total]
    _check_disk(layout, new, settings)
    if before and not new and not shards and _tables_whole(layout):
        log.info("dataset: all %d planned patients are built already", len(plan.patients))
        return _summary(before)
    log.info(
        "dataset: %d patients to build, %s candidate windows, %s of signals",
        len(new), f"{sum(p.n_candidates for p in new):,}", readable_bytes(sum(p.n_bytes for p in new)),
    )  # fmt: skip
    for path, tally in _build_shards(new, settings, layout, first=_next_index(shards)):
        total.add(tally)
        shards[path] = {}
    sources = ([layout.dataset] if before else []) + sorted(shards)
    joined = write_joined(sources, list(plan.found), settings, layout)
    n_rows = sum(total.subjects.values())
    counts = _attrition(plan, total) + linkage_counts(joined.linkage)
    write_completion(
        layout.dataset, content, n_rows, counts=dict(counts), tally=dict(total.counts), subjects=total.subjects,
        seconds=round(time.monotonic() - began_s, 1), labels=joined.provenance,
    )  # fmt: skip
    write_card(settings, layout)
    shutil.rmtree(layout.build, ignore_errors=True)
    done = read_completion(layout.dataset)
    assert done is not None
    if n_rows == 0:
        log.warning("NOTHING WAS KEPT: no window of %d patients passed; see the attrition table in %s",
                    len(plan.patients), layout.card_markdown)  # fmt: skip
    log.info("dataset: %s segments in %s", f"{n_rows:,}", readable_seconds(time.monotonic() - began_s))
    return _summary(done)


def _finished_before(layout: OutputLayout) -> dict[str, Any] | None:
    """The finished dataset's record. A file that no record and no begun build speak of is not ours to replace."""
    record = read_completion(layout.dataset)
    if record is None and layout.dataset.exists():
        if not completion_path(layout.dataset).exists() and not layout.build.exists():
            raise RefusedError(f"{layout.dataset}: was not made here (no completion record); move it, or give --fresh")
        log.warning("%s: is not as it was finished; built again", layout.dataset)
    return record


def _tables_whole(layout: OutputLayout) -> bool:
    """Whether the tables beside the dataset are as they were finished."""
    tables = [layout.metadata, *(p for p in (layout.linkage, layout.features) if completion_path(p).exists())]
    damaged = [path for path in tables if read_completion(path) is None]
    for path in damaged:
        log.warning("%s: is absent or not as it was finished; written again", path)
    return not damaged


def _build_shards(
    patients: list[PlannedPatient], settings: Settings, layout: OutputLayout, first: int
) -> Iterator[tuple[Path, Tally]]:
    with progress("building", sum(p.n_candidates for p in patients), "candidate windows") as bar:
        for index, start in enumerate(range(0, len(patients), settings.chunk_size), start=first):
            chunk = patients[start : start + settings.chunk_size]
            tally = Tally.empty()
            jobs = [PartJob(p.patient, layout.part(p.subject_id), settings) for p in chunk]
            candidates = {p.subject_id: p.n_candidates for p in chunk}
            for done in map_jobs(build_part, jobs, settings.num_workers):
                subject_id = done.job.patient.subject_id
                if done.result is None:
                    log.error("patient %s killed its worker %d times and is left out",
                              done.job.patient.subject, done.killed_workers)  # fmt: skip
                    tally.add(
                        Tally(Counter({"patients_quarantined": 1, "record:worker_died": 1}), {str(subject_id): 0})
                    )
                else:
                    tally.add(Tally(done.result.counts, {str(subject_id): done.result.n_rows}))
                    for damage in done.result.damages:
                        log.debug("not read whole: %s", damage)
                bar.advance(candidates[subject_id], f"{tally.counts['windows_kept']:,} kept")
            parts = [job.path for job in jobs if job.path.is_file()]
            shard = layout.shard(index)
            n_rows = merge_segments(parts, shard, dataset_attributes(settings), keep_digests=True)
            write_completion(
                shard, settings.content("build"), n_rows, tally=dict(tally.counts), subjects=tally.subjects
            )
            for part in parts:
                completion_path(part).unlink(missing_ok=True)
                part.unlink()
            yield shard, tally


def _next_index(shards: dict[Path, dict[str, Any]]) -> int:
    """A shard number that no finished shard has."""
    return 1 + max((int(path.stem.removeprefix("shard_")) for path in shards), default=-1)


def _finished_shards(layout: OutputLayout, content: dict[str, Any]) -> dict[Path, dict[str, Any]]:
    shards = {}
    for path in sorted(layout.shards.glob("shard_*.h5")):
        record = read_completion(path, verify=True)
        if record is not None:
            _refuse_changes(path, record, content)
            shards[path] = record
    return shards


def _refuse_changes(artefact: Path, record: dict[str, Any] | None, content: dict[str, Any]) -> None:
    changes = changed_keys(record["content"], content) if record else []
    if changes:
        raise RefusedError(
            f"{artefact.name} was built with other settings ({'; '.join(changes)}): "
            "restore them, name another --output-dir, or give --fresh to start anew"
        )


def _check_disk(layout: OutputLayout, new: list[PlannedPatient], settings: Settings) -> None:
    """Refuse before work what the disk cannot hold: signals compress to about a third, and shards lie beside them."""
    limit = settings.max_segments_per_patient
    n_windows = sum(p.n_candidates if limit is None else min(limit, p.n_candidates) for p in new)
    needed = 2 * 0.45 * n_windows * len(settings.channels) * settings.n_samples * 2
    layout.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(layout.root).free
    if needed > free:
        raise RunError(
            f"{layout.root}: needs about {readable_bytes(needed)}, {readable_bytes(free)} are free; "
            "free some, or lower --max-patients or max_segments_per_patient"
        )


def _attrition(plan: BuildPlan, total: Tally) -> Counter[str]:
    counts = total.counts.copy()
    for key, n in plan.attrition.items():
        counts[key] = n + (counts[key] if key.startswith("record:") else 0)
    counts["patients_kept"] = sum(1 for n in total.subjects.values() if n)
    counts["patients_built"] = len(total.subjects)
    accounted = counts["patients_kept"] + counts["patients_quarantined"]
    counts["patients_too_few_windows"] = counts["patients_built"] - accounted
    return counts


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    kept = sum(1 for n in record["subjects"].values() if n)
    return {"n_patients": kept, "n_segments": record["rows"], "counts": record["counts"]}
