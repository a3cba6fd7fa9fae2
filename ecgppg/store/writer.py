"""Write segments: a part of one patient as its windows come, or new clinical columns over signals that stay."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from ecgppg.config.errors import RunError
from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.store.codec import encode_segments
from ecgppg.store.columns import ColumnWriter, fixed_text, write_column
from ecgppg.store.content_hash import CONTENT_COLUMNS, ContentHash, labels_hash, segment_digests
from ecgppg.store.indexed_signals import IndexedSignals
from ecgppg.store.laid_chunks import LaidChunks
from ecgppg.store.layout import DIGEST_BYTES, new_file
from ecgppg.store.reader import open_file
from ecgppg.store.segments import SegmentTable, Values, as_column, concatenate, dataset_order, empty_column


@dataclass(frozen=True)
class EncodedSegments:
    """Segments ready to be written, a third as large as they were.

    Attributes
    ----------
    chunks : list of bytes
        As `codec.encode_segments` makes them.
    scale_NC, digests : np.ndarray
        Steps, float32, and SHA-256 of the codes, uint8 (N, 32).
    columns : dict
        Every column of the schema.
    """

    chunks: list[bytes]
    scale_NC: np.ndarray
    digests: np.ndarray
    columns: Mapping[str, Values]

    def __len__(self) -> int:
        return len(self.scale_NC)

    @classmethod
    def of(cls, table: SegmentTable) -> Self:
        """A table, encoded."""
        return cls(
            encode_segments(table.signals_NCT), table.scale_NC, segment_digests(table.signals_NCT), table.columns
        )


class SegmentWriter:
    """A dataset file that grows, row after row in the order of every dataset.

    Parameters
    ----------
    file : h5py.File
        New, as `layout.new_file` gives it.
    shape_CT : (int, int)
        Channels and samples of a segment.
    """

    def __init__(self, file: h5py.File, shape_CT: tuple[int, int]) -> None:
        self._file, self._shape_CT = file, shape_CT
        self._laid = LaidChunks(file)
        self._added: list[EncodedSegments] = []
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, segments: EncodedSegments) -> None:
        """Write the next rows; of them only what is small stays in memory."""
        self._laid.add(segments.chunks)
        self._n += len(segments)
        self._added.append(EncodedSegments([], segments.scale_NC, segments.digests, segments.columns))

    def drop_all(self) -> None:
        """Keep none of the rows added so far."""
        self._laid.drop_all()
        self._added, self._n = [], 0

    def finish(self) -> None:
        """Write index, steps, digests, columns and hashes, and close the file, unless that is done.

        Raises
        ------
        RunError
            If the rows came in another order than that of a dataset.
        """
        if not self._file:
            return
        n_channels = self._shape_CT[0]
        none = EncodedSegments(
            [],
            np.empty((0, n_channels), np.float32),
            np.empty((0, DIGEST_BYTES), np.uint8),
            {column.name: empty_column(column, n_channels) for column in SEGMENT_COLUMNS},
        )
        added = self._added or [none]
        columns = {name: concatenate([s.columns[name] for s in added]) for name in added[0].columns}
        if not np.array_equal(dataset_order(columns), np.arange(self._n)):
            raise RunError("segments: rows were added in another order than that of a dataset")
        signals = IndexedSignals(self._file, self._shape_CT, self._n, sum(self._laid.sizes))
        with closing(signals):
            signals.adopt(self._laid)
            self._write_rest(added, columns)
            signals.finish()

    def _write_rest(self, added: Sequence[EncodedSegments], columns: Mapping[str, Values]) -> None:
        self._file.create_dataset("scale", data=np.concatenate([s.scale_NC for s in added]))
        digests = np.concatenate([s.digests for s in added])
        self._file.create_dataset("digests", data=digests)
        group = self._file.create_group("segments")
        for name, values in columns.items():
            write_column(group, name, as_column(name, values, self._n, self._shape_CT[0]))
        content = ContentHash()
        content.add_digests(digests)
        self._file.attrs["content_hash"] = content.finish(self._file)
        self._file.attrs["labels_hash"] = labels_hash(self._file)

    def close(self) -> None:
        """Let go of the file, however it ended."""
        self._laid.close()


@contextmanager
def segment_writer(path: Path, attributes: Mapping[str, Any], shape_CT: tuple[int, int]) -> Iterator[SegmentWriter]:
    """A dataset file to add rows to; it appears whole when the block succeeds, or not at all.

    Parameters
    ----------
    path : Path
        The file.
    attributes : dict
        Root attributes: at least `ecgppg.store.layout.ATTRIBUTES`, and how the signals were filtered.
    shape_CT
        As for `SegmentWriter`.

    Raises
    ------
    RunError
        If an attribute is absent or contradicts the shape.
    """
    with new_file(path, attributes, shape_CT) as file, closing(SegmentWriter(file, shape_CT)) as writer:
        yield writer
        writer.finish()


def write_segments(path: Path, table: SegmentTable, attributes: Mapping[str, Any]) -> None:
    """Write one table as a dataset file of its own, sorted, with the digest of each segment.

    Parameters
    ----------
    path : Path
        The file; it appears whole or not at all.
    table : SegmentTable
        May be empty.
    attributes : dict
        As for `segment_writer`.

    Raises
    ------
    RunError
        If the table does not have the shape that the attributes promise.
    """
    _, c, t = table.signals_NCT.shape
    with segment_writer(path, attributes, (c, t)) as writer:
        writer.add(EncodedSegments.of(table.sorted()))


def replace_columns(
    path_in: Path, path_out: Path, blocks: Iterable[Mapping[str, Values]], drop: Iterable[str] = ()
) -> None:
    """Copy a dataset with new clinical columns; signals, steps and the waveform's columns are copied as they lie.

    Parameters
    ----------
    path_in, path_out : Path
        May be the same file.
    blocks : iterable of dict
        Admission and label columns, block after block of the file's rows, the same columns in every block; new ones
        are added, others replaced.
    drop : iterable of str
        Admission and label columns that go: a label that is no longer defined must not linger.

    Raises
    ------
    InputError
        If `path_in` is not a dataset.
    RunError
        If a column belongs to the waveform, or does not fit.
    """
    with (
        open_file(path_in) as source,
        new_file(path_out, dict(source.attrs), source["signals"].shape[1:]) as file,
    ):
        for name in ("signals", "scale"):
            source.copy(name, file)
        group = file.create_group("segments")
        n_rows, n_channels = source["scale"].shape
        written: dict[str, ColumnWriter] = {}
        for block in blocks:
            _refuse_waveform_columns(path_in, {*block, *drop})
            for name, values in block.items():
                column = fixed_text(as_column(name, values, len(values), n_channels))
                if name not in written:
                    written[name] = ColumnWriter(group, name, n_rows, column)
                written[name].add(column)
        for writer in written.values():
            writer.finish()
        for name in source["segments"]:
            if name not in {*written, *drop}:
                source.copy(source["segments"][name], group, name)
        file.attrs["content_hash"] = source.attrs.get("content_hash", "")
        file.attrs["labels_hash"] = labels_hash(file)


def _refuse_waveform_columns(path: Path, names: set[str]) -> None:
    clash = sorted(CONTENT_COLUMNS & names)
    if clash:
        raise RunError(f"{path.name}: {clash[0]} comes from the waveform and is not replaced")
