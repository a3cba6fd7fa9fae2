"""How segments lie in an HDF5 file: what `writer` makes, `reader` reads and `audit` expects.

`/signals` int16 (N, C, T), one segment a chunk, shuffle + gzip; `/scale` float32 (N, C); `/segments/<column>` with N
rows, strings as fixed-length UTF-8, categories as uint8 with their names in the attribute `categories`. Parts and
shards also carry `/digests`, the SHA-256 of each segment's codes, so that a merge need not decode.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py

from ecgppg.config.errors import RunError
from ecgppg.config.schema import SCHEMA_VERSION
from ecgppg.core.files import atomic_path

ROWS_PER_BLOCK = 65536
DIGEST_BYTES = 32
HASH_ATTRIBUTES = ("content_hash", "labels_hash", "schema_version")
ATTRIBUTES = ("channel_names", "units", "sampling_rate_hz", "config_hash")
"""Root attributes a caller must give; how the signals were filtered comes on top."""


@contextmanager
def new_file(path: Path, attributes: Mapping[str, Any], shape_CT: tuple[int, int]) -> Iterator[h5py.File]:
    """A dataset file that appears under its name only when the block succeeds.

    HDF5 1.10's format is used: its chunk index finds a chunk in one step and stays small with millions of them.

    Parameters
    ----------
    path : Path
        The final name.
    attributes : dict
        Root attributes, `ATTRIBUTES` at least; hashes are set by whoever fills the file.
    shape_CT : (int, int)
        Channels and samples of a segment.

    Raises
    ------
    RunError
        If an attribute is absent or contradicts the shape.
    """
    absent = [name for name in ATTRIBUTES if name not in attributes]
    if absent:
        raise RunError(f"{path.name}: root attribute {absent[0]} is absent")
    if len(attributes["channel_names"]) != shape_CT[0]:
        raise RunError(f"{path.name}: {len(attributes['channel_names'])} channel names for {shape_CT[0]} channels")
    # Chunks are written once and whole: a cache of them, a megabyte for each of a hundred columns, would serve nobody.
    options = {"libver": ("v110", "v110"), "rdcc_nbytes": 0}
    with atomic_path(path) as temporary:
        file = h5py.File(temporary, "w", **options)
        try:
            file.attrs["schema_version"] = SCHEMA_VERSION
            for name, value in attributes.items():
                if name not in HASH_ATTRIBUTES:
                    file.attrs[name] = value
            yield file
        except BaseException:
            # On a full disk a file cannot be closed either, and what HDF5 says then hides the cause.
            with suppress(OSError, RuntimeError):
                file.close()
            raise
        file.close()


def create_signals(file: h5py.File, n_rows: int, shape_CT: tuple[int, int]) -> h5py.Dataset:
    """`/signals`, empty, to be filled chunk by chunk."""
    c, t = shape_CT
    return file.create_dataset(
        "signals", (n_rows, c, t), "<i2", chunks=(1, c, t), maxshape=(max(n_rows, 1), c, t),
        shuffle=True, compression="gzip", compression_opts=4,
    )  # fmt: skip


def is_direct(signals: h5py.Dataset) -> bool:
    """Whether `/signals` is one segment a chunk behind shuffle + gzip, so that chunks can be handled as bytes."""
    plist = signals.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    return signals.chunks == (1, *signals.shape[1:]) and filters == [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE]


def blocks(n_rows: int, size: int) -> Iterator[slice]:
    """Slices that cover `n_rows`, `size` rows each."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))
