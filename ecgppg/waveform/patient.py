"""All windows kept of one patient: planned from headers, read in a spread order, judged, described."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.config.errors import DamagedRecord
from ecgppg.config.settings import Settings
from ecgppg.core.stopwatch import Stopwatch
from ecgppg.waveform.kept import KeptWindows, PatientWindows, collected, kept_windows
from ecgppg.waveform.plan import WINDOWS_PER_RUN, Run, plan_patient, runs
from ecgppg.waveform.record import RecordPlan, open_record
from ecgppg.waveform.verdict import Verdict, judge
from ecgppg.waveform.windows import RunWindows, read_runs

__all__ = ["PatientReading", "PatientWindows", "read_patient"]

RUNS_PER_BLOCK = 16
"""Runs read and judged in one go: 96 windows, as many as stay in the processor's cache."""


class PatientReading:
    """A patient's windows, read and judged block by block; a record that cannot be read is a count and never raises.

    Parameters
    ----------
    root : Path
        The waveform folder.
    subject, subject_id : str, int
        Name and number of the patient.
    records : sequence of str
        Paths below `root`, without extension, in any order.
    settings : Settings
        Channels, lengths, bands, limits.

    Attributes
    ----------
    n_candidates : int
        Windows that the headers promise.
    counts, damages
        As those of `PatientWindows`; whole once `blocks` is exhausted.
    watch : Stopwatch
        Seconds of the steps plan, read, filter and judge.
    """

    def __init__(self, root: Path, subject: str, subject_id: int, records: Sequence[str], settings: Settings) -> None:
        self.subject, self.subject_id, self.settings = subject, subject_id, settings
        self.watch = Stopwatch()
        with self.watch.step("plan"):
            self._plans, self.counts, self._damages = _open_records(root, records, settings)
            plan = plan_patient(self._plans, settings)
        self.n_candidates = self.counts["windows_candidate"] = plan.n_candidates
        # Where every window is wanted their order is free, and in time order neighbours are read in one go.
        self._runs = plan.runs if settings.max_segments_per_patient is not None else tuple(sorted(plan.runs))

    @property
    def damages(self) -> tuple[str, ...]:
        """One line for each file that was not read whole."""
        return tuple(str(damage) for damage in self._damages)

    def blocks(self) -> Iterator[KeptWindows]:
        """Windows as they pass, until the limit of kept ones is reached; without a limit in dataset order."""
        limit = self.settings.max_segments_per_patient
        room, next_run = np.inf if limit is None else limit, 0
        while next_run < len(self._runs) and room > 0:
            enough = RUNS_PER_BLOCK if limit is None else -(-int(room) // WINDOWS_PER_RUN)
            block = self._runs[next_run : next_run + min(RUNS_PER_BLOCK, enough)]
            next_run += len(block)
            for kept in self._block(block, room):
                room -= len(kept)
                yield kept
        self.counts["windows_over_limit"] = self.counts["windows_candidate"] - self.counts["windows_judged"]
        self.counts = +self.counts

    def _block(self, block: Sequence[Run], room: float) -> Iterator[KeptWindows]:
        """Read and judge some runs; windows that come after the last one there is room for count as not judged."""
        read = self._read(block)
        whole = [windows for _, windows in read if isinstance(windows, RunWindows)]
        with self.watch.step("judge"):
            verdicts = dict(zip(map(id, whole), judge(whole, self.settings, describe_dropped=False), strict=True))
            judged = _within(block, read, verdicts, room)
        for members, windows in read:
            if isinstance(windows, DamagedRecord):
                for i in members:
                    if judged[i]:
                        self._damages.append(windows)
                        self.counts[f"record:{windows.reason}"] += 1
                        self.counts["window:unreadable"] += block[i].n
                        self.counts["windows_judged"] += block[i].n
                continue
            verdict = verdicts[id(windows)]
            seen_N = np.concatenate([np.arange(block[i].n) < judged[i] for i in members])
            self.counts["windows_judged"] += int(seen_N.sum())
            self.counts.update(f"window:{reason}" for reason in verdict.reason_N[seen_N & ~verdict.keep_N].tolist())
            kept = np.flatnonzero(seen_N & verdict.keep_N)
            self.counts["windows_kept"] += len(kept)
            if len(kept):
                with self.watch.step("describe"):
                    found = kept_windows(windows, verdict, kept, self.subject, self.subject_id, self.settings)
                yield found

    def _read(self, block: Sequence[Run]) -> list[tuple[list[int], RunWindows | DamagedRecord]]:
        """Runs of one stretch read together, with their places in the block; what cannot be read stands alone."""
        read: list[tuple[list[int], RunWindows | DamagedRecord]] = []
        places = sorted(range(len(block)), key=lambda i: block[i])
        for (record, _), group in groupby(places, key=lambda i: (block[i].record, block[i].stretch)):
            members = list(group)
            try:
                read.append((members, self._read_runs(record, [block[i] for i in members])))
            except DamagedRecord:
                for i in members:
                    try:
                        read.append(([i], self._read_runs(record, [block[i]])))
                    except DamagedRecord as damage:
                        read.append(([i], damage))
        return read

    def _read_runs(self, record: int, together: Sequence[Run]) -> RunWindows:
        return read_runs(self._plans[record], together, self.settings, self.watch)


def read_patient(
    root: Path, subject: str, subject_id: int, records: Sequence[str], settings: Settings
) -> PatientWindows:
    """All windows of a `PatientReading` at once."""
    reading = PatientReading(root, subject, subject_id, records, settings)
    blocks = list(reading.blocks())
    return collected(blocks, settings, reading.counts, reading.damages)


def _within(
    block: Sequence[Run],
    read: Sequence[tuple[list[int], RunWindows | DamagedRecord]],
    verdicts: dict[int, Verdict],
    room: float,
) -> list[int]:
    """Windows of each run of a block, in reading order, up to the last one that there is room for."""
    keeps: dict[int, np.ndarray] = {}
    for members, windows in read:
        if isinstance(windows, RunWindows):
            cuts = np.cumsum([block[i].n for i in members])[:-1]
            keeps |= zip(members, np.split(verdicts[id(windows)].keep_N, cuts), strict=True)
    judged = []
    for i, run in enumerate(block):
        if room <= 0:
            judged.append(0)
        elif i not in keeps:
            judged.append(run.n)
        else:
            passed = np.cumsum(keeps[i])
            judged.append(min(int(np.searchsorted(passed, room)) + 1, run.n))
            room -= passed[judged[-1] - 1]
    return judged


def _open_records(
    root: Path, records: Sequence[str], settings: BuildSettings
) -> tuple[list[RecordPlan], Counter[str], list[DamagedRecord]]:
    """Plans of the records that can be opened, in the order of their names, and what cannot be read, counted."""
    plans = []
    counts = Counter(records=len(records))
    damages: list[DamagedRecord] = []
    for name in sorted(set(records)):
        try:
            record = open_record(root, name, settings.channels, settings.required_channels)
        except DamagedRecord as damage:
            counts[f"record:{damage.reason}"] += 1
            damages.append(damage)
            continue
        plans.append(record)
        counts["records_read"] += 1
        counts.update({f"record:{reason}": n for reason, n in record.problems.items()})
        damages.extend(record.damages)
        used = {run.stretch for run in runs(record, settings.segment_seconds)}
        counts["record:too_short"] += len(record.stretches) - len(used)
    return plans, counts, damages
