#!/usr/bin/env python
"""How long a build takes and what it needs, from measured rates: for two sizes of MIMIC-III and several cores.

The rates come from benchmarks/build.py on your machine, or from the log of a build of your own. Prints Markdown.

  python scripts/scaling_table.py --judged-per-core-s 900 --kept-share 0.9 --segment-bytes 1800 --merge-per-s 8000
  python scripts/scaling_table.py ... --max-segments-per-patient off --cores 16 128
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

COPIES = 2
"""Shards and the dataset made of them lie on the disk at the same time."""


@dataclass(frozen=True)
class Cohort:
    """What there is to build."""

    name: str
    n_patients: int
    n_bytes: float


COHORTS = (Cohort("2,415 patients", 2_415, 60e9), Cohort("10,282 patients", 10_282, 2.4e12))


@dataclass(frozen=True)
class Rates:
    """What was measured.

    Parameters
    ----------
    judged_per_core_s : float
        Windows read, filtered and judged, a second and core.
    kept_share : float
        Of the judged windows, 0 to 1.
    segment_bytes : float
        Of a kept segment in the dataset, its columns included.
    merge_per_s : float
        Segments a second through one merge: of parts into a shard, by a worker, and of shards into the dataset with
        its tables, by the parent alone.
    window_bytes : float
        Of the recordings, for 10 s of a patient: signals x samples x bytes a sample.
    worker_bytes, parent_bytes : float
        Peak memory of one worker, and of the parent, whatever the number of segments.
    """

    judged_per_core_s: float
    kept_share: float
    segment_bytes: float
    merge_per_s: float
    window_bytes: float
    worker_bytes: float
    parent_bytes: float


@dataclass(frozen=True)
class Estimate:
    """Of one build: windows, hours (parts and shards; the last merge), bytes."""

    n_judged: float
    n_kept: float
    parts_hours: float
    merge_hours: float
    read_bytes: float
    dataset_bytes: float
    disk_bytes: float
    workers_bytes: float
    parent_bytes: float

    @property
    def hours(self) -> float:
        """Parts and shards, then the last merge."""
        return self.parts_hours + self.merge_hours

    @property
    def read_bytes_per_s(self) -> float:
        """What the shared disk must give while parts are built."""
        return self.read_bytes / (3600 * self.parts_hours) if self.parts_hours else 0.0


def estimate(cohort: Cohort, rates: Rates, n_cores: int, most_segments: float) -> Estimate:
    """Hours, disk and memory of a build.

    Parameters
    ----------
    cohort : Cohort
        Size of the recordings.
    rates : Rates
        What was measured.
    n_cores : int
        Workers, one a core; they are taken to scale, as long as the disk gives `read_bytes_per_s`.
    most_segments : float
        max_segments_per_patient; infinity takes every window.

    Returns
    -------
    Estimate
        Of a cohort in which all stays are equally long: with a limit, true stays, of which some are shorter than
        the limit, take less.
    """
    available = cohort.n_bytes / rates.window_bytes / cohort.n_patients
    wanted = most_segments / rates.kept_share if rates.kept_share else inf
    n_judged = cohort.n_patients * min(available, wanted)
    n_kept = n_judged * rates.kept_share
    dataset_bytes = n_kept * rates.segment_bytes
    return Estimate(
        n_judged=n_judged,
        n_kept=n_kept,
        parts_hours=(n_judged / rates.judged_per_core_s + n_kept / rates.merge_per_s) / n_cores / 3600,
        merge_hours=n_kept / rates.merge_per_s / 3600,
        read_bytes=n_judged * rates.window_bytes,
        dataset_bytes=dataset_bytes,
        disk_bytes=COPIES * dataset_bytes,
        workers_bytes=n_cores * rates.worker_bytes,
        parent_bytes=rates.parent_bytes,
    )


def table(rates: Rates, cores: Sequence[int], limits: Sequence[float]) -> str:
    """The estimates as a Markdown table."""
    lines = [
        "| recordings | segments a patient | cores | judged | kept | parts and shards, h | last merge, h | together, h "
        "| reading, MB/s | dataset, GB | free disk, GB | all workers, GB | parent, GB |",
        "|---|---|" + 11 * "---:|",
    ]
    for cohort in COHORTS:
        for limit in limits:
            for n_cores in cores:
                one = estimate(cohort, rates, n_cores, limit)
                words = [
                    f"{cohort.name}, {cohort.n_bytes / 1e9:,.0f} GB",
                    "all" if limit == inf else f"at most {limit:,.0f}",
                    f"{n_cores:,}",
                    f"{one.n_judged / 1e6:,.1f} M",
                    f"{one.n_kept / 1e6:,.1f} M",
                    *(f"{hours:.2g}" for hours in (one.parts_hours, one.merge_hours, one.hours)),
                    f"{one.read_bytes_per_s / 1e6:,.0f}",
                    *(f"{n / 1e9:,.0f}" for n in (one.dataset_bytes, one.disk_bytes, one.workers_bytes)),
                    f"{one.parent_bytes / 1e9:.1f}",
                ]
                lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=Path(__file__).name, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add: Any = parser.add_argument
    add("--judged-per-core-s", type=_positive, required=True, help="windows judged a second and core")
    add("--kept-share", type=_share, required=True, help="of the judged windows, 0 to 1")
    add("--segment-bytes", type=_positive, required=True, help="of a kept segment in the dataset")
    add("--merge-per-s", type=_positive, required=True, help="segments a second through one merge")
    add("--window-bytes", type=_positive, default=5_000, help="of the recordings for 10 s; default 4 signals, 8 bits")
    add("--worker-gb", type=_positive, default=1.5, help="peak memory of a worker; default 1.5")
    add("--parent-gb", type=_positive, default=0.5, help="peak memory of the parent; default 0.5")
    add("--cores", type=int, nargs="+", default=[8, 64, 512], metavar="N")
    add("--max-segments-per-patient", type=_limit, nargs="+", default=[1000.0, inf], metavar="N|off")
    args = parser.parse_args(argv)
    rates = Rates(
        args.judged_per_core_s, args.kept_share, args.segment_bytes, args.merge_per_s, args.window_bytes,
        args.worker_gb * 1e9, args.parent_gb * 1e9,
    )  # fmt: skip
    print(table(rates, args.cores, args.max_segments_per_patient))
    return 0


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < inf:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("expected a share from 0 to 1")
    return value


def _limit(text: str) -> float:
    return inf if text == "off" else _positive(text)


if __name__ == "__main__":
    raise SystemExit(main())
