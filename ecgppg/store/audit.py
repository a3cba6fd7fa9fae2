"""Look at a dataset file from elsewhere before trusting it.

HDF5 lets a file point at other files (soft and external links, external storage, virtual datasets) and declare sizes
it does not hold. A crafted file can so read any file on the machine or fill its memory: such a file is refused.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.config.schema import SCHEMA_VERSION, SEGMENT_COLUMNS
from ecgppg.store.layout import ATTRIBUTES, DIGEST_BYTES
from ecgppg.store.segments import KNOWN_COLUMNS

MAX_INFLATION = 1032
"""Deflate's own limit: one byte makes at most this many."""
MAX_ATTRIBUTE_VALUES = 65536
MAX_CHUNK_BYTES = 2**26
MAX_SEGMENT_BYTES = 2**22
MAX_COLUMNS_BYTES, MAX_COLUMNS_SHARE = 2**26, 16
"""Columns are read whole: together no more than this, or this many times the file, whatever they are packed to."""
ALLOWED_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32}
PLAIN_TYPES = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING}


def audit_file(file: h5py.File, path: Path) -> None:
    """Refuse a file that is not a dataset, points outside itself, or declares more than it holds.

    Parameters
    ----------
    file : h5py.File
        Open for reading; nothing of its contents has been touched.
    path : Path
        For the message and the size on disk.

    Raises
    ------
    InputError
        One line with the object and the reason.
    """

    def refuse(name: str, reason: str) -> InputError:
        return InputError(f"{path}: refused: {name}: {reason}")

    size = path.stat().st_size
    try:
        if file.id.get_create_plist().get_userblock():
            raise refuse("/", "has a user block")
        _check_links(file, "", refuse)
        for name in ("signals", "scale", "segments"):
            if name not in file:
                raise refuse(f"/{name}", "is absent")
        segments = _typed(file, "segments", h5py.h5g.GroupID, refuse)
        columns = h5py.Group(segments)
        _check_links(columns, "segments/", refuse)
        names = ["signals", "scale", *(["digests"] if "digests" in file else []), *(f"segments/{n}" for n in columns)]
        datasets = {}
        for name in names:
            opened = _typed(file, name, h5py.h5d.DatasetID, refuse)
            _check_dataset(opened, name, size, refuse)
            _check_attributes(opened, f"/{name}", refuse)
            datasets[name] = h5py.Dataset(opened)
        _check_shapes(datasets, refuse)
        _check_memory(datasets, size, refuse)
        _check_attributes(file.id, "/", refuse)
        _check_root(file, datasets["signals"].shape, refuse)
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise InputError(f"{path}: refused: damaged HDF5 ({first_line(error)})") from None


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its name where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]


Refuse = Callable[[str, str], InputError]


def _check_links(group: h5py.Group, prefix: str, refuse: Refuse) -> None:
    for name in group.id:
        link = group.id.links.get_info(name)
        if link.type != h5py.h5l.TYPE_HARD:
            raise refuse(f"/{prefix}{name.decode('utf-8', 'replace')}", "is a link to elsewhere")


def _typed(file: h5py.File, name: str, kind: type, refuse: Refuse) -> Any:
    found = h5py.h5o.open(file.id, name.encode())
    if not isinstance(found, kind):
        raise refuse(f"/{name}", f"is not a {'group' if kind is h5py.h5g.GroupID else 'dataset'}")
    return found


def _check_dataset(dataset: h5py.h5d.DatasetID, name: str, file_bytes: int, refuse: Refuse) -> None:
    plist, dtype = dataset.get_create_plist(), dataset.get_type()
    layout = plist.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        raise refuse(f"/{name}", "is a virtual dataset")
    if plist.get_external_count():
        raise refuse(f"/{name}", "stores its values in another file")
    if dtype.get_class() not in PLAIN_TYPES or (isinstance(dtype, h5py.h5t.TypeStringID) and dtype.is_variable_str()):
        raise refuse(f"/{name}", "holds objects, neither numbers nor fixed-length strings")
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if not set(filters) <= ALLOWED_FILTERS or len(set(filters)) != len(filters):
        raise refuse(f"/{name}", "is packed by a filter other than shuffle, gzip and fletcher32")
    if dataset.get_space().get_simple_extent_type() != h5py.h5s.SIMPLE:
        raise refuse(f"/{name}", "has no rows")
    declared, stored = dtype.get_size(), dataset.get_storage_size()
    for length in dataset.shape:
        declared *= length
    held = stored * (MAX_INFLATION if h5py.h5z.FILTER_DEFLATE in filters else 1)
    if stored > file_bytes or declared > held:
        raise refuse(f"/{name}", f"declares {declared} bytes and the file cannot hold them")
    if layout == h5py.h5d.CHUNKED:
        _check_chunks(dataset, plist.get_chunk(), name, file_bytes, refuse)
    elif layout == h5py.h5d.CONTIGUOUS and declared:
        offset = dataset.get_offset()
        if offset is None or offset + stored > file_bytes:
            raise refuse(f"/{name}", "lies beyond the end of the file")


def _check_chunks(
    dataset: h5py.h5d.DatasetID, chunk: tuple[int, ...], name: str, file_bytes: int, refuse: Refuse
) -> None:
    expected, chunk_bytes = 1, dataset.get_type().get_size()
    for length, edge in zip(dataset.shape, chunk, strict=True):
        expected *= -(-length // edge)
        chunk_bytes *= edge
    allocated, beyond, total, crammed = 0, 0, 0, 0

    def visit(info: Any) -> None:
        nonlocal allocated, beyond, total, crammed
        allocated += 1
        total += info.size
        beyond += info.byte_offset + info.size > file_bytes
        crammed += chunk_bytes > info.size * MAX_INFLATION

    dataset.chunk_iter(visit)
    if allocated != expected:
        raise refuse(f"/{name}", f"declares {expected} chunks and holds {allocated}")
    if beyond:
        raise refuse(f"/{name}", "lies beyond the end of the file")
    if crammed or total > file_bytes:
        raise refuse(f"/{name}", "declares chunks larger than the file can hold")
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise refuse(f"/{name}", f"has chunks of {chunk_bytes} bytes")


def _check_shapes(datasets: dict[str, h5py.Dataset], refuse: Refuse) -> None:
    signals, scale = datasets["signals"], datasets["scale"]
    if signals.ndim != 3 or signals.dtype != "<i2":
        raise refuse("/signals", f"is {signals.dtype} of rank {signals.ndim}, not int16 (segments, channels, samples)")
    n, c, _ = signals.shape
    if scale.shape != (n, c) or scale.dtype != "<f4":
        raise refuse("/scale", f"is {scale.dtype} {scale.shape}, not float32 {(n, c)}")
    digests = datasets.get("digests")
    if digests is not None and (digests.shape != (n, DIGEST_BYTES) or digests.dtype != "u1"):
        raise refuse("/digests", f"is not uint8 {(n, DIGEST_BYTES)}")
    for column in SEGMENT_COLUMNS:
        if f"segments/{column.name}" not in datasets and not column.later:
            raise refuse(f"/segments/{column.name}", "is absent")
    for path, dataset in datasets.items():
        group, _, name = path.rpartition("/")
        if not group:
            continue
        known = KNOWN_COLUMNS.get(name)
        shape = (n, c) if known and known.per_channel else (n,)
        if dataset.shape != shape:
            raise refuse(f"/{path}", f"has shape {dataset.shape}, not {shape}")
        dtype = dataset.dtype
        if known and (dtype.kind != "S" if known.dtype == "str" else dtype != known.dtype):
            raise refuse(f"/{path}", f"is {dtype}, not {known.dtype}")


def _check_memory(datasets: dict[str, h5py.Dataset], file_bytes: int, refuse: Refuse) -> None:
    """What is read in one go: a segment, and all columns. Deflate alone would let a small file fill the memory."""
    _, c, t = datasets["signals"].shape
    if 2 * c * t > MAX_SEGMENT_BYTES:
        raise refuse("/signals", f"has segments of {2 * c * t} bytes")
    whole = sum(d.size * d.dtype.itemsize for name, d in datasets.items() if name != "signals")
    if whole > MAX_COLUMNS_BYTES + MAX_COLUMNS_SHARE * file_bytes:
        raise refuse("/segments", f"columns unpack to {whole} bytes, the file has {file_bytes}")


def _check_attributes(thing: h5py.h5g.GroupID | h5py.h5d.DatasetID, name: str, refuse: Refuse) -> None:
    for index in range(h5py.h5a.get_num_attrs(thing)):
        attribute = h5py.h5a.open(thing, index=index)
        shown = attribute.name.decode("utf-8", "replace")
        dtype, n = attribute.get_type(), attribute.get_space().get_simple_extent_npoints()
        if dtype.get_class() not in PLAIN_TYPES:
            raise refuse(name, f"attribute {shown} holds objects")
        if n > MAX_ATTRIBUTE_VALUES or n * dtype.get_size() > MAX_CHUNK_BYTES:
            raise refuse(name, f"attribute {shown} is too large")


def _check_root(file: h5py.File, shape_NCT: tuple[int, int, int], refuse: Refuse) -> None:
    attributes = file.attrs
    for name in ("schema_version", *ATTRIBUTES):
        if name not in attributes:
            raise refuse("/", f"attribute {name} is absent")
    if attributes["schema_version"] != SCHEMA_VERSION:
        raise refuse("/", f"is of schema version {attributes['schema_version']}, this release reads {SCHEMA_VERSION}")
    names, rate = attributes["channel_names"], attributes["sampling_rate_hz"]
    if np.shape(names) != (shape_NCT[1],):
        raise refuse("/", f"attribute channel_names does not name {shape_NCT[1]} channels")
    if not 0 < float(rate) < float("inf"):
        raise refuse("/", f"attribute sampling_rate_hz is {rate}")
