#!/usr/bin/env python
"""Heart rates of a built dataset beside neurokit2's: OUT/full_dataset.h5 -> lines of text."""

import argparse
from pathlib import Path


def main() -> int:
    """Print the share of windows within 5 bpm, in all and by a label; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example:\n  check_heart_rate.py --dataset OUT/full_dataset.h5 --by label_rhythm",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dataset", type=Path, required=True, metavar="FILE", help="OUT/full_dataset.h5")
    parser.add_argument("--by", metavar="LABEL", help="a label of categories: a line for each of them")
    parser.add_argument("--panel", action="store_true", help="ask neurokit2's other detectors too (ten times slower)")
    args = parser.parse_args()
    from ecgppg.cli.guard import run_guarded

    return run_guarded(lambda: check(args.dataset, args.by, args.panel))


def check(path: Path, by: str | None, panel: bool) -> int:
    """Compare and print."""
    from ecgppg.evaluation.heart_rate import check_heart_rates, describe
    from ecgppg.store.reader import open_dataset

    with open_dataset(path) as dataset:
        print(describe(check_heart_rates(dataset, by, panel)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
