"""Patients of the MIMIC-III matched waveform set: pXX/pXXNNNN/pXXNNNN-YYYY-MM-DD-hh-mm.hea.

A list of records (RECORDS-waveforms, RECORDS-waveform, RECORDS) rules where there is one: at the top it may name
records, patients' folders, numerics (...n), or every segment; in a patient's folder likewise. Without one the tree is
walked. Only names of the form above are records; numerics, layouts and segments are not.
"""

import logging
import os
import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ecgppg.config.errors import InputError
from ecgppg.sources.patient import Patient
from ecgppg.sources.records_file import listing_of, path_inside, read_listing, tell_refused

log = logging.getLogger("ecgppg.sources")

GROUP_FOLDER = re.compile(r"p\d\d")
PATIENT_FOLDER = re.compile(r"p(\d{6})")
RECORD_NAME = re.compile(r"p(\d{6})-\d{4}-\d\d-\d\d-\d\d-\d\d")


@dataclass
class _Found:
    """What is known of one patient while lists and folders are read."""

    records: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


def find_mimic3(root: Path) -> list[Patient]:
    """Patients of a matched tree.

    Parameters
    ----------
    root : Path
        The folder that holds p00 ... p09, or the folder above it.

    Returns
    -------
    list of Patient
        Sorted by subject_id. Who is in a list and has no folder here is in it too, with all records missing.

    Raises
    ------
    InputError
        If there is no patient's folder and no list that names one.
    """
    base = _base_folder(root)
    found: dict[int, _Found] = defaultdict(_Found)
    listing = listing_of(root / base)
    folders = _read_list(root, base, listing, found) if listing else None
    for folder in _patient_folders(root, base) if folders is None else folders:
        _read_folder(root, folder, found)
    patients = [
        Patient(subject_id, f"p{subject_id:06d}", tuple(sorted(one.records)), tuple(sorted(one.missing)),
                tuple(sorted(one.refused)))
        for subject_id, one in sorted(found.items())
    ]  # fmt: skip
    if not patients:
        raise InputError(
            f"{root}: no patients found: neither folders like p00/p000020 nor a RECORDS file that names any "
            "(for another kind of WFDB folder give --source wfdb)"
        )
    return patients


def _base_folder(root: Path) -> str:
    """Where the tree begins below `root`: there, or in the one folder below it that has p00 ... p09."""
    if _folders(root, GROUP_FOLDER) or _folders(root, PATIENT_FOLDER):
        return ""
    below = [name for name in _folders(root, re.compile(r"[^.].*")) if _folders(root / name, GROUP_FOLDER)]
    if len(below) > 1:
        raise InputError(f"{root}: holds several matched trees ({', '.join(below)}): name one of them")
    return below[0] if below else ""


def _patient_folders(root: Path, base: str) -> list[str]:
    groups = [posixpath.join(base, name) for name in _folders(root / base, GROUP_FOLDER)]
    return [posixpath.join(group, name) for group in (base, *groups) for name in _folders(root / group, PATIENT_FOLDER)]


def _folders(folder: Path, name: re.Pattern[str]) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if name.fullmatch(entry.name) and _is_folder(entry))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or leads to one; a link that leads in a circle, or nowhere, does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _read_list(root: Path, base: str, listing: Path, found: dict[int, _Found]) -> list[str] | None:
    """Note a top-level list's records; the patients' folders it leaves to be read, None if it names neither."""
    folders, refused, named_any = [], [], False
    for entry in read_listing(listing):
        path = path_inside(base, entry)
        folder, name = posixpath.split((path or entry).rstrip("/"))
        subject = PATIENT_FOLDER.fullmatch(posixpath.basename(folder)) or RECORD_NAME.fullmatch(name)
        if path is None:
            refused.append(entry)
            if subject:
                found[int(subject[1])].refused.add(entry)
        elif PATIENT_FOLDER.fullmatch(name):
            named_any = True
            folders.append(path)
        elif GROUP_FOLDER.fullmatch(name):
            named_any = True
            folders += [posixpath.join(path, n) for n in _existing_folders(root / path)]
        elif RECORD_NAME.fullmatch(name) and subject:
            named_any = True
            _note_record(root, path, found[int(subject[1])])
    tell_refused(listing, refused)
    return folders if named_any else None


def _existing_folders(group: Path) -> list[str]:
    return _folders(group, PATIENT_FOLDER) if group.is_dir() else []


def _read_folder(root: Path, folder: str, found: dict[int, _Found]) -> None:
    """Records of one patient's folder, from its own list where it has one."""
    match = PATIENT_FOLDER.fullmatch(posixpath.basename(folder))
    assert match, "only patients' folders are read"
    one = found[int(match[1])]
    if not (root / folder).is_dir():
        one.missing.add(folder)
        return
    listing = listing_of(root / folder)
    entries = read_listing(listing) if listing else []
    inside = [(entry, path_inside(folder, entry)) for entry in entries]
    one.refused.update(entry for entry, path in inside if path is None)
    listed = [path for _, path in inside if path and RECORD_NAME.fullmatch(posixpath.basename(path))]
    for path in listed:
        _note_record(root, path, one)
    if not listed:
        names = (name.removesuffix(".hea") for name in os.listdir(root / folder) if name.endswith(".hea"))
        one.records.update(posixpath.join(folder, name) for name in names if RECORD_NAME.fullmatch(name))


def _note_record(root: Path, path: str, one: _Found) -> None:
    (one.records if (root / f"{path}.hea").is_file() else one.missing).add(path)
