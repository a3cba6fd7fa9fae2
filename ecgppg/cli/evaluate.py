"""The command `ecgppg evaluate`: what an encoder is worth on a label, beside everything simpler."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ecgppg.cli.options import make_parser, named, named_path

EXAMPLES = """\
  ecgppg evaluate --dataset OUT/full_dataset.h5 --label label_reference=A --output-dir OUT
      an encoder a fold, trained on the patients outside it; then every comparison
  ecgppg evaluate --dataset OUT/full_dataset.h5 --label label_reference=A --against O --output-dir OUT
      the same encoders, the harder question
  ecgppg evaluate --dataset OUT/full_dataset.h5 --label label_reference=A --choices OUT/choice/choice.json --name chosen
      each fold's encoder with the settings that scripts/choose_encoder.py chose without that fold
  ecgppg evaluate --checkpoint OUT/encoder --dataset OTHER/full_dataset.h5 --label death_hospital --output-dir OUT
      an encoder that is there; the patients it has met are left out
  ecgppg evaluate --dataset OUT/full_dataset.h5 --target label_age --output-dir OUT"""
NAME, TAKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"), ("supervised", "hand_made")
"""What encoders may be called: a folder has their name, beside those of what all encoders share."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options of `ecgppg evaluate`."""
    prog = Path(sys.argv[0]).name or "ecgppg"
    parser = make_parser(f"{prog} evaluate", __doc__ or "", EXAMPLES)
    parser.add_argument("--dataset", type=named_path, required=True, metavar="FILE", help="a full_dataset.h5")
    parser.add_argument(
        "--checkpoint",
        type=named_path,
        metavar="PATH",
        help="OUT/encoder, or a checkpoint (.pth); left out: an encoder is trained a fold",
    )
    parser.add_argument(
        "--choices",
        type=named_path,
        metavar="FILE",
        help="OUT/choice/choice.json: what each fold's encoder is trained with, chosen without the fold",
    )
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument(
        "--label", type=named, metavar="COLUMN[=VALUE]", help="label of 1 and 0, or a value of a column of names"
    )
    asked.add_argument("--target", type=named, metavar="COLUMN", help="a number to predict")
    parser.add_argument("--against", type=named, metavar="VALUE", help="tell the label's value from this one alone")
    parser.add_argument("--name", type=named, metavar="NAME", help="name of these encoders, to compare settings")
    parser.add_argument("--outer-folds", type=int, metavar="N", help="outer folds over patients; default 5")
    parser.add_argument("--num-epochs", type=int, metavar="N", help="epochs an encoder is trained")
    parser.add_argument("--num-workers", type=int, metavar="W", help="encoders trained side by side, one thread each")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--output-dir", type=named_path, metavar="OUT", help="default: the folder of --dataset")
    parser.add_argument("--config", type=named_path, metavar="FILE", help="JSON or YAML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; may be repeated")
    parser.add_argument("--verbose", action="store_true", help="show details on the terminal")
    args = parser.parse_args(argv)
    if args.name is not None and (args.name in TAKEN or not NAME.fullmatch(args.name)):
        parser.error(f"--name {args.name}: give letters, digits, '.', '_' and '-', and none of {', '.join(TAKEN)}")
    if args.choices and args.checkpoint:
        parser.error("--choices: goes with encoders that are trained here, not with --checkpoint")
    if args.target and args.against:
        parser.error("--against goes with --label")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parse(argv)
    from ecgppg.cli.guard import run_guarded

    return run_guarded(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Do what the options ask for."""
    from ecgppg.cli.workspace import given_dataset, settings_around, usable_folder
    from ecgppg.stages import evaluate as stage
    from ecgppg.stages.evaluate_layout import FOLD_ENCODERS, GIVEN_ENCODER, EvaluationLayout
    from ecgppg.stages.evaluate_question import Question, parse_label

    dataset = given_dataset(args.dataset)
    root = usable_folder(args.output_dir or dataset.parent)
    checkpoint = args.checkpoint.expanduser().absolute() if args.checkpoint else None
    layout = EvaluationLayout(root, dataset, args.name or (GIVEN_ENCODER if checkpoint else FOLD_ENCODERS))
    # What trained these encoders is stored: a second question need not repeat the settings.
    settings = settings_around(args, dataset, layout.config)
    question = Question(args.target, regression=True) if args.target else parse_label(args.label, args.against)
    stage.run(settings, layout, question, checkpoint, args.choices, args.verbose)
    return 0
