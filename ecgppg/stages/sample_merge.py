"""What comes after the parts, measured on a few: shards, the last merge with its join, the tables."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import write_completion
from ecgppg.stages.join import ClinicJoin
from ecgppg.stages.parts import dataset_attributes
from ecgppg.stages.segment_tables import write_tables
from ecgppg.store.merge import merge_segments, write_merged
from ecgppg.store.merged_rows import MergedRows
from ecgppg.store.reader import open_file

REPEATS = 3


@dataclass(frozen=True)
class Line:
    """A cost that grows evenly: ``fixed + each * n_segments``."""

    fixed: float
    each: float

    def at(self, n_segments: float) -> float:
        """The cost of so many segments."""
        return self.fixed + self.each * n_segments

    @classmethod
    def through(cls, few: tuple[int, float], many: tuple[int, float]) -> "Line":
        """Through two measurements of (segments, cost); costs do not fall."""
        if many[0] <= few[0] or many[1] <= few[1]:
            return cls(min(few[1], many[1]), 0.0)
        each = min((many[1] - few[1]) / (many[0] - few[0]), many[1] / many[0])
        return cls(max(many[1] - each * many[0], 0.0), each)


@dataclass(frozen=True)
class MergeCost:
    """What merging takes.

    Attributes
    ----------
    part_s : float
        Seconds for each part that goes into a shard.
    shard_segment_s : float
        Seconds for each of its segments.
    last_s : Line
        Seconds of the last merge, with the tables.
    other_bytes : Line
        Of the output folder, beside the compressed signals.
    """

    part_s: float
    shard_segment_s: float
    last_s: Line
    other_bytes: Line


def measure_merge(small: Sequence[Path], large: Sequence[Path], folder: Path, settings: Settings) -> MergeCost:
    """Merge small and large parts of the same patients, and write the tables.

    Parameters
    ----------
    small, large : sequence of Path
        As many of the one as of the other.
    folder : Path
        Where to write.
    settings : Settings
        Names the clinical tables; they are read once.

    Returns
    -------
    MergeCost
    """
    unlabelled = settings.model_copy(update={"clinical_dir": None})
    n_segments = [_rows(small), _rows(large)]
    shard_s, last_s, other_bytes = [], [], []
    with _quietly():
        for name, parts in (("small", small), ("large", large)):
            shard, layout = folder / f"{name}.h5", OutputLayout(folder / name)
            shard_s.append(_seconds(partial(_merge_shard, parts, shard, settings)))
            last_s.append(_seconds(partial(_finish, parts, layout, unlabelled)))
            other_bytes.append(sum(path.stat().st_size for path in layout.root.iterdir()) - _signal_bytes(layout))
        last = Line.through(*zip(n_segments, last_s, strict=True))
        if settings.clinical_dir:
            labelled = partial(_finish, large, OutputLayout(folder / "labelled"), settings)
            last = Line(max(_seconds(labelled, 1) - last.each * n_segments[1], 0.0), last.each)
    shard_cost = Line.through(*zip(n_segments, shard_s, strict=True))
    return MergeCost(
        shard_cost.fixed / max(len(small), 1), shard_cost.each, last,
        Line.through(*zip(n_segments, other_bytes, strict=True)),
    )  # fmt: skip


def _merge_shard(parts: Sequence[Path], shard: Path, settings: Settings) -> None:
    n_rows = merge_segments(parts, shard, dataset_attributes(settings), keep_digests=True)
    write_completion(shard, {}, n_rows)


def _finish(parts: Sequence[Path], layout: OutputLayout, settings: Settings) -> None:
    with MergedRows(parts, audited=True) as merged:
        join = ClinicJoin([], merged.n_of_record, [run.subject_id for run in merged.runs], settings)
        write_merged(merged, layout.dataset, dataset_attributes(settings), join.columns)
        n_rows = len(merged)
    write_completion(layout.dataset, {}, n_rows)
    write_tables(join.finish(), layout)


def _seconds(work: Callable[[], None], repeats: int = REPEATS) -> float:
    """The fastest of several times: what is slow only once, an import, is not slow for every segment."""
    times = []
    for _ in range(repeats):
        began_s = time.monotonic()
        work()
        times.append(time.monotonic() - began_s)
    return min(times)


def _signal_bytes(layout: OutputLayout) -> int:
    with open_file(layout.dataset) as file:
        return int(file["signals"].id.get_storage_size())


def _rows(parts: Sequence[Path]) -> int:
    n = 0
    for path in parts:
        with open_file(path) as file:
            n += len(file["scale"])
    return n


@contextmanager
def _quietly() -> Iterator[None]:
    """What a build says of its labels is not said of a sample."""
    log = logging.getLogger("ecgppg.build")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)
