"""The command production_pipeline.py: options, then the stages of the pipeline."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ecgppg.cli.options import (
    add_engine_options,
    add_input_options,
    add_machine_options,
    add_output_options,
    make_parser,
    misplaced_address,
)

EXAMPLES = """\
  production_pipeline.py --demo --output-dir demo_output
  production_pipeline.py --build-dataset --waveforms mimic3wdb-matched --clinical mimic-iii --output-dir OUT
  production_pipeline.py --train-only --output-dir OUT
  production_pipeline.py --output-dir OUT                     every stage that is not done yet
  production_pipeline.py --build-dataset --source wfdb --waveforms bidmc --output-dir OUT
  production_pipeline.py --build-dataset --backend dask --dask-address tcp://node01:8786 --output-dir OUT
  production_pipeline.py --dry-run --waveforms DIR --output-dir OUT
  production_pipeline.py --check --output-dir OUT"""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of production_pipeline.py."""
    parser = make_parser(Path(sys.argv[0]).name or "production_pipeline.py", __doc__ or "", EXAMPLES)
    what = parser.add_argument_group(
        "what to do (none: every stage that is not done yet)"
    ).add_mutually_exclusive_group()
    what.add_argument("--demo", action="store_true", help="make the synthetic cohort and run every stage on it")
    what.add_argument("--build-dataset", action="store_true", help="build full_dataset.h5 and its tables only")
    what.add_argument("--train-only", action="store_true", help="train, or continue; then export embeddings")
    what.add_argument("--embed-only", action="store_true", help="export the embeddings of the trained encoder")
    what.add_argument("--report", action="store_true", help="write report.html from what is there")
    what.add_argument("--relabel", action="store_true", help="new label definitions, signals untouched")
    what.add_argument("--check", action="store_true", help="verify every artefact; exit 1 with what is wrong")
    what.add_argument("--dry-run", action="store_true", help="plan only: patients, windows, bytes, time")
    parser.add_argument("--deep", action="store_true", help="with --check: decode every signal and verify checksums")
    parser.add_argument("--num-epochs", type=int, metavar="N", help="epochs to train; may be raised later")
    add_input_options(parser)
    add_output_options(parser)
    add_machine_options(parser)
    add_engine_options(parser)
    args = parser.parse_args(argv)
    if args.deep and not args.check:
        parser.error("--deep goes with --check")
    if args.demo and (args.waveforms or args.clinical or args.records_csv or args.patients_file or args.source):
        parser.error("--demo makes its own recordings and tables: it goes without --waveforms, --clinical and the like")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parse(argv)
    from ecgppg.cli.guard import run_guarded

    return run_guarded(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Do what the options ask for; of the processes that torchrun starts, the first does all and the rest train."""
    from ecgppg.core.ranks import is_relaunch, on_several_machines, rank_and_world

    rank, world = rank_and_world()
    if rank > 0:
        return follow(args)
    if args.fresh and on_several_machines():
        from ecgppg.config.errors import ConfigError

        # A machine that joins again has all started again, and none of them can tell.
        raise ConfigError("--fresh: not with torchrun on several machines; give it once on one, then train on all")
    # torchrun starts a failed run again with the options it had: what was begun anew is not begun anew again.
    args.fresh = args.fresh and not is_relaunch()
    code = do(args)
    if world > 1:
        from ecgppg.training.distributed import release_followers

        release_followers()
    return code


def follow(args: argparse.Namespace) -> int:
    """Help the first process to train, where it does."""
    from ecgppg import pipeline
    from ecgppg.cli.workspace import open_workspace

    if args.build_dataset or args.embed_only or args.report or args.relabel or args.check or args.dry_run:
        return 0
    work = open_workspace(args, preset=pipeline.demo_preset() if args.demo else None)
    return pipeline.follow(work.settings, work.layout)


def do(args: argparse.Namespace) -> int:
    """Do what the options ask for, in this process."""
    from ecgppg import pipeline
    from ecgppg.cli.workspace import open_workspace
    from ecgppg.config.errors import ConfigError

    if args.demo:
        work = open_workspace(args, preset=pipeline.demo_preset())
        return pipeline.demo(work.settings, work.layout, fresh=args.fresh, verbose=args.verbose)
    work = open_workspace(args)
    misplaced = misplaced_address(args, work.settings.backend)
    if misplaced:
        raise ConfigError(misplaced)
    if args.check:
        return pipeline.check(work.layout, deep=args.deep)
    if args.dry_run:
        return pipeline.dry_run(work.settings)
    if args.relabel:
        return pipeline.relabel(work.settings, work.layout, verbose=args.verbose)
    stages: tuple[str, ...] = pipeline.STAGES
    if args.build_dataset:
        stages = pipeline.BUILD_STAGES
    elif args.train_only:
        stages = pipeline.TRAIN_STAGES
    elif args.embed_only:
        stages = ("embed",)
    elif args.report:
        stages = ("report",)
    return pipeline.run_stages(work.settings, work.layout, stages, fresh=args.fresh, verbose=args.verbose)
