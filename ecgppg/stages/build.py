"""The build: patients -> parts -> a shard of every chunk but the last -> full_dataset.h5, each whole or absent."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import publish, read_completion, write_completion
from ecgppg.core.lock import only_one
from ecgppg.core.runlog import readable_bytes, readable_seconds
from ecgppg.stages.card import write_card
from ecgppg.stages.finished import (
    finished_dataset,
    finished_shards,
    merged_dataset,
    next_index,
    remove_parts_of,
    tables_whole,
    tidy,
)
from ecgppg.stages.join import ClinicJoin, Joined, linkage_counts
from ecgppg.stages.parts import dataset_attributes
from ecgppg.stages.plan import BuildPlan, plan_build
from ecgppg.stages.room import check_room_for_merge, check_room_for_work
from ecgppg.stages.segment_tables import write_tables
from ecgppg.stages.shards import build_patients, refuse_missing_rows
from ecgppg.stages.tally import Tally, attrition
from ecgppg.stages.times import BuildTimes
from ecgppg.store.merge import write_merged
from ecgppg.store.merged_rows import MergedRows
from ecgppg.store.metadata import import_ahead
from ecgppg.store.segments import Values

log = logging.getLogger("ecgppg.build")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Build the dataset, or what is new in it since the last time.

    Killed at any moment and called again, it goes on from what is finished. A part, a shard or the dataset is
    finished when its completion record is written; the dataset is merged and recorded within `build/` and takes its
    place by renames, so that a dataset that was there before is never without its record for longer than that.

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

    Raises
    ------
    RefusedError
        Content settings differ from those of what lies there, or another build is at work there.
    RunError
        The disk has not the room.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with only_one(layout.root, "build"):
        return _build(settings, layout)


def _build(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    times = BuildTimes()
    content = settings.content("build")
    tidy(layout)
    record = finished_dataset(layout, content)
    with times.step("plan"):
        plan = plan_build(settings)
    total = Tally.of(record) if record else Tally()
    shards = finished_shards(layout, content, built=total)
    for tally in shards.values():
        total.add(tally)
    remove_parts_of(layout, total)
    _warn_of_another_tree(plan, total, settings)
    new = total.not_in(plan.patients)
    check_room_for_work(layout, new, shards, settings)
    if record and not new and not shards:
        log.info("dataset: all %d planned patients are built already", len(plan.patients))
        record = _complete_tables(record, plan, total, settings, layout, times)
    else:
        log.info(
            "dataset: %d patients to build, %s candidate windows, %s of signals",
            len(new), f"{sum(p.n_candidates for p in new):,}", readable_bytes(sum(p.n_bytes for p in new)),
        )  # fmt: skip
        built, tally = build_patients(new, settings, layout, next_index(shards), times)
        total.add(tally)
        sources = ([layout.dataset] if record else []) + sorted(shards) + sorted(built)
        record = _merge(sources, plan, total, settings, layout, times)
    shutil.rmtree(layout.build, ignore_errors=True)
    _say_end(record, plan, layout, times)
    return _summary(record)


def _warn_of_another_tree(plan: BuildPlan, total: Tally, settings: Settings) -> None:
    """A folder given by mistake would add its patients to those of another, and one patient twice by two names."""
    found = {str(patient.subject_id) for patient in plan.found}
    absent = len(total.subjects.keys() - found)
    if absent and settings.patients_file is None:
        log.warning(
            "%d patients built before are not below %s and stay in the dataset: if that is another collection, or a "
            "part of the same one, name another --output-dir", absent, settings.waveforms_dir,
        )  # fmt: skip


def _merge(
    sources: list[Path], plan: BuildPlan, total: Tally, settings: Settings, layout: OutputLayout, times: BuildTimes
) -> dict[str, Any]:
    """Merge the sources into the dataset with the clinic's columns, put it in its place, write the tables beside it."""
    check_room_for_merge(layout.root, sources, f"merging {len(sources)} files into {layout.dataset.name}", total.n_rows)
    path = merged_dataset(layout)
    with times.step("final merge"), _meanwhile(import_ahead):
        with _rows_of(sources, settings) as merged:
            refuse_missing_rows(layout, len(merged), total)
            join = _Join(merged, plan, settings, times)
            write_merged(merged, path, dataset_attributes(settings), join.columns)
        joined = join.finish()
        counts = attrition(plan, total) + linkage_counts(joined.linkage)
        write_completion(
            path, settings.content("build"), total.n_rows, counts=dict(counts), **total.as_record(),
            seconds=round(times.total_s, 1), labels=joined.provenance,
        )  # fmt: skip
        publish(path, layout.dataset)
    # Handing room back takes seconds of the disk's.
    unneeded = (layout.parts, layout.shards)
    with _meanwhile(*(partial(shutil.rmtree, folder, ignore_errors=True) for folder in unneeded)):
        return _write_tables(joined, settings, layout, times)


@contextmanager
def _meanwhile(*tasks: Callable[[], None]) -> Iterator[None]:
    """Do some tasks beside the block, each in a thread."""
    threads = [Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


def _complete_tables(
    record: dict[str, Any], plan: BuildPlan, total: Tally, settings: Settings, layout: OutputLayout, times: BuildTimes
) -> dict[str, Any]:
    """Write the tables of a finished dataset, where a run ended before it had; signals are not copied for that."""
    if tables_whole(layout, record):
        if layout.build.exists() or not layout.card_markdown.exists() or read_completion(layout.card_json) is None:
            write_card(settings, layout)
        return record
    with _rows_of([layout.dataset], settings) as merged:
        join = _Join(merged, plan, settings, times)
        for block in merged.blocks():
            join.columns(merged.columns(block))
        joined = join.finish()
    if json.loads(json.dumps(joined.provenance)) != record["labels"]:
        log.info("dataset: what the clinical tables say has changed since; its labels are written anew")
        return _merge([layout.dataset], plan, total, settings, layout, times)
    return _write_tables(joined, settings, layout, times)


def _rows_of(sources: list[Path], settings: Settings) -> MergedRows:
    return MergedRows(sources, (len(settings.channels), settings.n_samples), audited=True)


class _Join:
    """A join with the clinic whose time is counted, wherever it is called from."""

    def __init__(self, merged: MergedRows, plan: BuildPlan, settings: Settings, times: BuildTimes) -> None:
        self._times = times
        with times.step("join"):
            subject_ids = [run.subject_id for run in merged.runs]
            self._join = ClinicJoin(list(plan.found), merged.n_of_record, subject_ids, settings)

    def columns(self, segments: dict[str, np.ndarray]) -> dict[str, Values]:
        with self._times.step("join"):
            return self._join.columns(segments)

    def finish(self) -> Joined:
        with self._times.step("join"):
            return self._join.finish()


def _write_tables(joined: Joined, settings: Settings, layout: OutputLayout, times: BuildTimes) -> dict[str, Any]:
    with times.step("tables"):
        write_tables(joined, layout)
        write_card(settings, layout)
    record = read_completion(layout.dataset)
    assert record is not None
    return record


def _say_end(record: dict[str, Any], plan: BuildPlan, layout: OutputLayout, times: BuildTimes) -> None:
    if record["rows"] == 0:
        log.warning("NOTHING WAS KEPT: no window of %d patients passed; see the attrition table in %s",
                    len(plan.patients), layout.card_markdown)  # fmt: skip
    for line in times.lines():
        log.info("%s", line)
    log.info("dataset: %s segments in %s", f"{record['rows']:,}", readable_seconds(times.total_s))


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    kept = sum(1 for n in record["subjects"].values() if n)
    return {"n_patients": kept, "n_segments": record["rows"], "counts": record["counts"]}
