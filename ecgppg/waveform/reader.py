"""ADC codes of any span of a one-segment record, from the bytes of that span alone.

A frame is one tick of the record's rate and holds `samples_per_frame` samples of each signal; every signal comes back
in its own rate. The formats of `codes.py` are decoded by us; the others go through wfdb.
"""

import os
import stat
from collections.abc import Sequence

import numpy as np

from ecgppg.config.errors import DamagedRecord
from ecgppg.waveform.codes import (
    BITS_PER_SAMPLE,
    MISSING,
    MISSING_CODE,
    byte_span,
    decode,
    missing_in,
    samples_in,
    to_int32,
)
from ecgppg.waveform.header import GAP, Header, SignalSpec
from ecgppg.waveform.open_files import SIGNAL_FILES
from ecgppg.waveform.signal_file import SignalFile

__all__ = [
    "MISSING", "available_frames", "bytes_per_frame", "frames_by_file", "n_frames", "read_codes", "read_narrow",
    "read_signals", "to_physical",
]  # fmt: skip

FLAC_FORMATS = ("508", "516", "524")
MAX_FLAC_SAMPLES_PER_BYTE = 2**13
"""A FLAC frame holds 65,535 samples at most, and not in less than eight bytes."""

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
    return [to_int32(codes) for codes in read_narrow(header, signals, start, n)]


def read_narrow(header: Header, signals: Sequence[int], start: int, n: int) -> list[np.ndarray]:
    """Codes of several signals in the narrowest type that holds them, uncopied where that can be.

    Parameters
    ----------
    header, start, n
        As for `read_codes`.
    signals : sequence of int
        Indices into `header.signals`.

    Returns
    -------
    list of np.ndarray
        (n * samples_per_frame,) each: int8 for format 80, int16 for 16, 212, 61 and 160, int32 for all others. The
        least value of the type (`codes.missing_in`) marks missing samples. An array may be read-only, and a view with
        strides into the frames of its file.

    Raises
    ------
    DamagedRecord
        As `read_codes`.
    """
    files = header.files
    codes: dict[int, np.ndarray] = {}
    for s in signals:
        if s not in codes:
            wanted = [other for other in signals if files[other] is files[s]]
            read = _read_native if files[s].fmt in BITS_PER_SAMPLE else _read_through_wfdb
            codes |= zip(wanted, read(header, files[s], wanted, start, n), strict=True)
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
    files = {spec.file_name: file for spec, file in zip(header.signals, header.files, strict=True)}
    return {name: _frames_of_file(header, file) for name, file in files.items() if name != GAP}


def bytes_per_frame(header: Header, signals: Sequence[int]) -> float:
    """Bytes that a frame takes in the files of the given signals, other signals of these files included."""
    files = {header.signals[s].file_name for s in signals}
    return sum(s.samples_per_frame * _bytes_per_sample(s.fmt) for s in header.signals if s.file_name in files)


def _bytes_per_sample(fmt: str) -> float:
    """As stored; for FLAC, before compression."""
    return BITS_PER_SAMPLE[fmt] / 8 if fmt in BITS_PER_SAMPLE else _BYTES_PER_SAMPLE.get(fmt, 1.0)


def _frames_of_file(header: Header, file: SignalFile) -> int | None:
    try:
        status = os.stat(file.path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    if file.fmt in FLAC_FORMATS:
        samples = min(_flac_samples(file.path), status.st_size * MAX_FLAC_SAMPLES_PER_BYTE)
        return samples // header.signals[min(file.columns)].samples_per_frame
    n_bytes = max(status.st_size - file.byte_offset, 0)
    if file.fmt in BITS_PER_SAMPLE:
        return samples_in(file.fmt, n_bytes) // file.width
    return int(n_bytes / _bytes_per_sample(file.fmt) + 1e-6) // file.width


def _flac_samples(path: str) -> int:
    """Samples per channel by the STREAMINFO block that opens every FLAC file; 0 if it is none."""
    with open(path, "rb") as stream:
        head = stream.read(26)
    return int.from_bytes(head[21:26], "big") & (2**36 - 1) if head.startswith(b"fLaC") and len(head) == 26 else 0


def _read_native(header: Header, file: SignalFile, wanted: list[int], start: int, n: int) -> list[np.ndarray]:
    columns, width = [file.columns[s] for s in wanted], file.width
    skews = [skew for _, _, skew in columns]
    first, stop = start + min(skews), start + n + max(skews)
    if header.n_samples > 0:
        stop = min(stop, header.n_samples)
    offset, n_bytes, n_before = byte_span(file.fmt, first * width, max(stop - first, 0) * width)
    flat = decode(file.fmt, SIGNAL_FILES.read(file.path, file.byte_offset + offset, n_bytes))
    n_frames_read = max(len(flat) - n_before, 0) // width
    frames = flat[n_before : n_before + n_frames_read * width].reshape(n_frames_read, width)
    codes = []
    for column, samples_per_frame, skew in columns:
        begin = start + skew - first
        read = frames[begin : begin + n, column : column + samples_per_frame].reshape(-1)
        lacking = n * samples_per_frame - len(read)
        if lacking:
            read = np.concatenate([read, np.full(lacking, missing_in(read), dtype=read.dtype)])
        codes.append(read)
    return codes


def _read_through_wfdb(header: Header, file: SignalFile, wanted: list[int], start: int, n: int) -> list[np.ndarray]:
    import wfdb

    if file.fmt not in MISSING_CODE:
        raise DamagedRecord("unsupported_format", file.path, f"format {file.fmt}")
    held = _frames_of_file(header, file)
    if held is None:
        raise DamagedRecord("missing_file", file.path)
    skews = [file.columns[s][2] for s in wanted]
    # Format 8 stores differences: a span has no meaning without all that stands before it.
    first = 0 if file.fmt == "8" else start + min(skews)
    stop = min(start + n + max(skews), held, n_frames(header))
    codes = [np.full(n * file.columns[s][1], MISSING, dtype=np.int32) for s in wanted]
    if stop <= start + min(skews):
        return codes
    try:
        # Skewed here: wfdb 4.3 leaves zeros after the end of a skewed signal of several samples a frame, and fails
        # where two signals differ in skew.
        record = wfdb.rdrecord(
            str(header.folder / header.name), first, stop, wanted, physical=False, smooth_frames=False,
            ignore_skew=True, return_res=32,
        )  # fmt: skip
    except Exception as error:
        # wfdb raises whatever its parts raise on a damaged file.
        raise DamagedRecord("read_error", file.path, f"{type(error).__name__}: {error}") from None
    for out, s, skew, signal in zip(codes, wanted, skews, record.e_d_signal, strict=True):
        samples_per_frame = file.columns[s][1]
        read = signal[(start + skew - first) * samples_per_frame :][: len(out)].astype(np.int32)
        read[read == MISSING_CODE[file.fmt]] = MISSING
        out[: len(read)] = read
    return codes
