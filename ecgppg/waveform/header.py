"""WFDB headers read into frozen facts, checked for plausibility before anything is allocated by them.

The format is that of the WFDB header standard (physionet.org/physiotools/wag/header-5.htm). Where MIMIC's own files
stray from it (segment times such as `31:25.894`, a channel set that changes between segments) the strayed field
decides nothing: where a segment lies in time comes from the sample counts of the master header.
"""

import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ecgppg.config.errors import DamagedRecord
from ecgppg.waveform.header_lines import (
    SegmentRef,
    SignalSpec,
    check_plausible,
    record_line,
    segment_line,
    signal_line,
)
from ecgppg.waveform.signal_file import SignalFile, signal_files

__all__ = ["GAP", "Header", "SegmentRef", "SignalSpec", "parse_header", "path_inside", "read_header"]

GAP = "~"
"""Name of a segment without samples, and of the signal file of a layout header."""

MAX_HEADER_BYTES = 2**24


@dataclass(frozen=True)
class Header:
    """What a header file says. `n_samples` counts frames; 0 and -1 leave it to the size of the signal files."""

    folder: Path
    name: str
    fs_hz: float
    n_samples: int
    start_time_us: int
    signals: tuple[SignalSpec, ...] = ()
    segments: tuple[SegmentRef, ...] = ()
    comments: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def files(self) -> tuple[SignalFile, ...]:
        """File of every signal, in the order of `signals`; signals of one file share one object."""
        return signal_files(self.folder, self.signals)


def read_header(folder: Path, name: str) -> Header:
    """Read `folder/name.hea`.

    Parameters
    ----------
    folder : Path
        Folder that every file named by the header must lie in.
    name : str
        Record or segment name, without extension.

    Returns
    -------
    Header

    Raises
    ------
    DamagedRecord
        missing_file, bad_header, implausible_value, path_outside_folder or read_error.
    """
    path = path_inside(folder, f"{name}.hea")
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DamagedRecord("read_error", path, "not a regular file")
        check_plausible(status.st_size <= MAX_HEADER_BYTES, path, f"a header of {status.st_size} bytes")
        text = path.read_bytes().decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedRecord("missing_file", path) from None
    except OSError as error:
        raise DamagedRecord("read_error", path, error.strerror or "") from None
    return parse_header(text, folder, name)


def parse_header(text: str, folder: Path, name: str) -> Header:
    """The facts in the text of `folder/name.hea`; raises as `read_header` does."""
    path = folder / f"{name}.hea"
    stripped = [line.strip() for line in text.splitlines()]
    lines = [line for line in stripped if line and not line.startswith("#")]
    comments = tuple(line[1:].strip() for line in stripped if line.startswith("#"))
    signals: tuple[SignalSpec, ...] = ()
    segments: tuple[SegmentRef, ...] = ()
    try:
        if not lines:
            raise ValueError("no record line")
        record = record_line(lines[0], path)
        announced = record.n_signals if record.n_segments is None else record.n_segments
        if not (record.n_segments is not None) <= announced < len(lines):
            raise ValueError(f"{announced} lines announced, {len(lines) - 1} present")
        described = lines[1 : announced + 1]
        if record.n_segments is None:
            signals = tuple(signal_line(line, path) for line in described)
            _check_files(signals, folder)
        else:
            segments = tuple(segment_line(line, path) for line in described)
    except (ValueError, IndexError) as error:
        raise DamagedRecord("bad_header", path, str(error)) from None
    check_plausible(name not in {segment.name for segment in segments}, path, "a segment that names itself")
    return Header(folder, name, record.fs_hz, record.n_samples, record.start_time_us, signals, segments, comments)


def path_inside(folder: Path, file_name: str) -> Path:
    """`folder/file_name`, refused with `path_outside_folder` if it leads, by itself or by a link, out of `folder`."""
    path = folder / file_name
    try:
        if any(c in file_name for c in "\\:\0"):
            outside = True
        elif "/" in file_name or file_name == ".." or path.is_symlink():
            outside = not path.resolve().is_relative_to(folder.resolve())
        else:
            outside = False
    except (OSError, ValueError, RuntimeError):
        outside = True
    if outside:
        raise DamagedRecord("path_outside_folder", folder, f"names {file_name!r}")
    return path


def _check_files(signals: tuple[SignalSpec, ...], folder: Path) -> None:
    """Every file lies in the folder; the signals of one file share its format and its byte offset."""
    seen: dict[str, tuple[str, int]] = {}
    for signal in signals:
        stored = signal.fmt, signal.byte_offset
        if signal.file_name == GAP:
            continue
        if signal.file_name not in seen:
            path_inside(folder, signal.file_name)
            seen[signal.file_name] = stored
        elif seen[signal.file_name] != stored:
            raise ValueError(f"{signal.file_name} is described with two formats")
