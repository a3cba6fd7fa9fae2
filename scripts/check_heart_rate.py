#!/usr/bin/env python
"""Heart rates of a built dataset beside neurokit2's: OUT/full_dataset.h5 -> lines of text."""

import argparse
from pathlib import Path

from ecgppg.evaluation.neurokit_rates import DEFAULT, PANEL, Judge


def main() -> int:
    """Print the share of windows within 5 bpm, in all and by a label; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="examples:\n"
        "  check_heart_rate.py --dataset OUT/full_dataset.h5 --by label_rhythm\n"
        "  check_heart_rate.py --dataset OUT/full_dataset.h5 --recordings WAVEFORMS --judge kalidas2017 --panel",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dataset", type=Path, required=True, metavar="FILE", help="OUT/full_dataset.h5")
    parser.add_argument("--by", metavar="LABEL", help="a label of categories: a line for each of them")
    parser.add_argument("--panel", action="store_true", help="ask neurokit2's other detectors too (ten times slower)")
    parser.add_argument(
        "--judge", default=DEFAULT, choices=(DEFAULT, *PANEL), help="neurokit2's detector (%(default)s)"
    )
    parser.add_argument("--upright", action="store_true", help="the judge asks neurokit2's ecg_invert first")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="the folder of WFDB records the dataset was built from: judge and panel are given whole recordings as "
        "taped, not the stored windows one by one",
    )
    args = parser.parse_args()
    from ecgppg.cli.guard import run_guarded

    judge = Judge(args.judge, args.upright)
    return run_guarded(lambda: check(args.dataset, args.by, args.panel, judge, args.recordings))


def check(path: Path, by: str | None, panel: bool, judge: Judge, recordings: Path | None) -> int:
    """Compare and print."""
    from ecgppg.evaluation.heart_rate import check_heart_rates, describe
    from ecgppg.store.reader import open_dataset

    with open_dataset(path) as dataset:
        print(describe(check_heart_rates(dataset, by, panel, judge, recordings)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
