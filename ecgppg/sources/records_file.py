"""What PhysioNet's lists say: RECORDS files, and the segments that a master header names."""

import logging
import posixpath
from pathlib import Path

log = logging.getLogger("ecgppg.sources")

LISTINGS = ("RECORDS-waveforms", "RECORDS-waveform", "RECORDS")
"""Names of a list of records, the most specific first."""

LONGEST_NAME, LONGEST_PATH = 250, 2000
"""Bytes of one name and characters of an entry; no file system holds longer ones below any folder."""


def listing_of(folder: Path) -> Path | None:
    """The list of records that lies in a folder, if any."""
    return next((folder / name for name in LISTINGS if (folder / name).is_file()), None)


def read_listing(path: Path) -> list[str]:
    """Entries of a list of records in their order, each once; blank lines and comments (#) left out."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    entries = (line.strip() for line in lines)
    return list(dict.fromkeys(entry for entry in entries if entry and not entry.startswith("#")))


def path_inside(folder: str, entry: str) -> str | None:
    """An entry's path below the waveform folder, or None if it would leave the folder that lists it or can be no path.

    Parameters
    ----------
    folder : str
        Folder of the list, below the waveform folder ("" is that folder itself).
    entry : str
        As the list has it; a trailing ".hea" is dropped.
    """
    names = entry.replace("\\", "/").split("/")
    if entry.startswith(("/", "\\")) or "\0" in entry or ".." in names:
        return None
    if len(entry) > LONGEST_PATH or any(len(name.encode()) > LONGEST_NAME for name in names):
        return None
    path = posixpath.normpath(posixpath.join(folder, entry.removesuffix(".hea")))
    return "" if path == "." else path


def tell_refused(listing: Path, entries: list[str]) -> None:
    """One line on what a list names and nobody follows; the entry quoted, since it may be anything."""
    if entries:
        log.warning("%s: %d entries that leave the folder or can be no path are refused, the first %.80r",
                    listing, len(entries), entries[0])  # fmt: skip


def segment_names(header: Path) -> frozenset[str]:
    """Names of the segments of a multi-segment record; empty for any other header or one that cannot be read.

    A master's record line reads ``name/n_segments ...`` and each line below names a segment and its length; ``~`` is
    a gap.
    """
    try:
        lines = header.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    tokens = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not tokens or "/" not in tokens[0][0]:
        return frozenset()
    return frozenset(line[0] for line in tokens[1:]) - {"~"}
