"""The command behind scripts/choose_encoder.py: settings chosen without the recordings that will judge them."""

import argparse
from collections.abc import Sequence

from ecgppg.cli.options import make_parser, named, named_path

PROG = "choose_encoder.py"
EXAMPLES = """\
  choose_encoder.py --dataset OUT/full_dataset.h5 --label label_reference=A --candidates configs/encoder_choices.yaml \\
      --num-epochs 30 --output-dir OUT
      every candidate inside every outer fold's other patients; writes OUT/choice/
  ecgppg evaluate --dataset OUT/full_dataset.h5 --label label_reference=A --choices OUT/choice/choice.json \\
      --output-dir OUT
      then each outer fold is judged with the settings that won without it"""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options."""
    parser = make_parser(PROG, __doc__ or "", EXAMPLES)
    parser.add_argument("--dataset", type=named_path, required=True, metavar="FILE", help="a full_dataset.h5")
    parser.add_argument(
        "--label", type=named, required=True, metavar="COLUMN[=VALUE]", help="label that the candidates are judged by"
    )
    parser.add_argument("--against", type=named, metavar="VALUE", help="tell the label's value from this one alone")
    parser.add_argument(
        "--candidates", type=named_path, required=True, metavar="FILE", help="names, each with the settings it changes"
    )
    parser.add_argument("--outer-folds", type=int, metavar="N", help="outer folds over patients; default 5")
    parser.add_argument("--num-epochs", type=int, metavar="N", help="epochs an encoder is trained")
    parser.add_argument("--num-workers", type=int, metavar="W", help="trainings side by side, one thread each")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--output-dir", type=named_path, metavar="OUT", help="default: the folder of --dataset")
    parser.add_argument("--config", type=named_path, metavar="FILE", help="JSON or YAML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; may be repeated")
    parser.add_argument("--verbose", action="store_true", help="show details on the terminal")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parse(argv)
    from ecgppg.cli.guard import run_guarded

    return run_guarded(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Do what the options ask for."""
    from ecgppg.cli.workspace import given_dataset, settings_around, usable_folder
    from ecgppg.config.candidates import read_candidates
    from ecgppg.stages import choose as stage
    from ecgppg.stages.evaluate_question import parse_label

    dataset = given_dataset(args.dataset)
    root = usable_folder(args.output_dir or dataset.parent)
    candidates = read_candidates(args.candidates)
    settings = settings_around(args, dataset)
    stage.run(settings, root, dataset, parse_label(args.label, args.against), candidates, args.verbose)
    return 0
