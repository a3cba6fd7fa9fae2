"""Files that belong to an artefact without a completion record of their own: figures, pages, cards, tables beside it.

Their checksums are kept in the artefact's completion record under `FILES`.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ecgppg.core.files import sha256_file

FILES = "files"
"""Key of a completion record: {path relative to the artefact's folder: [bytes, SHA-256]}."""


def side_files(folder: Path, paths: Iterable[Path]) -> dict[str, list[Any]]:
    """What a completion record keeps of the files beside its artefact.

    Parameters
    ----------
    folder : Path
        The artefact's folder.
    paths : iterable of Path
        Files in it or below; those that do not exist are left out.

    Returns
    -------
    dict
        {relative path: [bytes, SHA-256]}
    """
    there = sorted(path for path in set(paths) if path.is_file())
    return {path.relative_to(folder).as_posix(): fingerprint(path) for path in there}


def fingerprint(path: Path) -> list[Any]:
    """[bytes, SHA-256] of a file."""
    return [path.stat().st_size, sha256_file(path)]


def begins_with(path: Path, kept: Any) -> bool:
    """Whether a file that is only ever added to still begins with the bytes of which `fingerprint` gave `kept`."""
    if not isinstance(kept, list) or len(kept) != 2 or not isinstance(kept[0], int):
        return False
    with open(path, "rb") as stream:
        whole = stream.read(max(kept[0], 0))
    return [len(whole), hashlib.sha256(whole).hexdigest()] == kept


def changed_files(folder: Path, recorded: Any) -> list[str]:
    """One line for each recorded file that is absent or not as it was.

    Parameters
    ----------
    folder : Path
        The artefact's folder.
    recorded : object
        What a completion record holds under `FILES`; anything but what `side_files` makes is a line too.
    """
    if recorded is None:
        return []
    if not isinstance(recorded, dict):
        return [f"{folder}: its completion record does not list files"]
    found = []
    for name, kept in recorded.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute() or not isinstance(kept, list) or len(kept) != 2:
            found.append(f"{folder}: its completion record names {name!r}")
        elif not path.is_file():
            found.append(f"{path}: recorded as finished, but absent")
        elif fingerprint(path) != kept:
            found.append(f"{path}: its bytes are not those that were recorded")
    return found
