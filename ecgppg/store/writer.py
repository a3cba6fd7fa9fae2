"""Write segments: a part of one patient, or new clinical columns over signals that stay."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from ecgppg.config.errors import RunError
from ecgppg.config.schema import SCHEMA_VERSION
from ecgppg.core.files import atomic_path
from ecgppg.store.codec import encode_segment
from ecgppg.store.content_hash import CONTENT_COLUMNS, ContentHash, labels_hash, segment_digests
from ecgppg.store.layout import create_signals, segment_shape, write_column
from ecgppg.store.reader import open_file
from ecgppg.store.segments import SegmentTable, Values, as_column

HASH_ATTRIBUTES = ("content_hash", "labels_hash", "schema_version")


@contextmanager
def new_file(path: Path, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    """A dataset file that appears under its name only when the block succeeds.

    HDF5 1.10's format is used: its chunk index finds a chunk in one step and stays small with millions of them.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver=("v110", "v110")) as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        for name, value in attributes.items():
            if name not in HASH_ATTRIBUTES:
                file.attrs[name] = value
        yield file


def write_segments(path: Path, table: SegmentTable, attributes: Mapping[str, Any]) -> None:
    """Write one table as a dataset file of its own, sorted, with the digest of each segment.

    Parameters
    ----------
    path : Path
        The file; it appears whole or not at all.
    table : SegmentTable
        May be empty.
    attributes : dict
        Root attributes: at least `ecgppg.store.layout.ATTRIBUTES`, and how the signals were filtered.

    Raises
    ------
    RunError
        If the table does not have the shape that the attributes promise.
    """
    shape_CT = segment_shape(dict(attributes))
    if table.signals_NCT.shape[1:] != shape_CT:
        raise RunError(f"{path.name}: segments of shape {table.signals_NCT.shape[1:]}, the attributes say {shape_CT}")
    table = table.sorted()
    with new_file(path, attributes) as file:
        signals = create_signals(file, len(table), shape_CT)
        for row, codes_CT in enumerate(table.signals_NCT):
            signals.id.write_direct_chunk((row, 0, 0), encode_segment(codes_CT))
        file["scale"][...] = table.scale_NC
        digests = segment_digests(table.signals_NCT)
        file.create_dataset("digests", data=digests)
        group = file.create_group("segments")
        for name, values in table.columns.items():
            write_column(group, name, values)
        content = ContentHash()
        content.add_digests(digests)
        file.attrs["content_hash"] = content.finish(file)
        file.attrs["labels_hash"] = labels_hash(file)


def replace_columns(path_in: Path, path_out: Path, columns: Mapping[str, Values]) -> None:
    """Copy a dataset with new clinical columns; signals, steps and the waveform's columns are copied as they lie.

    Parameters
    ----------
    path_in, path_out : Path
        May be the same file.
    columns : dict
        All admission and label columns of the new file, in its row order. Those of the old file that are not named
        here are gone: a label that is no longer defined must not linger.

    Raises
    ------
    InputError
        If `path_in` is not a dataset.
    RunError
        If a column belongs to the waveform, or does not fit.
    """
    clash = sorted(CONTENT_COLUMNS & set(columns))
    if clash:
        raise RunError(f"{path_in.name}: {clash[0]} comes from the waveform and is not replaced")
    with open_file(path_in) as source, new_file(path_out, dict(source.attrs)) as file:
        for name in ("signals", "scale"):
            source.copy(name, file)
        group = file.create_group("segments")
        n, c = source["scale"].shape
        for name in source["segments"]:
            if name in CONTENT_COLUMNS:
                source.copy(source["segments"][name], group, name)
        for name, values in columns.items():
            write_column(group, name, as_column(name, values, n, c))
        file.attrs["content_hash"] = source.attrs.get("content_hash", "")
        file.attrs["labels_hash"] = labels_hash(file)
