"""ADC codes of any span of a one-segment record, from the bytes of that span alone.

A frame is one tick of the record's rate and holds `samples_per_frame` samples of each signal; every signal comes back
in its own rate. The formats of `codes.py` are decoded by us; the others go through wfdb.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgppg.config.errors import DamagedRecord
from ecgppg.waveform.codes import (
    BITS_PER_SAMPLE,
    MISSING,
    MISSING_CODE,
    byte_span,
    decode,
    to_int32,
)
from ecgppg.waveform.header import GAP, Header, SignalSpec

__all__ = [
    "MISSING", "available_frames", "bytes_per_frame", "frames_by_file", "n_frames", "read_codes", "read_signals",
    "to_physical",
]  # fmt: skip

FLAC_FORMATS = ("508", "516", "524")
_BYTES_PER_SAMPLE = {"8": 1.0, "24": 3.0, "310": 4 / 3, "311": 4 / 3, "508": 1.0, "516": 2.0, "524": 3.0}


def read_codes(header: Header, signal: int, start: int, n: int) -> np.ndarray:
    """Codes of one signal.

    Parameters
    ----------
    header : Header
        Of a record that is one segment.
    signal : int
        Index into `header.signals`.
    start, n : int
        First frame and number of frames.

    Returns
    -------
    np.ndarray
        int32 (n * samples_per_frame,); `MISSING` where the file marks a sample missing, and where it, or the header's
        `n_samples`, ends before the span does.

    Raises
    ------
    DamagedRecord
        missing_file, unsupported_format or read_error.
    """
    return read_signals(header, (signal,), start, n)[0]


def read_signals(header: Header, signals: Sequence[int], start: int, n: int) -> list[np.ndarray]:
    """Codes of several signals as `read_codes` gives them; a file that holds several of them is read once."""
    codes: dict[int, np.ndarray] = {}
    for file_name in dict.fromkeys(header.signals[s].file_name for s in signals):
        wanted = [s for s in signals if header.signals[s].file_name == file_name]
        native = header.signals[wanted[0]].fmt in BITS_PER_SAMPLE
        codes |= (_read_native if native else _read_through_wfdb)(header, file_name, wanted, start, n)
    return [codes[s] for s in signals]


def to_physical(codes: np.ndarray, spec: SignalSpec) -> np.ndarray:
    """Physical values of codes.

    Parameters
    ----------
    codes : np.ndarray
        int32, any shape.
    spec : SignalSpec
        The signal they belong to.

    Returns
    -------
    np.ndarray
        float32, same shape, in `spec.units`; NaN where missing.
    """
    physical = ((codes - np.float64(spec.baseline)) * (1.0 / spec.gain)).astype(np.float32)
    physical[codes == MISSING] = np.nan
    return physical


def n_frames(header: Header) -> int:
    """Frames of a one-segment record: the header's number, or what the files that exist hold where it gives none."""
    if header.n_samples > 0:
        return header.n_samples
    return min((frames for frames in frames_by_file(header).values() if frames is not None), default=0)


def available_frames(header: Header) -> int:
    """Frames that every signal file holds whole, by file size; 0 where one is missing."""
    return min((frames or 0 for frames in frames_by_file(header).values()), default=0)


def frames_by_file(header: Header) -> dict[str, int | None]:
    """{file name: whole frames it holds, by its size; None where there is no such file}.

    For FLAC the stream's own count is taken. Skew takes nothing away: the end of a skewed signal is `MISSING`.
    """
    return {
        file_name: _frames_of_file(header, file_name)
        for file_name in dict.fromkeys(s.file_name for s in header.signals)
        if file_name != GAP
    }


def bytes_per_frame(header: Header, signals: Sequence[int]) -> float:
    """Bytes that a frame takes in the files of the given signals, other signals of these files included."""
    files = {header.signals[s].file_name for s in signals}
    return sum(s.samples_per_frame * _bytes_per_sample(s.fmt) for s in header.signals if s.file_name in files)


def _bytes_per_sample(fmt: str) -> float:
    """As stored; for FLAC, before compression."""
    return BITS_PER_SAMPLE[fmt] / 8 if fmt in BITS_PER_SAMPLE else _BYTES_PER_SAMPLE.get(fmt, 1.0)


def _frames_of_file(header: Header, file_name: str) -> int | None:
    path = header.folder / file_name
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    shared = [s for s in header.signals if s.file_name == file_name]
    samples_per_frame, spec = sum(s.samples_per_frame for s in shared), shared[0]
    n_bytes = status.st_size - spec.byte_offset
    if spec.fmt in FLAC_FORMATS:
        return _flac_samples(path) // spec.samples_per_frame
    return int(max(n_bytes, 0) / _bytes_per_sample(spec.fmt) + 1e-6) // samples_per_frame


def _flac_samples(path: Path) -> int:
    """Samples per channel by the STREAMINFO block that opens every FLAC file; 0 if it is none."""
    with open(path, "rb") as stream:
        head = stream.read(26)
    return int.from_bytes(head[21:26], "big") & (2**36 - 1) if head.startswith(b"fLaC") and len(head) == 26 else 0


def _read_native(header: Header, file_name: str, wanted: list[int], start: int, n: int) -> dict[int, np.ndarray]:
    columns: dict[int, slice] = {}
    width = 0
    for index, spec in enumerate(header.signals):
        if spec.file_name == file_name:
            columns[index] = slice(width, width + spec.samples_per_frame)
            width += spec.samples_per_frame
    spec = header.signals[wanted[0]]
    skews = [header.signals[s].skew for s in wanted]
    first, stop = start + min(skews), start + n + max(skews)
    if header.n_samples > 0:
        stop = min(stop, header.n_samples)
    offset, n_bytes, n_before = byte_span(spec.fmt, first * width, max(stop - first, 0) * width)
    flat = decode(spec.fmt, _read_bytes(header.folder / file_name, spec.byte_offset + offset, n_bytes))[n_before:]
    frames = flat[: len(flat) // width * width].reshape(-1, width)
    codes = {}
    for s, skew in zip(wanted, skews, strict=True):
        begin = start + skew - first
        read = to_int32(spec.fmt, frames[begin : begin + n, columns[s]])
        if len(read) < n:
            missing = np.full((n - len(read), header.signals[s].samples_per_frame), MISSING, dtype=np.int32)
            read = np.concatenate([read, missing])
        codes[s] = read.reshape(-1)
    return codes


def _read_bytes(path: Path, offset: int, n_bytes: int) -> bytes:
    """What a file holds of a span; less than asked for where it ends early."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.pread(descriptor, n_bytes, offset)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise DamagedRecord("missing_file", path) from None
    except OSError as error:
        raise DamagedRecord("read_error", path, error.strerror or "") from None


def _read_through_wfdb(header: Header, file_name: str, wanted: list[int], start: int, n: int) -> dict[int, np.ndarray]:
    import wfdb

    spec = header.signals[wanted[0]]
    if spec.fmt not in MISSING_CODE:
        raise DamagedRecord("unsupported_format", header.folder / file_name, f"format {spec.fmt}")
    held = _frames_of_file(header, file_name)
    if held is None:
        raise DamagedRecord("missing_file", header.folder / file_name)
    stop = min(start + n, held, n_frames(header))
    # Format 8 stores differences: a span has no meaning without all that stands before it.
    first = 0 if spec.fmt == "8" else start
    codes = {s: np.full(n * header.signals[s].samples_per_frame, MISSING, dtype=np.int32) for s in wanted}
    if stop <= start:
        return codes
    try:
        record = wfdb.rdrecord(
            str(header.folder / header.name), first, stop, wanted, physical=False, smooth_frames=False, return_res=32
        )
    except Exception as error:
        # wfdb raises whatever its parts raise on a damaged file.
        raise DamagedRecord("read_error", header.folder / file_name, f"{type(error).__name__}: {error}") from None
    for s, signal in zip(wanted, record.e_d_signal, strict=True):
        samples_per_frame = header.signals[s].samples_per_frame
        read = signal[(start - first) * samples_per_frame :].astype(np.int32)
        read[read == MISSING_CODE[spec.fmt]] = MISSING
        codes[s][: len(read)] = read
    return codes
