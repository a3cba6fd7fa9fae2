"""One signal file as a header describes it, worked out once a header and not once a read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecgppg.waveform.header_lines import SignalSpec


@dataclass(frozen=True)
class SignalFile:
    """How the frames of one signal file are laid out.

    Attributes
    ----------
    path : str
        The file.
    fmt : str
        Format that all its signals share.
    byte_offset : int
        Bytes before its first frame.
    width : int
        Samples of a frame, over all signals of the file.
    columns : mapping
        {index of a signal in the header: (first sample within the frame, samples per frame, skew in frames)}.
    """

    path: str
    fmt: str
    byte_offset: int
    width: int
    columns: Mapping[int, tuple[int, int, int]]


def signal_files(folder: Path, signals: Sequence[SignalSpec]) -> tuple[SignalFile, ...]:
    """The file of every signal, in the order of `signals`; signals of one file share one object."""
    columns: dict[str, dict[int, tuple[int, int, int]]] = {}
    widths: dict[str, int] = {}
    for index, spec in enumerate(signals):
        first = widths.get(spec.file_name, 0)
        columns.setdefault(spec.file_name, {})[index] = (first, spec.samples_per_frame, spec.skew)
        widths[spec.file_name] = first + spec.samples_per_frame
    files: dict[str, SignalFile] = {}
    for spec in signals:
        name = spec.file_name
        if name not in files:
            files[name] = SignalFile(str(folder / name), spec.fmt, spec.byte_offset, widths[name], columns[name])
    return tuple(files[spec.file_name] for spec in signals)
