"""What a record holds, by its headers and the sizes of its files: stretches in which nothing changes.

Single-segment, fixed-layout and variable-layout records look the same from here on. The record's own clock counts
frames from its start; where a segment begins follows from the sample counts of the master header alone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ecgppg.config.errors import DamagedRecord
from ecgppg.waveform.channels import pick_channels
from ecgppg.waveform.header import GAP, Header, SignalSpec, read_header
from ecgppg.waveform.reader import frames_by_file, n_frames

FS_TOLERANCE = 1e-6
"""Relative difference of two sampling rates that are taken for the same."""


MIN_CHANNEL_FS_HZ = 25.0
"""Slower signals are numerics or trends, whatever their name."""


@dataclass(frozen=True)
class Piece:
    """Part of one segment: frames [first, first + n) of it stand at frame `start` of the record."""

    header: Header
    start: int
    first: int
    n: int
    signals: Mapping[str, int]
    """{channel: index of its signal in `header`}"""


@dataclass(frozen=True)
class Stretch:
    """Consecutive pieces with the same channels under the same names, gains, baselines, units and formats."""

    record: str
    start: int
    n: int
    pieces: tuple[Piece, ...]
    specs: Mapping[str, SignalSpec]
    """{channel: how its codes are meant}; a channel that is absent here is absent from it."""

    @property
    def stop(self) -> int:
        """First frame of the record after the stretch."""
        return self.start + self.n


@dataclass(frozen=True)
class RecordPlan:
    """One record as far as its headers and file sizes tell.

    `damages` name the segments that are not read, or not whole, each with one of `schema.READ_REASONS`.
    """

    record: str
    fs_hz: float
    n_samples: int
    start_time_us: int
    stretches: tuple[Stretch, ...]
    damages: tuple[DamagedRecord, ...] = ()

    @property
    def problems(self) -> Counter[str]:
        """Damages counted by reason."""
        return Counter(damage.reason for damage in self.damages)


def open_record(root: Path, record: str, channels: Sequence[str], required: Sequence[str]) -> RecordPlan:
    """Plan one record from its headers; no sample is read.

    Parameters
    ----------
    root : Path
        The waveform folder.
    record : str
        Path of the record below it, without extension.
    channels, required : sequence of str
        Channels wanted, and those without which a stretch is of no use.

    Returns
    -------
    RecordPlan

    Raises
    ------
    DamagedRecord
        If the record's own header cannot be read; a damaged segment is one of `damages`.
    """
    header = header_of(root, record)
    damages: list[DamagedRecord] = []
    pieces: list[Piece] = []
    end = 0
    for segment, start, n in _segments(header, damages):
        end = start + n
        if segment is not None:
            pieces.extend(_pieces(segment, start, n, channels, required, damages))
    stretches = tuple(_stretches(record, pieces))
    return RecordPlan(record, header.fs_hz, end, header.start_time_us, stretches, tuple(damages))


def header_of(root: Path, record: str) -> Header:
    """The header of a record below `root`; raises as `read_header` does, and for a name that leaves the folder."""
    path = PurePosixPath(record)
    # Folders may be links, as a tree spread over several disks has them; a name that climbs may not.
    if path.is_absolute() or ".." in path.parts or "\0" in record:
        raise DamagedRecord("path_outside_folder", root, f"record {record!r}")
    return read_header(root / path.parent, path.name)


def _segments(header: Header, damages: list[DamagedRecord]) -> Iterator[tuple[Header | None, int, int]]:
    """(header or None where nothing can be read, first frame in the record, frames) of every segment."""
    if not header.segments:
        yield header, 0, n_frames(header)
        return
    start = 0
    for index, reference in enumerate(header.segments):
        layout = index == 0 and reference.n_samples == 0
        if not layout and reference.name != GAP:
            try:
                segment = read_header(header.folder, reference.name)
                if segment.segments:
                    raise DamagedRecord("bad_header", reference.name, "a segment with segments of its own")
                if abs(segment.fs_hz - header.fs_hz) > FS_TOLERANCE * header.fs_hz:
                    raise DamagedRecord("other_rate", reference.name, f"{segment.fs_hz:g} Hz")
                yield segment, start, reference.n_samples
            except DamagedRecord as damage:
                damages.append(damage)
                yield None, start, reference.n_samples
        else:
            yield None, start, reference.n_samples
        start += reference.n_samples


def _pieces(
    segment: Header,
    start: int,
    n: int,
    channels: Sequence[str],
    required: Sequence[str],
    damages: list[DamagedRecord],
) -> Iterator[Piece]:
    """Parts of one segment in which every required channel can be read.

    Where the files of two channels end at different frames, the part after the first end is a piece of its own.
    """
    path = segment.folder / segment.name
    held = frames_by_file(segment)
    n = min(n, segment.n_samples) if segment.n_samples > 0 else n
    if any(frames is None for frames in held.values()):
        damages.append(DamagedRecord("missing_file", path))
    if any(frames is not None and frames < n for frames in held.values()):
        damages.append(DamagedRecord("short_file", path))
    named = [s.name if s.file_name != GAP else "" for s in segment.signals]
    fast = [s.name if segment.fs_hz * s.samples_per_frame >= MIN_CHANNEL_FS_HZ else "" for s in segment.signals]
    readable = [name if held.get(s.file_name) else "" for name, s in zip(fast, segment.signals, strict=True)]
    if not _serves(required, named):
        damages.append(DamagedRecord("no_required_channels", path))
    elif not _serves(required, fast):
        damages.append(DamagedRecord("other_rate", path))
    picked = pick_channels(readable, channels)
    ends = {channel: min(held[segment.signals[s].file_name] or 0, n) for channel, s in picked.items()}
    first = 0
    for end in sorted(set(ends.values())):
        here = {channel: s for channel, s in picked.items() if ends[channel] >= end}
        if end > first and all(channel in here for channel in required):
            yield Piece(segment, start + first, first, end - first, here)
        first = end


def _serves(required: Sequence[str], sig_names: Sequence[str]) -> bool:
    """Whether every required channel is among the signals."""
    return len(pick_channels(sig_names, required)) == len(required)


def _stretches(record: str, pieces: list[Piece]) -> Iterator[Stretch]:
    """Join pieces that follow each other without a gap or a change."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and (joined[-1].start + joined[-1].n != piece.start or _meaning(joined[-1]) != _meaning(piece)):
            yield _stretch(record, joined)
            joined = []
        joined.append(piece)
    if joined:
        yield _stretch(record, joined)


def _stretch(record: str, pieces: list[Piece]) -> Stretch:
    specs = {channel: pieces[0].header.signals[s] for channel, s in pieces[0].signals.items()}
    return Stretch(record, pieces[0].start, sum(piece.n for piece in pieces), tuple(pieces), specs)


def _meaning(piece: Piece) -> dict[str, tuple[object, ...]]:
    """What has to stay the same within a stretch."""
    specs = {channel: piece.header.signals[s] for channel, s in piece.signals.items()}
    return {
        channel: (
            spec.name, spec.fmt, spec.samples_per_frame, spec.gain, spec.calibrated, spec.baseline, spec.units,
            spec.adc_resolution, spec.adc_zero,
        )
        for channel, spec in specs.items()
    }  # fmt: skip
