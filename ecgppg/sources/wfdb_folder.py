"""Patients of any folder of WFDB records.

A RECORDS file rules where there is one: it may name records or folders, at the top or in any folder below; in folders
without one every .hea is a record. A segment that a master of its folder names is no record of its own. Subjects and
labels come from records.csv and subjects.csv beside the RECORDS file, one level up, or in the top folder; or from the
table that `records_csv` names. A record without a row is its own subject.
"""

import logging
import os
import posixpath
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ecgppg.config.errors import InputError
from ecgppg.core.seeds import subject_id_of
from ecgppg.sources.patient import Patient
from ecgppg.sources.records_file import listing_of, path_inside, read_listing, segment_names, tell_refused
from ecgppg.sources.sidecar import Sidecar, read_sidecar

log = logging.getLogger("ecgppg.sources")

TABLES = ("records.csv", "subjects.csv")
NUMERICS = re.compile(r"-\d{4}-\d\d-\d\d-\d\d-\d\dn$")
NUMBER = re.compile(r"(\d{1,18})(\.0*)?")


@dataclass
class _Tree:
    """Records of a folder: there, named but not there, and named outside it; where the lists lie."""

    records: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    listed_in: list[str] = field(default_factory=list)


@dataclass
class _Member:
    """What is known of one subject while records are assigned."""

    subject: str
    records: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)


def find_wfdb(root: Path, records_csv: Path | None = None) -> list[Patient]:
    """Patients of a folder of WFDB records.

    Parameters
    ----------
    root : Path
        The folder.
    records_csv : Path, optional
        Table of record, subject and labels; without it the tables beside the records are read.

    Returns
    -------
    list of Patient
        Sorted by subject_id.

    Raises
    ------
    InputError
        If there is no record, or the named table cannot serve.
    """
    tree = _scan(root)
    if not (tree.records or tree.missing or tree.refused):
        raise InputError(f"{root}: no RECORDS file and no .hea file here or below")
    tables = [read_sidecar(records_csv)] if records_csv else _tables_beside(root, tree)
    members: dict[int, _Member] = {}
    scopes = [""] if records_csv else [_folder_below(root, table.path.parent) for table in tables]
    known = _Assignment(tables, scopes, sorted(tree.records | tree.missing))
    for record in sorted(tree.records):
        member = known.member(record, members)
        member.records.append(record)
        member.labels[record] = known.labels(record, member.subject)
    for record in sorted(tree.missing | known.not_in_folder):
        known.member(record, members).missing.append(record)
    for entry in sorted(tree.refused):
        known.member(entry, members).refused.append(entry)
    if tables:
        _tell(tables, known, tree)
    return [
        Patient(subject_id, m.subject, tuple(m.records), tuple(m.missing), tuple(m.refused), m.labels)
        for subject_id, m in sorted(members.items())
    ]


def _tell(tables: list[Sidecar], known: "_Assignment", tree: _Tree) -> None:
    names = ", ".join(str(table.path) for table in tables)
    if known.not_in_folder:
        log.warning("%s: %d records have no file here and are counted as missing", names, len(known.not_in_folder))
    n_alone = len(tree.records - known.rows.keys())
    if n_alone:
        log.warning("%s: %d of %d records have no row; each is its own subject", names, n_alone, len(tree.records))


def _scan(root: Path) -> _Tree:
    tree = _Tree()
    visited: set[str] = set()

    def visit(folder: str) -> None:
        if folder in visited:
            return
        visited.add(folder)
        listing = listing_of(root / folder)
        if listing is None:
            visit_unlisted(folder)
            return
        tree.listed_in.append(folder)
        refused = []
        for entry in read_listing(listing):
            path = path_inside(folder, entry)
            if path is None:
                refused.append(entry)
                tree.refused.add(entry)
            elif path and (root / f"{path}.hea").is_file():
                tree.records.add(path)
            elif (root / path).is_dir():
                visit(path)
            else:
                tree.missing.add(path)
        tell_refused(listing, refused)

    def visit_unlisted(folder: str) -> None:
        with os.scandir(root / folder) as found:
            entries = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in found if e.name[0] != ".")
        for name, is_folder in entries:
            if is_folder:
                visit(posixpath.join(folder, name))
            elif name.endswith(".hea"):
                tree.records.add(posixpath.join(folder, name.removesuffix(".hea")))

    visit("")
    _drop_segments(root, tree)
    return tree


def _drop_segments(root: Path, tree: _Tree) -> None:
    """Leave out segments of multi-segment records, and numerics."""
    everything = tree.records | tree.missing
    per_folder = Counter(posixpath.dirname(record) for record in everything)
    segments = {
        posixpath.join(posixpath.dirname(record), name)
        for record in tree.records
        if per_folder[posixpath.dirname(record)] > 1
        for name in segment_names(root / f"{record}.hea")
        if name != posixpath.basename(record)
    }
    numerics = {record for record in everything if NUMERICS.search(record)}
    tree.records -= segments | numerics
    tree.missing -= segments | numerics


def _tables_beside(root: Path, tree: _Tree) -> list[Sidecar]:
    places = [place for folder in tree.listed_in for place in (root / folder, (root / folder).parent)]
    paths = dict.fromkeys(
        (place / name).resolve() for place in (*places, root, root.absolute().parent) for name in TABLES
    )
    tables = []
    for path in paths:
        if not path.is_file():
            continue
        try:
            tables.append(read_sidecar(path))
        except InputError as error:
            log.warning("%s; it is not used", error)
    return tables


def _folder_below(root: Path, folder: Path) -> str:
    """A table's folder below the top folder, whose records alone it speaks of; "" for one above."""
    top = root.resolve()
    return f"{folder.relative_to(top).as_posix()}/" if folder != top and folder.is_relative_to(top) else ""


class _Assignment:
    """Which row of which table speaks of a record: by its path, the end of its path, or its name if unique."""

    def __init__(self, tables: list[Sidecar], scopes: list[str], records: list[str]) -> None:
        names = defaultdict(list)
        for record in records:
            names[posixpath.basename(record)].append(record)
        self.tables = tables
        self.rows: dict[str, list[tuple[Sidecar, str]]] = defaultdict(list)
        self.not_in_folder: set[str] = set()
        for table, scope in zip(tables, scopes, strict=True):
            for key in table.labels:
                same_name = [r for r in names.get(posixpath.basename(key), []) if r.startswith(scope)]
                exact = [r for r in same_name if r in (key, scope + key)]
                meant = exact or [r for r in same_name if r.endswith(f"/{key}")]
                if not meant and len(same_name) == 1:
                    meant = same_name
                for record in meant:
                    self.rows[record].append((table, key))
                if not meant:
                    self.not_in_folder.add(key)

    def member(self, record: str, members: dict[int, _Member]) -> _Member:
        """The subject of a record, made where it is new."""
        rows = self.rows.get(record) or [(table, record) for table in self.tables]
        subject = next((table.subjects[key] for table, key in rows if key in table.subjects), "")
        number = NUMBER.fullmatch(subject)
        # A record that is its own subject never takes its name for a number: it could be another patient's.
        subject_id = int(number[1]) if number else subject_id_of(subject or record)
        return members.setdefault(subject_id, _Member(number[1] if number else subject or record))

    def labels(self, record: str, subject: str) -> dict[str, str]:
        """Labels of a record: its own, then those of its subject."""
        merged: dict[str, str] = {}
        for values in [t.subject_labels.get(subject, {}) for t in self.tables]:
            merged |= values
        for table, key in reversed(self.rows.get(record, [])):
            merged |= table.labels[key]
        return merged
