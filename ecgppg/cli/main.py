"""The installed command `ecgppg`: the same functions as the scripts, as subcommands."""

import sys
from collections.abc import Callable, Sequence

from ecgppg.cli import consume, embed, evaluate, export_meds, production

COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "demo": ("the synthetic cohort through every stage", lambda rest: production.main(["--demo", *rest])),
    "build": ("WFDB records and clinical tables -> dataset", lambda rest: production.main(["--build-dataset", *rest])),
    "train": ("train the encoder, or go on; export embeddings", lambda rest: production.main(["--train-only", *rest])),
    "run": ("every stage that is not done yet", production.main),
    "discover": ("patterns in embeddings", lambda rest: consume.main(consume.CLUSTERING, rest)),
    "validate": ("patterns against diagnoses, by patient", lambda rest: consume.main(consume.VALIDATION, rest)),
    "stroke": ("stroke report", lambda rest: consume.main(consume.STROKE, rest)),
    "embed": ("embeddings by a trained encoder, of its own or another cohort", embed.main),
    "evaluate": ("an encoder against a label, beside everything simpler", evaluate.main),
    "report": ("the whole run on one page", lambda rest: production.main(["--report", *rest])),
    "export-meds": ("events, labels and splits in the MEDS standard", export_meds.main),
    "check": ("verify every artefact", lambda rest: production.main(["--check", *rest])),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else 2
    if words[0] == "--version":
        from ecgppg import __version__

        print(f"ecgppg {__version__}")
        return 0
    if words[0] not in COMMANDS:
        print(f"ecgppg: unknown command {words[0]!r}; commands: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    return COMMANDS[words[0]][1](words[1:])


def _usage() -> str:
    lines = [f"  {name:<12}{meaning}" for name, (meaning, _) in COMMANDS.items()]
    return "\n".join(["usage: ecgppg COMMAND [options]    (ecgppg COMMAND --help says more)", "", *lines])
