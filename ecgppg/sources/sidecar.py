"""Tables that lie beside WFDB records: who a record's subject is, and its labels.

With a header: the record in a column `record`, `record_name`, `file`, `filename` or `filename_hr`; the subject in
`subject`, `subject_id`, `patient_id` or `patient`; every other column is a label, unless it has more than 50 distinct
values or is different in every one of 20 rows or more (an identifier, free text, a measurement). A table with a
subject and no record holds labels of subjects. Two columns without a header are record and label, the label named
after the file.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ecgppg.config.errors import InputError

RECORD_COLUMNS = ("record", "record_name", "file", "filename", "filename_hr")
SUBJECT_COLUMNS = ("subject", "subject_id", "patient_id", "patient")
MAX_LABEL_VALUES = 50
IDENTIFIER_ROWS = 20
EXTENSION = re.compile(r"\.(hea|dat|mat)$")


@dataclass(frozen=True)
class Sidecar:
    """A table read.

    Attributes
    ----------
    path : Path
        The file.
    subjects : dict
        {record: subject}, the record as the table has it, without extension.
    labels : dict
        {record: {"label_<name>": value}}.
    subject_labels : dict
        {subject: {"label_<name>": value}}, from a table without records.
    """

    path: Path
    subjects: dict[str, str]
    labels: dict[str, dict[str, str]]
    subject_labels: dict[str, dict[str, str]]


def read_sidecar(path: Path) -> Sidecar:
    """Read a table of records or subjects.

    Raises
    ------
    InputError
        If it is absent, not text, or has neither a record nor a subject.
    """
    rows = _rows(path)
    if not rows:
        raise InputError(f"{path}: is empty")
    header = [cell.strip().lower() for cell in rows[0]]
    record = next((header.index(name) for name in RECORD_COLUMNS if name in header), None)
    subject = next((header.index(name) for name in SUBJECT_COLUMNS if name in header), None)
    if record is None and subject is None:
        if len(rows[0]) != 2:
            raise InputError(
                f"{path}: no column named {', '.join(RECORD_COLUMNS[:3])} or {', '.join(SUBJECT_COLUMNS)}, "
                "and not two columns (record, label) without a header"
            )
        header, record = ["record", path.stem.lower()], 0
    else:
        rows = rows[1:]
    names = _label_names(header, rows, {record, subject})
    by_record: dict[str, str] = {}
    labels: dict[str, dict[str, str]] = {}
    subject_labels: dict[str, dict[str, str]] = {}
    for row in rows:
        values = {name: _cell(row, i) for i, name in names.items()}
        who = _cell(row, subject)
        if record is None:
            subject_labels.setdefault(who, values)
            continue
        key = EXTENSION.sub("", _cell(row, record)).strip("/")
        if not key:
            continue
        if who:
            by_record.setdefault(key, who)
        labels.setdefault(key, values)
    return Sidecar(path, by_record, labels, subject_labels)


def _rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with open(path, newline="", encoding="utf-8-sig") as f:
            return [row for row in csv.reader(f) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV table ({error})") from None


def _cell(row: list[str], column: int | None) -> str:
    return row[column].strip() if column is not None and column < len(row) else ""


def _label_names(header: list[str], rows: list[list[str]], keys: set[int | None]) -> dict[int, str]:
    """{column: "label_<name>"} of the columns that can be labels."""
    names: dict[int, str] = {}
    for i, base in _other_columns(header, keys):
        values = [value for value in (_cell(row, i) for row in rows) if value]
        distinct = set(values)
        is_identifier = len(values) >= IDENTIFIER_ROWS and len(distinct) == len(values)
        if distinct and len(distinct) <= MAX_LABEL_VALUES and not is_identifier and base not in names.values():
            names[i] = base
    return names


def _other_columns(header: list[str], keys: set[int | None]) -> Iterator[tuple[int, str]]:
    for i, column in enumerate(header):
        name = re.sub(r"\W+", "_", column).strip("_")
        if i not in keys and name:
            yield i, f"label_{name}"
