"""Files that are whole or absent: temporary name, sync, rename; the completion record comes last."""

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecgppg.config.schema import SCHEMA_VERSION, completion_path

UNFINISHED = re.compile(r"\..+\.tmp")
"""Names of files that `atomic_path` has not renamed: being written, or left by a process that was killed."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it into place only if the block succeeds.

    Parameters
    ----------
    path : Path
        The final name. Its folder is made.

    Yields
    ------
    Path
        Where to write. Synced to disk before the rename; removed if the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two machines that share a folder may have processes of the same number.
    temporary = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes had half written in a folder and below it; nobody may be writing there now."""
    for path in folder.rglob(".*.tmp"):
        if UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, two spaces of indent; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; None where it is absent or not JSON, or nested deeper than anything of ours."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def crc32_file(path: Path) -> str:
    """CRC-32 of a file's bytes, hexadecimal: finds damage, at the speed of the disk.

    What a dataset holds has a SHA-256 of its own, the content hash; one over the compressed bytes beside it would cost
    a build as much as compressing them.
    """
    from isal import isal_zlib

    checksum = 0
    with open(path, "rb") as f:
        while block := f.read(2**18):
            checksum = isal_zlib.crc32(block, checksum)
    return f"{checksum:08x}"


def config_hash(content: dict[str, Any]) -> str:
    """Short hash of a dict of content settings, stable across runs and key order."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def write_completion(artefact: Path, content: dict[str, Any], rows: int, **extra: Any) -> None:
    """Write the completion record of an artefact, after the artefact itself.

    Parameters
    ----------
    artefact : Path
        The finished file.
    content : dict
        Content settings (and hashes of inputs) it was made from, kept whole so that a change can be named.
    rows : int
        Rows the artefact holds.
    **extra
        Anything else worth keeping: counts, seconds.
    """
    record = {
        "artefact": artefact.name,
        "schema_version": SCHEMA_VERSION,
        "config_hash": config_hash(content),
        "content": content,
        "rows": rows,
        "bytes": artefact.stat().st_size,
        "crc32": crc32_file(artefact),
        **extra,
    }
    write_json(completion_path(artefact), record | {"seal": _seal(record)})


def read_completion(artefact: Path, verify: bool = False) -> dict[str, Any] | None:
    """The completion record of an artefact, or None if it does not count.

    A record that is not as it was written, cut off or changed by hand, does not count: what is read from one that
    does has every key that was put in.

    Parameters
    ----------
    artefact : Path
        The file the record speaks of.
    verify : bool
        Recompute the checksum too; without it only size and schema version are compared.
    """
    return _record_of(artefact, completion_path(artefact), verify)


def publish(artefact: Path, target: Path, verify: bool = False) -> bool:
    """Move a finished artefact to its place, then its completion record; called again, it finishes what was cut off.

    Parameters
    ----------
    artefact : Path
        Where it was made and its record written. The file itself may have been moved already.
    target : Path
        Its place, on the same file system; what lies there is replaced.
    verify : bool
        Recompute the checksum first: of files that this process has not written itself.

    Returns
    -------
    bool
        Whether it now lies in its place. False where no record counts, neither for the one file nor for the other.
    """
    record = completion_path(artefact)
    if _record_of(artefact, record, verify) is not None:
        os.replace(artefact, target)
        sync_folder(target.parent)
    elif _record_of(target, record, verify) is None:
        return False
    os.replace(record, completion_path(target))
    sync_folder(target.parent)
    return True


def _record_of(artefact: Path, record_path: Path, verify: bool) -> dict[str, Any] | None:
    record = read_json(record_path)
    if not isinstance(record, dict) or not artefact.is_file():
        return None
    if record.pop("seal", None) != _seal(record):
        return None
    if record["schema_version"] != SCHEMA_VERSION or record["bytes"] != artefact.stat().st_size:
        return None
    if verify and record["crc32"] != crc32_file(artefact):
        return None
    return record


def _seal(record: dict[str, Any]) -> str:
    """What tells a record as it was written from one that was changed since."""
    # The record as it reads back: JSON has no tuples and no numbers as keys.
    return config_hash(json.loads(json.dumps(record)))


def changed_keys(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Keys whose values differ between two dicts of content settings, as 'key: old -> new' lines."""
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return [f"{key}: {json.dumps(old.get(key))} -> {json.dumps(new.get(key))}" for key in keys]
