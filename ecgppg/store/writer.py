"""Write segments: a part of one patient, or new clinical columns over signals that stay."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ecgppg.config.errors import RunError
from ecgppg.store.codec import encode_segment
from ecgppg.store.content_hash import CONTENT_COLUMNS, ContentHash, labels_hash, segment_digests
from ecgppg.store.layout import create_signals, new_file, write_column
from ecgppg.store.reader import open_file
from ecgppg.store.segments import SegmentTable, Values, as_column


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
    _, c, t = table.signals_NCT.shape
    table = table.sorted()
    with new_file(path, attributes, (c, t)) as file:
        signals = create_signals(file, len(table), (c, t))
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


def replace_columns(path_in: Path, path_out: Path, columns: Mapping[str, Values], drop: Iterable[str] = ()) -> None:
    """Copy a dataset with new clinical columns; signals, steps and the waveform's columns are copied as they lie.

    Parameters
    ----------
    path_in, path_out : Path
        May be the same file.
    columns : dict
        Admission and label columns in the file's row order; new ones are added, others replaced.
    drop : iterable of str
        Admission and label columns that go: a label that is no longer defined must not linger.

    Raises
    ------
    InputError
        If `path_in` is not a dataset.
    RunError
        If a column belongs to the waveform, or does not fit.
    """
    clash = sorted(CONTENT_COLUMNS & {*columns, *drop})
    if clash:
        raise RunError(f"{path_in.name}: {clash[0]} comes from the waveform and is not replaced")
    gone = {*columns, *drop}
    with (
        open_file(path_in) as source,
        new_file(path_out, dict(source.attrs), source["signals"].shape[1:]) as file,
    ):
        for name in ("signals", "scale"):
            source.copy(name, file)
        group = file.create_group("segments")
        n, c = source["scale"].shape
        for name in source["segments"]:
            if name not in gone:
                source.copy(source["segments"][name], group, name)
        for name, values in columns.items():
            write_column(group, name, as_column(name, values, n, c))
        file.attrs["content_hash"] = source.attrs.get("content_hash", "")
        file.attrs["labels_hash"] = labels_hash(file)
