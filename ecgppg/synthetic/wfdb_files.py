"""WFDB files of a multi-segment record: segments in format 80 or 16, layout, master header, numerics."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgppg.synthetic.montage import UNITS, Piece
from ecgppg.synthetic.waves import Floats

CODE_RANGE = {"80": 127, "16": 2047}
"""Largest code: 8 bits, or the 12 bits that bedside monitors put into 16."""
MISSING_CODE = {"80": -128, "16": -32768}
ADC_BITS = {"80": 8, "16": 12}
NUMERICS_FS = "0.0166666666667/125"
"""One value a minute, counter at 125 Hz, as the database writes it."""


@dataclass(frozen=True)
class RecordName:
    """Names of one record.

    Parameters
    ----------
    patient : str
        As "p000123"; its folder is "p00/p000123".
    stem : str
        Seven digits that the segments share.
    start : datetime
        Time of the first sample.
    """

    patient: str
    stem: str
    start: datetime

    @property
    def record(self) -> str:
        """Name of the master header."""
        return f"{self.patient}-{self.start:%Y-%m-%d-%H-%M}"

    @property
    def path(self) -> str:
        """The record below the waveform folder."""
        return f"{self.patient[:3]}/{self.patient}/{self.record}"

    def segment(self, k: int) -> str:
        """Name of the k-th segment, counted from 1."""
        return f"{self.stem}_{k:04d}"


def digitize(x_T: Floats, gain: float, baseline: int, fmt: str) -> NDArray[np.int16]:
    """ADC codes of a physical signal: rounded, cut at the converter's limits, NaN as the missing code.

    Parameters
    ----------
    x_T : array (T,)
        Physical units.
    gain, baseline : float, int
        code = x gain + baseline.
    fmt : str
        "80" or "16".
    """
    limit = CODE_RANGE[fmt]
    codes_T = np.clip(np.rint(np.nan_to_num(x_T) * gain + baseline), -limit, limit)
    return np.where(np.isnan(x_T), MISSING_CODE[fmt], codes_T).astype(np.int16)


def encode(codes_TC: NDArray[np.int16], fmt: str) -> bytes:
    """Bytes of a signal file: frames of C codes, format 80 (offset binary) or 16 (little endian)."""
    if fmt == "80":
        return (codes_TC + 128).astype(np.uint8).tobytes()
    return codes_TC.astype("<i2").tobytes()


def checksum(codes_T: NDArray[np.int16]) -> int:
    """Sum of the codes as a signed 16-bit number, as in a signal line of a header."""
    return int((int(codes_T.astype(np.int64).sum()) + 32768) % 65536 - 32768)


def write_segment(
    folder: Path, name: str, signals: dict[str, Floats], piece: Piece, fmt: str, fs_hz: float, clock: str
) -> None:
    """Write the .dat and .hea of one segment.

    Parameters
    ----------
    folder : Path
        Of the patient.
    name : str
        Of the segment.
    signals : dict
        {channel: (T,) physical} of the whole record.
    piece : Piece
        Which samples and channels, at what gain.
    fmt : str
        "80" or "16".
    fs_hz : float
        Sampling rate.
    clock : str
        Time without a date, as it stands in the header.
    """
    lines = [f"{name} {len(piece.channels)} {fs_hz:g} {piece.n_samples} {clock}".rstrip()]
    columns = []
    for channel, gain, baseline in zip(piece.channels, piece.gains, piece.baselines, strict=True):
        codes_T = digitize(signals[channel][piece.start : piece.stop], gain, baseline, fmt)
        columns.append(codes_T)
        raw = piece.uncalibrated_ecg and UNITS[channel] == "mV"
        scale = "1(0)" if raw else f"{gain:g}({baseline})"
        lines.append(
            f"{name}.dat {fmt} {scale}/{UNITS[channel]} {ADC_BITS[fmt]} 0 {codes_T[0]} {checksum(codes_T)} 0 {channel}"
        )
    (folder / f"{name}.dat").write_bytes(encode(np.stack(columns, 1), fmt))
    _write_header(folder / f"{name}.hea", lines)


def write_record(
    root: Path,
    name: RecordName,
    signals: dict[str, Floats],
    pieces: list[Piece],
    fmt: str,
    fs_hz: float,
    odd_clocks: bool,
) -> None:
    """Write a whole record: segments, layout, master header.

    Parameters
    ----------
    root : Path
        Waveform folder.
    name : RecordName
    signals : dict
        {channel: (T,) physical}; the order is the layout's.
    pieces : list of Piece
        Segments and gaps, in order.
    fmt : str
        "80" or "16".
    fs_hz : float
        Sampling rate.
    odd_clocks : bool
        Write some segment times without hours ("31:25.894"), as the database does here and there.
    """
    folder = root / Path(name.path).parent
    folder.mkdir(parents=True, exist_ok=True)
    lines, k = [f"{name.stem}_layout 0"], 0
    for piece in pieces:
        if not piece.channels:
            lines.append(f"~ {piece.n_samples}")
            continue
        k += 1
        time = name.start + timedelta(seconds=piece.start / fs_hz)
        clock = f"{time:%M:%S}.{time.microsecond // 1000:03d}" if odd_clocks and k % 2 else _clock(time)
        write_segment(folder, name.segment(k), signals, piece, fmt, fs_hz, clock)
        lines.append(f"{name.segment(k)} {piece.n_samples}")
    layout = [f"{name.stem}_layout {len(signals)} {fs_hz:g} 0 {_clock(name.start)}"]
    first = {c: (g, b) for p in reversed(pieces) for c, g, b in zip(p.channels, p.gains, p.baselines, strict=True)}
    for channel in signals:
        gain, baseline = first[channel]
        layout.append(f"~ 0 {gain:g}({baseline})/{UNITS[channel]} {ADC_BITS[fmt]} 0 {MISSING_CODE[fmt]} 0 0 {channel}")
    _write_header(folder / f"{name.stem}_layout.hea", layout)
    n = pieces[-1].stop
    top = f"{name.record}/{len(lines)} {len(signals)} {fs_hz:g} {n} {_clock(name.start)} {name.start:%d/%m/%Y}"
    _write_header(folder / f"{name.record}.hea", [top, *lines])


def write_numerics(root: Path, name: RecordName, values: dict[str, tuple[str, Floats]]) -> str:
    """Write the record of numbers that a monitor shows once a minute.

    Parameters
    ----------
    root : Path
        Waveform folder.
    name : RecordName
        Of the waveform record beside it.
    values : dict
        {signal: (unit, one value a minute)}.

    Returns
    -------
    str
        Its path below the waveform folder.
    """
    folder, columns = root / Path(name.path).parent, []
    n = len(next(iter(values.values()))[1])
    lines = [f"{name.record}n {len(values)} {NUMERICS_FS} {n} {_clock(name.start)} {name.start:%d/%m/%Y}"]
    for signal, (unit, value_T) in values.items():
        codes_T = np.where(np.isnan(value_T), -32768, np.rint(np.nan_to_num(value_T) * 10)).astype(np.int16)
        columns.append(codes_T)
        lines.append(f"{name.stem}n.dat 16 10/{unit} 16 0 {codes_T[0]} {checksum(codes_T)} 0 {signal}")
    (folder / f"{name.stem}n.dat").write_bytes(encode(np.stack(columns, 1), "16"))
    _write_header(folder / f"{name.record}n.hea", lines)
    return f"{name.path}n"


def _clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}.{time.microsecond // 1000:03d}"


def _write_header(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
