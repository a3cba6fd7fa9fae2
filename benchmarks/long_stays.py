#!/usr/bin/env python
"""Long stays: what is read where a thousand windows of each are kept, and what memory it takes to keep them all.

First a tree of long records with `max_segments_per_patient`: bytes read of the bytes there, for both builds, and the
ratio of their times. Then single records of growing length with no limit: peak memory of a worker and of the parent.
Exit 1 if a process took more than it may.

  python benchmarks/long_stays.py
  python benchmarks/long_stays.py --patients 12 --hours 48 --memory-hours 25 100 200
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from build import compare, report
from make_tree import make_tree
from measure import bytes_by_system_calls
from naive_build import build_patient, list_patients
from sides import Task, run_side

from ecgppg.config.settings import Settings
from ecgppg.sources.find import find_patients
from ecgppg.waveform.patient import read_patient

MOST_BYTES = 1.5e9
"""Resident memory that a process of ours may take, whatever the length of a stay."""


def bytes_read(task: Task) -> dict[str, int]:
    """Bytes that each side reads of the tree: headers and signals, nothing else.

    Both are run in this process, a patient at a time, without writing; the kernel counts what they read.
    """
    settings = Settings(waveforms_dir=str(task.waveforms), max_segments_per_patient=task.limit)
    found = find_patients(settings)
    paths = list_patients(task.waveforms)
    ours = [
        lambda p=p: read_patient(task.waveforms, p.subject, p.subject_id, list(p.records), settings) for p in found
    ]  # fmt: skip
    naive = [lambda name=name: build_patient((name, paths[name], task.limit or 0)) for name in paths]
    return {"naive": _count(naive), "ours": _count(ours)}


def _count(calls: Iterable[Callable[[], Any]]) -> int:
    calls = list(calls)
    calls[0]()  # Modules and compiled kernels are read now, and not while we count.
    before, _ = bytes_by_system_calls("self")
    for call in calls:
        call()
    return bytes_by_system_calls("self")[0] - before


def peak_memory(hours: float, work: Path) -> dict[str, Any]:
    """Peaks of our build on one record of so many hours, every window of it taken."""
    waveforms = work / f"hours_{hours:g}"
    n_bytes = make_tree(waveforms, patients=1, hours=hours)
    build = run_side("ours", Task(waveforms, workers=1), work)
    return {
        "hours": hours, "signal_bytes": n_bytes, "judged": build.n_judged, "kept": build.n_kept,
        "parent_peak_bytes": build.usage.parent_peak_bytes, "worker_peak_bytes": max(build.usage.worker_peak_bytes),
    }  # fmt: skip


def main() -> int:
    """Measure and print; the exit code says whether memory stayed within its bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--hours", type=float, default=30.0, help="length of each of their records")
    parser.add_argument("--max-segments-per-patient", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory-hours", type=float, nargs="*", default=[25.0, 100.0], help="lengths built whole")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark_") as name:
        work = Path(name)
        waveforms = work / "waveforms"
        n_bytes = make_tree(waveforms, args.patients, args.hours)
        task = Task(waveforms, args.workers, args.max_segments_per_patient)
        result = compare(task, args.repeats, work, with_floor=False)
        result["bytes_read"] = read = bytes_read(task)
        print(report(result))
        for side, n in read.items():
            print(f"{side}: read {n / 1e6:,.1f} MB of {n_bytes / 1e6:,.1f} MB in the tree ({n / n_bytes:.1%})")
        print(f"bytes read, naive / ours: {read['naive'] / read['ours']:.1f}")
        result["memory"] = [peak_memory(hours, work) for hours in args.memory_hours]
    within = True
    for one in result["memory"]:
        peaks = one["parent_peak_bytes"], one["worker_peak_bytes"]
        within &= max(peaks) <= MOST_BYTES
        print(
            f"{one['hours']:g} h built whole, {one['kept']:,} segments: parent {peaks[0] / 1e6:,.0f} MB, worker "
            f"{peaks[1] / 1e6:,.0f} MB; {'within' if max(peaks) <= MOST_BYTES else 'OVER'} {MOST_BYTES / 1e6:,.0f} MB"
        )
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
