"""The command `ecgppg embed`: the windows of an output folder, or of any other dataset, through an encoder."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ecgppg.cli import production
from ecgppg.cli.options import make_parser, named_path

EXAMPLES = """\
  ecgppg embed --output-dir OUT
      the windows of OUT with the encoder of OUT, as training does at its end; takes the options of `ecgppg train`
  ecgppg embed --checkpoint OUT/encoder --dataset OTHER/full_dataset.h5 --output other.npz
      another cohort; patients that the encoder was trained on are marked so
  ecgppg embed --checkpoint OUT/latest_checkpoint.pth --dataset OTHER/full_dataset.h5 --output other.npz
      the same with the best weights of a training that is under way"""
OWN = ("--checkpoint", "--dataset", "--output", "-h", "--help")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not any(word.split("=")[0] in OWN for word in words):
        return production.main(["--embed-only", *words])
    parser = make_parser(f"{Path(sys.argv[0]).name or 'ecgppg'} embed", __doc__ or "", EXAMPLES)
    parser.add_argument(
        "--checkpoint", type=named_path, required=True, metavar="PATH", help="OUT/encoder, or a checkpoint (.pth)"
    )
    parser.add_argument("--dataset", type=named_path, required=True, metavar="FILE", help="a full_dataset.h5")
    parser.add_argument("--output", type=named_path, required=True, metavar="FILE", help="the .npz to write")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--loader-workers", type=int, default=0, metavar="N", help="processes that read; 0: none")
    args = parser.parse_args(words)
    if args.output.suffix != ".npz":
        parser.error(f"--output {args.output}: name a .npz file")
    if not 0 <= args.loader_workers <= 64:
        parser.error(f"--loader-workers {args.loader_workers}: 0 to 64")
    from ecgppg.cli.guard import run_guarded

    return run_guarded(lambda: _run(args.checkpoint, args.dataset, args.output, args.device, args.loader_workers))


def _run(checkpoint: Path, dataset: Path, output: Path, device: str, workers: int) -> int:
    from ecgppg.core.runlog import start_log
    from ecgppg.stages import embed_cohort

    start_log(None)
    checkpoint, dataset, output = (path.expanduser().absolute() for path in (checkpoint, dataset, output))
    embed_cohort.run(checkpoint, dataset, output, device, workers)
    return 0
