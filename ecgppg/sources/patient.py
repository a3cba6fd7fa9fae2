"""A patient as a source finds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Patient:
    """One patient and where their recordings lie.

    Attributes
    ----------
    subject_id : int
        The source's own number, or a stable hash of `subject`.
    subject : str
        The patient as the source names them.
    records : tuple of str
        Records that are there: paths below the waveform folder, with "/" and without extension, sorted.
    missing : tuple of str
        Records that a list or table names and that are not there.
    refused : tuple of str
        Entries whose path leaves the waveform folder.
    labels : dict
        {record: {"label_<name>": value}}, the value "" where unknown.
    """

    subject_id: int
    subject: str
    records: tuple[str, ...]
    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
