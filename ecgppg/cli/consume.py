"""The commands that work on a file of an output folder: clustering, validation, stroke."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from ecgppg.cli.options import add_output_options, make_parser, named_path


@dataclass(frozen=True)
class Consumer:
    """One such command.

    Attributes
    ----------
    prog, description, examples : str
        What --help says.
    option : str
        The option that names the file.
    file : str
        Where the file lies below the output folder.
    stage : str
        The module of `ecgppg.stages` that does the work.
    """

    prog: str
    description: str
    option: str
    file: str
    stage: str
    examples: str


CLUSTERING = Consumer(
    "clustering_pipeline.py",
    "Find patterns in exported embeddings; writes OUT/discovery/.",
    "--embeddings",
    "embeddings.npz",
    "discover",
    "  clustering_pipeline.py --embeddings OUT/embeddings.npz\n"
    "  clustering_pipeline.py --embeddings OUT/embeddings.npz --set reducer=umap --set min_cluster_size=50",
)
VALIDATION = Consumer(
    "validate_patterns.py",
    "Ask whether patterns go with diagnoses, patient by patient; writes OUT/validation/.",
    "--patterns",
    "discovery/discovered_patterns.json",
    "validate",
    "  validate_patterns.py --patterns OUT/discovery/discovered_patterns.json",
)
STROKE = Consumer(
    "stroke_prediction.py",
    "Stroke report, detection and prediction apart, from a table of features; writes OUT/stroke/.",
    "--features",
    "clinical_features.csv",
    "stroke",
    "  stroke_prediction.py --features OUT/clinical_features.csv\n"
    "  stroke_prediction.py --features OUT/clinical_features.csv --set n_bootstrap=5000",
)


def main(consumer: Consumer, argv: Sequence[str] | None = None) -> int:
    """Run one of the commands; returns the exit code."""
    parser = make_parser(consumer.prog, consumer.description, consumer.examples)
    parser.add_argument(
        consumer.option, dest="file", type=named_path, required=True, metavar="FILE", help=f"OUT/{consumer.file}"
    )
    if consumer is CLUSTERING:
        parser.add_argument("--include-train", action="store_true", help="also patients the encoder was trained on")
    add_output_options(parser, fresh=False)
    args = parser.parse_args(argv)
    from ecgppg.cli.guard import run_guarded

    return run_guarded(lambda: _run(consumer, args))


def _run(consumer: Consumer, args: argparse.Namespace) -> int:
    from importlib import import_module

    from ecgppg.cli.workspace import open_workspace
    from ecgppg.config.errors import InputError
    from ecgppg.core.runlog import start_log

    file = args.file.expanduser().absolute()
    work = open_workspace(args, output=args.output_dir or file.parents[consumer.file.count("/")])
    if not file.is_file():
        raise InputError(f"{consumer.option} {args.file}: no such file")
    start_log(work.layout.log, args.verbose)
    import_module(f"ecgppg.stages.{consumer.stage}").run(work.settings, work.layout, file)
    return 0
