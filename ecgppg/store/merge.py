"""Merge dataset files without decoding: each chunk is copied as it lies, in the order of the whole."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.store.audit import first_line
from ecgppg.store.codec import decode_segment
from ecgppg.store.columns import ColumnWriter, fixed_text
from ecgppg.store.content_hash import CONTENT_COLUMNS, ContentHash, labels_hash, segment_digests
from ecgppg.store.indexed_signals import IndexedSignals
from ecgppg.store.layout import DIGEST_BYTES, new_file
from ecgppg.store.merged_rows import MergedRows, Run
from ecgppg.store.open_source import OpenSource
from ecgppg.store.segments import Values, as_column

Clinic = Callable[[dict[str, np.ndarray]], Mapping[str, Values]]
"""Admission and label columns of a block of whole patients, from the waveform's columns of it."""


def merge_segments(
    sources: Sequence[Path],
    path: Path,
    attributes: Mapping[str, Any],
    clinic: Clinic | None = None,
    keep_digests: bool = False,
    audited: bool = False,
) -> int:
    """Merge dataset files into one, ordered by (subject_id, record, start_sample) over all of them.

    Parameters
    ----------
    sources : sequence of Path
        No patient is in two of them; none at all makes an empty dataset. Their admission and label columns go.
    path : Path
        The merged file; it appears whole or not at all.
    attributes : dict
        Root attributes of the merged file.
    clinic, keep_digests
        As for `write_merged`.
    audited : bool
        As for `MergedRows`.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    RunError
        If a patient is in two sources or a segment_id in two rows, or files do not fit each other or the attributes.
    """
    n_samples = round(float(attributes["sampling_rate_hz"]) * float(attributes.get("segment_seconds", 0)))
    with MergedRows(sources, (len(attributes["channel_names"]), n_samples), audited) as merged:
        write_merged(merged, path, attributes, clinic, keep_digests)
        return len(merged)


def write_merged(
    merged: MergedRows,
    path: Path,
    attributes: Mapping[str, Any],
    clinic: Clinic | None = None,
    keep_digests: bool = False,
) -> None:
    """Write merged rows as a dataset file, block by block; no more than a block is in memory.

    Parameters
    ----------
    merged : MergedRows
        Open.
    path, attributes
        As for `merge_segments`.
    clinic : callable, optional
        Called for every block in order; gives the columns that come beside the waveform's, the same for every block.
    keep_digests : bool
        Keep `/digests`, so that a further merge need not decode: for shards, not for the product.
    """
    with new_file(path, attributes, merged.shape_CT) as file:
        writer = _MergedWriter(file, merged, keep_digests)
        with closing(writer.signals):
            for block in merged.blocks():
                columns = merged.columns(block)
                writer.add_columns(columns, clinic(columns) if clinic else {})
                for run in block:
                    writer.add_signals(merged, run)
            writer.finish()


class _MergedWriter:
    """The merged file, while it grows."""

    def __init__(self, file: h5py.File, merged: MergedRows, keep_digests: bool) -> None:
        n_rows, shape_CT, n_bytes = len(merged), merged.shape_CT, merged.n_signal_bytes
        self._file, self._n_rows, self._shape_CT = file, n_rows, shape_CT
        self._group = file.create_group("segments")
        self.signals = IndexedSignals(file, shape_CT, n_rows, n_bytes)
        self._scale = file.create_dataset("scale", (n_rows, shape_CT[0]), "<f4")
        self._digests = file.create_dataset("digests", (n_rows, DIGEST_BYTES), "u1") if keep_digests else None
        self._columns: dict[str, ColumnWriter] = {}
        self._content = ContentHash()
        self._at = 0

    def add_columns(self, waveform: Mapping[str, Values], clinic: Mapping[str, Values]) -> None:
        """Columns of the next block of rows."""
        clash = sorted(CONTENT_COLUMNS & set(clinic))
        if clash:
            raise RunError(f"merge: {clash[0]} comes from the waveform and is not replaced")
        n = len(waveform["segment_id"])
        for name, values in {**waveform, **clinic}.items():
            column = fixed_text(as_column(name, values, n, self._shape_CT[0]))
            if name not in self._columns:
                self._columns[name] = ColumnWriter(self._group, name, self._n_rows, column)
            self._columns[name].add(column)

    def add_signals(self, merged: MergedRows, run: Run) -> None:
        """Chunks, steps and digests of the next patient."""
        source = merged.source(run.source)
        self._scale[self._at : self._at + run.n] = source.dataset("scale")[run.rows]
        try:
            self.signals.add(source, run)
            digests = source.dataset("digests")[run.rows] if "digests" in source.file else self._decoded(source, run)
        except (OSError, RuntimeError, ValueError) as error:
            raise RunError(f"merge: {source.path}: patient {run.subject_id}: {first_line(error)}") from None
        self._content.add_digests(digests)
        if self._digests is not None:
            self._digests[self._at : self._at + run.n] = digests
        self._at += run.n

    def _decoded(self, source: OpenSource, run: Run) -> np.ndarray:
        """Digests of a file that keeps none: it was finished long ago, and damage since then is found."""
        digests = np.empty((run.n, DIGEST_BYTES), np.uint8)
        read = source.dataset("signals").id.read_direct_chunk
        for i in range(run.n):
            _, chunk = read((run.first + i, 0, 0))
            digests[i] = segment_digests(decode_segment(chunk, *self._shape_CT)[None])[0]
        return digests

    def finish(self) -> None:
        """Write what is left of the columns, and the hashes; closes the file."""
        for column in self._columns.values():
            column.finish()
        self._file.attrs["content_hash"] = self._content.finish(self._file)
        self._file.attrs["labels_hash"] = labels_hash(self._file)
        self.signals.finish()
