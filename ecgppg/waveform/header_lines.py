"""The lines of a WFDB header: record, signal and segment lines, each parsed and checked for plausibility.

Syntax errors leave as ValueError, which `header.parse_header` turns into a DamagedRecord; values that cannot be leave
as `implausible_value`.
"""

import math
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ecgppg.config.errors import DamagedRecord
from ecgppg.config.schema import UNKNOWN_TIME_US

DEFAULT_FS_HZ = 250.0
DEFAULT_GAIN = 200.0
MAX_FS_HZ = 100_000.0
MAX_SIGNALS = 256
MAX_SEGMENTS = 10**5
MAX_SAMPLES = 10**11
MAX_SAMPLES_PER_FRAME = 1000
MAX_SKEW_FRAMES = 10**6
UNSPECIFIED = -1
MILLIVOLTS_PER_UNIT = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6}

_FORMAT = re.compile(r"(\d{1,4})(?:x(\d{1,6}))?(?::(\d{1,9}))?(?:\+(\d{1,15}))?")
_GAIN = re.compile(r"([^(/]*)(?:\(([-+]?\d{1,12})\))?(?:/(\S*))?")
_CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d{1,2}(?:\.\d*)?)")
_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class RecordLine:
    """The first line; `n_segments` is None for a record that is one segment, `n_samples` may be UNSPECIFIED."""

    n_segments: int | None
    n_signals: int
    fs_hz: float
    n_samples: int
    start_time_us: int


@dataclass(frozen=True)
class SignalSpec:
    """One signal line: where its samples lie and what a code means.

    `physical = (code - baseline) / gain`, in `units`; voltages are told in mV whatever unit the file uses.
    `calibrated` is False where the header gives no gain, 0 or 1: then the numbers are ADC codes under another name.
    """

    file_name: str
    fmt: str
    samples_per_frame: int
    skew: int
    byte_offset: int
    gain: float
    calibrated: bool
    baseline: int
    units: str
    adc_resolution: int
    adc_zero: int
    initial_value: int
    checksum: int | None
    name: str


@dataclass(frozen=True)
class SegmentRef:
    """One segment line of a master header; the name `header.GAP` is a gap."""

    name: str
    n_samples: int


def check_plausible(plausible: bool, path: Path, what: str) -> None:
    """Raise `implausible_value` for the header at `path` unless `plausible`."""
    if not plausible:
        raise DamagedRecord("implausible_value", path, what)


def record_line(line: str, path: Path) -> RecordLine:
    """Parse `name/segments signals fs/counter(base) samples time date`."""
    fields = line.split()
    _, slash, n_segments = fields[0].partition("/")
    n_signals = int(fields[1])
    fs_hz = float(re.split(r"[/(]", fields[2])[0]) if len(fields) > 2 else DEFAULT_FS_HZ
    n_samples = int(fields[3]) if len(fields) > 3 else None
    check_plausible(0 < fs_hz <= MAX_FS_HZ, path, f"sampling rate {fs_hz:g} Hz")
    check_plausible(0 <= n_signals <= MAX_SIGNALS, path, f"{n_signals} signals")
    check_plausible(n_samples is None or 0 <= n_samples <= MAX_SAMPLES, path, f"{n_samples} samples")
    segments = int(n_segments) if slash else None
    check_plausible(segments is None or segments <= MAX_SEGMENTS, path, f"{segments} segments")
    return RecordLine(
        n_segments=segments,
        n_signals=n_signals,
        fs_hz=fs_hz,
        n_samples=UNSPECIFIED if n_samples is None else n_samples,
        start_time_us=_start_time_us(fields[4:6]),
    )


def _start_time_us(fields: list[str]) -> int:
    """Microseconds since 1970 of `hh:mm:ss.fff dd/mm/yyyy`; UNKNOWN_TIME_US without a date or where either is odd."""
    clock, day = (_CLOCK.fullmatch(fields[0]), _DAY.fullmatch(fields[1])) if len(fields) == 2 else (None, None)
    if clock is None or day is None:
        return UNKNOWN_TIME_US
    try:
        days = date(int(day.group(3)), int(day.group(2)), int(day.group(1))).toordinal() - _EPOCH_DAY
    except ValueError:
        return UNKNOWN_TIME_US
    hours, minutes, seconds = (clock.group(i) or "0" for i in (1, 2, 3))
    whole, _, fraction = seconds.partition(".")
    whole_seconds = ((days * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(whole)
    return whole_seconds * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def signal_line(line: str, path: Path) -> SignalSpec:
    """Parse `file format[xSPF][:skew][+offset] gain(baseline)/units resolution zero initial checksum block name`."""
    fields = line.split(None, 8)
    stored = _FORMAT.fullmatch(fields[1])
    scaling = _GAIN.fullmatch(fields[2] if len(fields) > 2 else "")
    if stored is None or scaling is None:
        raise ValueError(f"signal line {line[:80]!r}")
    samples_per_frame, skew = int(stored.group(2) or 1), int(stored.group(3) or 0)
    check_plausible(1 <= samples_per_frame <= MAX_SAMPLES_PER_FRAME, path, f"{samples_per_frame} samples per frame")
    check_plausible(skew <= MAX_SKEW_FRAMES, path, f"skew of {skew} frames")
    given = float(scaling.group(1) or 0)
    units = scaling.group(3) or "mV"
    millivolts = MILLIVOLTS_PER_UNIT.get(units.lower())
    gain = (given or DEFAULT_GAIN) / (millivolts or 1.0)
    check_plausible(math.isfinite(gain) and 1e-12 < abs(gain) < 1e12, path, f"gain {gain}")
    adc_zero = int(fields[4]) if len(fields) > 4 else 0
    return SignalSpec(
        file_name=fields[0],
        fmt=stored.group(1),
        samples_per_frame=samples_per_frame,
        skew=skew,
        byte_offset=int(stored.group(4) or 0),
        gain=gain,
        calibrated=given not in (0.0, 1.0),
        baseline=int(scaling.group(2)) if scaling.group(2) else adc_zero,
        units="mV" if millivolts else units,
        adc_resolution=int(fields[3]) if len(fields) > 3 else 0,
        adc_zero=adc_zero,
        initial_value=int(fields[5]) if len(fields) > 5 else adc_zero,
        checksum=int(fields[6]) if len(fields) > 6 else None,
        name=fields[8].strip() if len(fields) > 8 else "",
    )


def segment_line(line: str, path: Path) -> SegmentRef:
    """Parse `name samples`."""
    name, count = line.split()[:2]
    check_plausible(0 <= int(count) <= MAX_SAMPLES, path, f"a segment of {count} samples")
    return SegmentRef(name, int(count))
