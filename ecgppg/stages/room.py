"""Room on the disk: asked for before hours of work, and again before each merge."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from ecgppg.config.errors import RunError
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.runlog import readable_bytes
from ecgppg.stages.plan import PlannedPatient

COMPRESSED_SHARE = 0.45
"""Of int16 that a segment takes at the most of usual signals; about a third is common."""
TABLE_BYTES_PER_ROW = 1000
"""Labels in the dataset, and the metadata beside it twice over."""


def check_room_for_work(
    layout: OutputLayout, patients: Iterable[PlannedPatient], shards: Iterable[Path], settings: Settings
) -> None:
    """Refuse work that the disk cannot hold: parts or shards, and the dataset beside them.

    Parameters
    ----------
    layout : OutputLayout
        The output folder.
    patients : iterable of PlannedPatient
        Those that are in no shard yet.
    shards : iterable of Path
        Finished ones.
    settings : Settings
        Limits and shape of the segments.

    Raises
    ------
    RunError
        Says what is needed and what is free.
    """
    limit = settings.max_segments_per_patient
    to_come = there = 0.0
    for patient in patients:
        part = layout.part(patient.subject_id)
        if part.is_file():
            there += part.stat().st_size
        else:
            n_windows = patient.n_candidates if limit is None else min(limit, patient.n_candidates)
            to_come += COMPRESSED_SHARE * n_windows * len(settings.channels) * settings.n_samples * 2
    there += _bytes_of([*shards, layout.dataset])
    needed = to_come + (there + to_come if to_come else 0)
    _refuse(layout.root, needed, "the build", "; or lower --max-patients or max_segments_per_patient")


def check_room_for_merge(folder: Path, sources: Iterable[Path], what: str, n_table_rows: int = 0) -> None:
    """Refuse a merge that the disk cannot hold beside its sources.

    Parameters
    ----------
    folder : Path
        Where the merged file goes.
    sources : iterable of Path
        What is merged; all are there.
    what : str
        The merge, for the message.
    n_table_rows : int
        Rows of the tables that are written with it.

    Raises
    ------
    RunError
        Says what is needed and what is free.
    """
    _refuse(folder, _bytes_of(sources) + n_table_rows * TABLE_BYTES_PER_ROW, what)


def _bytes_of(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())


def _refuse(folder: Path, needed: float, what: str, instead: str = "") -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise RunError(
            f"{folder}: {what} needs about {readable_bytes(needed)}, {readable_bytes(free)} are free; "
            f"free some and give the same command again{instead}"
        )
