#!/usr/bin/env python
"""Long stays: what is read where a thousand windows of each are kept, and what memory it takes to keep them all.

First a tree of long records with `max_segments_per_patient`: the ratio of both builds' times, and what each reads from
the disk once no cache holds the tree. Then single records of growing length with no limit: peak memory of a worker and
of the parent. Exit 1 if a process took more than it may.

  python benchmarks/long_stays.py
  python benchmarks/long_stays.py --patients 12 --hours 48 --memory-hours 25 100 200
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from build import compare, report
from make_tree import make_tree
from measure import forget
from sides import SIDES, Task, run_side

MOST_BYTES = 1.5e9
"""Resident memory that a process of ours may take, whatever the length of a stay."""


def bytes_read(task: Task, work: Path) -> dict[str, int]:
    """Bytes that a disk had to give to each side; next to nothing where the tree lies in memory (tmpfs)."""
    out = {}
    for side in SIDES:
        forget(task.files())
        out[side] = run_side(side, task, work).usage.disk_bytes
    return out


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
        result = compare(task, args.repeats, work)
        result["bytes_read"] = read = bytes_read(task, work)
        print(report(result))
        for side, n in read.items():
            print(
                f"{side}: {n / 1e6:,.1f} MB from the disk, of {n_bytes / 1e6:,.1f} MB in the tree ({n / n_bytes:.1%})"
            )
        print(f"bytes read, naive / ours: {read['naive'] / max(read['ours'], 1):.1f}")
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
