"""The waveform files that a build read, summed and held against the checksums of their headers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ecgppg.config.errors import EcgppgError
from ecgppg.config.schema import READ_REASONS, OutputLayout
from ecgppg.core.files import read_completion
from ecgppg.core.parallel import map_jobs
from ecgppg.core.progress import progress
from ecgppg.core.runlog import readable_bytes
from ecgppg.sources.find import find_patients
from ecgppg.stages.check_settings import stored_settings
from ecgppg.waveform.checksums import Verified, verify_record

LINES_SHOWN = 20
RECORDS_PER_JOB = 8


@dataclass(frozen=True)
class ChecksumJob:
    """Some records of one folder."""

    root: Path
    records: tuple[str, ...]


def verify_records(job: ChecksumJob) -> Verified:
    """Sum every signal of some records; what a worker process does."""
    total = Verified(Counter())
    for record in job.records:
        total += verify_record(job.root, record)
    return total


def waveform_notes(layout: OutputLayout) -> list[str]:
    """Verify every record of the patients that the dataset was built from.

    Parameters
    ----------
    layout : OutputLayout
        Its config.json names the waveform folder.

    Returns
    -------
    list of str
        A line for each signal whose sum is not its header's, how much was verified, and why the rest was not. Notes
        and no problems: recordings have such faults before anything is made of them, and none is mended here.
    """
    built = read_completion(layout.dataset)
    if built is None:
        return []
    try:
        settings = stored_settings(layout)
        patients = [p for p in find_patients(settings) if str(p.subject_id) in built["subjects"]]
    except EcgppgError as error:
        return [f"waveform checksums: not verified ({error})"]
    assert settings.waveforms_dir, "find_patients refuses settings without a folder"
    root, records = Path(settings.waveforms_dir), [record for p in patients for record in p.records]
    lost = len(built["subjects"]) - len(patients)
    notes = [f"waveform checksums: {lost} patients of the dataset are no longer in {root}"] if lost else []
    total = Verified(Counter())
    workers = settings.num_workers if len(records) > RECORDS_PER_JOB else 0
    with progress("summing waveforms", len(records), "records") as bar:
        for done in map_jobs(verify_records, _jobs(root, records), workers):
            if done.result is None:
                total += Verified(Counter(worker_died=len(done.job.records)))
            else:
                total += done.result
            bar.advance(len(done.job.records))
    counts = total.counts
    notes += total.mismatches
    notes.append(
        f"waveform checksums: {counts['verified']:,} of {counts['signals']:,} signals in {len(records):,} records "
        f"verified ({readable_bytes(counts['bytes'])} read), {counts['bad_checksum']:,} differ, "
        f"{counts['unstated']:,} have none"
    )
    unread = [f"{counts[r]:,} {r}" for r in READ_REASONS if counts[r] and r != "bad_checksum"]
    if unread:
        notes.append(f"waveform files not summed, by reason: {', '.join(unread)}")
        notes += [f"  {line}" for line in total.damages[:LINES_SHOWN]]
        if len(total.damages) > LINES_SHOWN:
            notes.append(f"  ... and {len(total.damages) - LINES_SHOWN:,} more")
    return notes


def _jobs(root: Path, records: list[str]) -> Iterator[ChecksumJob]:
    for start in range(0, len(records), RECORDS_PER_JOB):
        yield ChecksumJob(root, tuple(records[start : start + RECORDS_PER_JOB]))
