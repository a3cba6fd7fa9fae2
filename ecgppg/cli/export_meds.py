"""The command `ecgppg export-meds`: an output folder as a MEDS dataset."""

import argparse
from collections.abc import Sequence

from ecgppg.cli.options import add_output_options, make_parser, named

EXAMPLES = """\
  ecgppg export-meds --output-dir OUT
  ecgppg export-meds --output-dir OUT --clinical mimic-iii"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = make_parser(
        "ecgppg export-meds", "Write OUT/meds/: events, labels and splits in the MEDS standard.", EXAMPLES
    )
    parser.add_argument(
        "--clinical", type=named, metavar="DIR", help="folder of the MIMIC-III tables; default: the build's"
    )
    add_output_options(parser, fresh=False)
    args = parser.parse_args(argv)
    from ecgppg.cli.guard import run_guarded

    return run_guarded(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    from ecgppg.cli.workspace import open_workspace
    from ecgppg.config.errors import InputError
    from ecgppg.core.runlog import start_log
    from ecgppg.stages import export_meds

    work = open_workspace(args)
    if not work.layout.root.is_dir():
        raise InputError(f"--output-dir {work.layout.root}: no such folder")
    start_log(work.layout.log, args.verbose)
    export_meds.run(work.settings, work.layout)
    return 0
