"""Merge dataset files without decoding: each chunk is copied as it lies, in the order of the whole."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.store.audit import first_line
from ecgppg.store.chunk_places import ChunkPlaces
from ecgppg.store.codec import decode_segment
from ecgppg.store.content_hash import CONTENT_COLUMNS, ContentHash, labels_hash, segment_digests
from ecgppg.store.layout import DIGEST_BYTES, blocks, create_signals, is_direct, new_file, read_column, write_column
from ecgppg.store.reader import open_file
from ecgppg.store.segments import (
    KNOWN_COLUMNS,
    Values,
    as_column,
    concatenate,
    dataset_order,
    empty_column,
    plain,
    take,
)

MAX_OPEN = 64
ROWS_PER_BLOCK = 4096


class MergedRows:
    """Rows of several files in the order of the merged one: for each, which file and which row in it.

    Parameters
    ----------
    sources : sequence of Path
        Dataset files; each is audited once.
    shape_CT : (int, int)
        Channels and samples of a segment, where there are no sources to ask.
    audited : bool
        The sources are our own, finished and recorded: their audit is skipped.

    Raises
    ------
    RunError
        If a segment_id is in more than one row, or the segments differ in shape.
    """

    def __init__(self, sources: Sequence[Path], shape_CT: tuple[int, int] = (0, 0), audited: bool = False) -> None:
        self.sources = list(sources)
        self._open: OrderedDict[int, h5py.File] = OrderedDict()
        self._places: dict[int, ChunkPlaces] = {}
        self._audited: set[int] = set(range(len(self.sources))) if audited else set()
        self.shape_CT = self._common_shape(shape_CT)
        keys = {name: self._gather(name) for name in ("subject_id", "record", "start_sample", "segment_id")}
        _refuse_repeats(keys["segment_id"])
        self._order = dataset_order(keys)
        lengths = [len(self.file(i)["scale"]) for i in range(len(self.sources))]
        first_row = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.source_of = (np.searchsorted(first_row, self._order, side="right") - 1).astype(np.int32)
        self.row_of = self._order - first_row[self.source_of]

    def __len__(self) -> int:
        return len(self._order)

    @property
    def is_one_whole_file(self) -> bool:
        """Whether there is one source that can be copied as it lies: in order, sized to its rows, with its digests.

        One without was finished long ago: it is decoded once, so that damage since then is found.
        """
        if len(self.sources) != 1 or not np.array_equal(self._order, np.arange(len(self))):
            return False
        source = self.file(0)
        signals = source["signals"]
        sized = signals.maxshape[0] == max(len(signals), 1)
        return sized and is_direct(signals) and "digests" in source and bool(source.attrs.get("content_hash"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        while self._open:
            self._open.popitem()[1].close()
        while self._places:
            self._places.popitem()[1].close()

    def file(self, index: int) -> h5py.File:
        """One source, open; the least recently used is closed when too many are."""
        if index not in self._open:
            if len(self._open) >= MAX_OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[index] = open_file(self.sources[index], audited=index in self._audited)
            self._audited.add(index)
        self._open.move_to_end(index)
        return self._open[index]

    def places(self, index: int) -> ChunkPlaces:
        """Where one source keeps its chunks."""
        if index not in self._places:
            if len(self._places) >= MAX_OPEN:
                self._places.pop(next(iter(self._places))).close()
            self._places[index] = ChunkPlaces(self.sources[index], self.file(index)["signals"])
        return self._places[index]

    def column(self, name: str) -> Values:
        """One column of all sources, in merged order."""
        return take(self._gather(name), self._order)

    def _gather(self, name: str) -> Values:
        if not self.sources:
            return empty_column(KNOWN_COLUMNS[name], self.shape_CT[0])
        return concatenate([read_column(self.file(i)["segments"][name]) for i in range(len(self.sources))])

    def column_names(self) -> list[str]:
        """Columns that every source has: the waveform's, and labels that are in all."""
        if not self.sources:
            return [column.name for column in SEGMENT_COLUMNS]
        common = set.intersection(*(set(self.file(i)["segments"]) for i in range(len(self.sources))))
        return sorted(common)

    def _common_shape(self, shape_CT: tuple[int, int]) -> tuple[int, int]:
        shapes = [self.file(i)["signals"].shape[1:] for i in range(len(self.sources))]
        for path, shape in zip(self.sources, shapes, strict=True):
            if shape != shapes[0]:
                raise RunError(f"merge: {path} holds segments of shape {shape}, {self.sources[0]} of {shapes[0]}")
        return shapes[0] if shapes else shape_CT


def _refuse_repeats(segment_id: Values) -> None:
    ordered = np.sort(plain(segment_id))
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if repeated.size:
        raise RunError(f"merge: segment_id {repeated[0]} is in more than one row")


def merged_columns(sources: Sequence[Path], audited: bool = False) -> dict[str, Values]:
    """Every column that all sources share, in the row order that `merge_segments` will write.

    Parameters
    ----------
    sources : sequence of Path
        Dataset files.
    audited : bool
        As for `MergedRows`.

    Raises
    ------
    RunError
        If a segment_id is there twice, or the segments differ in shape.
    """
    with MergedRows(sources, audited=audited) as merged:
        return {name: merged.column(name) for name in merged.column_names()}


def merge_segments(
    sources: Sequence[Path],
    path: Path,
    attributes: Mapping[str, Any],
    extra_columns: Mapping[str, Values] | None = None,
    keep_rows: np.ndarray | None = None,
    keep_digests: bool = False,
    audited: bool = False,
) -> int:
    """Merge dataset files into one, ordered by (subject_id, record, start_sample) over all of them.

    Parameters
    ----------
    sources : sequence of Path
        Their rows may interleave; none at all makes an empty dataset.
    path : Path
        The merged file; it appears whole or not at all.
    attributes : dict
        Root attributes of the merged file.
    extra_columns : dict, optional
        All admission and label columns of the merged file, one value for each row of `merged_columns(sources)`;
        those of the sources go. Where not given, those that every source has stay.
    keep_rows : array of bool, optional
        Which of those rows to write; all where not given.
    keep_digests : bool
        Keep `/digests`, so that a further merge need not decode: for shards, not for the product.
    audited : bool
        As for `MergedRows`.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    RunError
        If a segment_id is there twice, or files do not fit each other or the attributes.
    """
    extra = dict(extra_columns or {})
    clash = sorted(CONTENT_COLUMNS & set(extra))
    if clash:
        raise RunError(f"merge: {clash[0]} comes from the waveform and is not replaced")
    n_samples = round(float(attributes["sampling_rate_hz"]) * float(attributes.get("segment_seconds", 0)))
    with MergedRows(sources, (len(attributes["channel_names"]), n_samples), audited) as merged:
        if keep_rows is not None and len(keep_rows) != len(merged):
            raise RunError(f"merge: {len(keep_rows)} rows are marked, there are {len(merged)}")
        kept = np.arange(len(merged)) if keep_rows is None else np.flatnonzero(np.asarray(keep_rows, bool))
        names = [name for name in merged.column_names() if extra_columns is None or name in CONTENT_COLUMNS]
        with new_file(path, attributes, merged.shape_CT) as file:
            group = file.create_group("segments")
            if len(kept) == len(merged) and merged.is_one_whole_file:
                file.attrs["content_hash"] = _copy_whole(merged.file(0), file, group, names, keep_digests)
            else:
                content = _copy_signals(merged, kept, file, keep_digests)
                for name in names:
                    write_column(group, name, take(merged.column(name), kept))
                file.attrs["content_hash"] = content.finish(file)
            for name, values in extra.items():
                write_column(group, name, take(as_column(name, values, len(merged), merged.shape_CT[0]), kept))
            file.attrs["labels_hash"] = labels_hash(file)
    return len(kept)


def _copy_whole(source: h5py.File, file: h5py.File, group: h5py.Group, names: Sequence[str], keep_digests: bool) -> str:
    """Copy a file that is in order already, chunk by chunk as HDF5 itself does it; its content hash."""
    for name in ("signals", "scale", *(["digests"] if keep_digests else [])):
        source.copy(name, file)
    for name in names:
        source.copy(source["segments"][name], group, name)
    return str(source.attrs["content_hash"])


def _copy_signals(merged: MergedRows, kept: np.ndarray, file: h5py.File, keep_digests: bool) -> ContentHash:
    """Chunks, steps and digests of the kept rows, block by block; the content hash fed with the digests."""
    shape_CT = merged.shape_CT
    signals = create_signals(file, len(kept), shape_CT)
    file.create_dataset("scale", (len(kept), shape_CT[0]), "<f4")
    digests_out = file.create_dataset("digests", (len(kept), DIGEST_BYTES), "u1") if keep_digests else None
    content = ContentHash()
    for rows in blocks(len(kept), ROWS_PER_BLOCK):
        chosen = kept[rows]
        sources, source_rows = merged.source_of[chosen], merged.row_of[chosen]
        scale = np.empty((len(chosen), shape_CT[0]), np.float32)
        digests = np.empty((len(chosen), DIGEST_BYTES), np.uint8)
        for index in np.unique(sources).tolist():
            places = np.flatnonzero(sources == index)
            source = merged.file(index)
            low, high = int(source_rows[places].min()), int(source_rows[places].max()) + 1
            wanted = source_rows[places] - low
            scale[places] = source["scale"][low:high][wanted]
            has_digests = "digests" in source
            if has_digests:
                digests[places] = source["digests"][low:high][wanted]
            chunks = merged.places(index).read(source_rows[places])
            for place, row, chunk in zip(places.tolist(), source_rows[places].tolist(), chunks, strict=True):
                try:
                    signals.id.write_direct_chunk((rows.start + place, 0, 0), chunk)
                    if not has_digests:
                        digests[place] = segment_digests(decode_segment(chunk, *shape_CT)[None])[0]
                except (OSError, RuntimeError, ValueError) as error:
                    raise RunError(f"merge: {merged.sources[index]}: row {row}: {first_line(error)}") from None
        file["scale"][rows] = scale
        content.add_digests(digests)
        if digests_out is not None:
            digests_out[rows] = digests
    return content
