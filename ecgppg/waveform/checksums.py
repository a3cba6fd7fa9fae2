"""Header checksums: the 16-bit sum of every sample of a signal, which only a reading of the whole file can verify.

A header that says 0 is taken for one that says nothing, as many tools write it: unless the sum is 0, too, that tells
no more than that nobody summed.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ecgppg.config.errors import DamagedRecord
from ecgppg.waveform.codes import MISSING_CODE, missing_in
from ecgppg.waveform.header import GAP, Header, read_header
from ecgppg.waveform.reader import frames_by_file, n_frames, read_narrow
from ecgppg.waveform.record import header_of

MODULUS = 2**16
SAMPLES_PER_BLOCK = 2**22
"""Samples read at a time: a few MB, whatever the length of the file."""


@dataclass(frozen=True)
class Verified:
    """What the checksums of some signals say.

    Attributes
    ----------
    counts : Counter
        `signals`, of which `verified`, `bad_checksum`, `unstated` (the header gives none), and by the reasons of
        `schema.READ_REASONS` those of files that are absent, short or unreadable; `bytes` read.
    mismatches : tuple of str
        One line a signal whose sum is not its header's: file, signal, both numbers.
    damages : tuple of str
        One line a file or header that could not be read whole.
    """

    counts: Counter[str]
    mismatches: tuple[str, ...] = ()
    damages: tuple[str, ...] = ()

    def __add__(self, other: "Verified") -> "Verified":
        return Verified(
            self.counts + other.counts, self.mismatches + other.mismatches, self.damages + other.damages
        )  # fmt: skip


def verify_record(root: Path, record: str) -> Verified:
    """Verify every signal of a record, segment by segment; memory does not depend on its length.

    Parameters
    ----------
    root : Path
        The waveform folder.
    record : str
        Path of the record below it, without extension.

    Returns
    -------
    Verified
        A damaged record or segment is a count and a line; nothing is raised for it.
    """
    total = Verified(Counter())
    try:
        master = header_of(root, record)
    except DamagedRecord as damage:
        return _damaged(damage)
    names = dict.fromkeys(segment.name for segment in master.segments if segment.name != GAP and segment.n_samples)
    for name in names:
        try:
            total += verify_header(read_header(master.folder, name))
        except DamagedRecord as damage:
            total += _damaged(damage)
    return total if master.segments else verify_header(master)


def verify_header(header: Header) -> Verified:
    """Verify every signal of a record that is one segment."""
    total = Verified(Counter())
    # The sum is over the file's samples: where they stand in time is no matter.
    unskewed = replace(header, signals=tuple(replace(spec, skew=0) for spec in header.signals))
    for name, held in frames_by_file(header).items():
        signals = [s for s, spec in enumerate(header.signals) if spec.file_name == name]
        path = header.folder / name
        try:
            if held is None:
                raise DamagedRecord("missing_file", path)
            if held < header.n_samples:
                raise DamagedRecord("short_file", path, f"{held} of {header.n_samples} frames")
            total += _verify_file(unskewed, path, signals, n_frames(header))
        except DamagedRecord as damage:
            total += _damaged(damage, len(signals))
    return total


def _verify_file(header: Header, path: Path, signals: list[int], n: int) -> Verified:
    specs = [header.signals[s] for s in signals]
    # Format 8 stores differences, which wfdb reads from the start or not at all.
    if specs[0].fmt == "8" or not any(spec.checksum for spec in specs):
        return Verified(Counter(signals=len(specs), unstated=len(specs)))
    sums = np.zeros(len(specs), dtype=np.int64)
    frames_per_block = max(SAMPLES_PER_BLOCK // header.files[signals[0]].width, 1)
    for start in range(0, n, frames_per_block):
        for i, codes in enumerate(read_narrow(header, signals, start, min(frames_per_block, n - start))):
            sums[i] = (sums[i] + _sum_as_stored(codes, specs[i].fmt)) % MODULUS
    counts = Counter(signals=len(specs), bytes=path.stat().st_size)
    mismatches = []
    for spec, total in zip(specs, sums.tolist(), strict=True):
        stated = (spec.checksum or 0) % MODULUS
        outcome = "verified" if total == stated else "bad_checksum" if stated else "unstated"
        counts[outcome] += 1
        if outcome == "bad_checksum":
            mismatches.append(f"{path}: bad_checksum: signal {spec.name!r} sums to {total}, its header says {stated}")
    return Verified(counts, tuple(mismatches))


def _sum_as_stored(codes: np.ndarray, fmt: str) -> int:
    """Sum of codes, missing ones by the code that the format stores for them."""
    total = int(codes.sum(dtype=np.int64))
    apart = MISSING_CODE[fmt] - missing_in(codes)
    return total + apart * int((codes == missing_in(codes)).sum()) if apart else total


def _damaged(damage: DamagedRecord, n_signals: int = 0) -> Verified:
    return Verified(Counter({"signals": n_signals, damage.reason: max(n_signals, 1)}), (), (str(damage),))
