"""Command-line options shared by the commands; nothing heavy is imported here, so that --help answers at once."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

SETTING_FLAGS = {
    "waveforms": "waveforms_dir",
    "clinical": "clinical_dir",
    "source": "source",
    "records_csv": "records_csv",
    "patients_file": "patients_file",
    "max_patients": "max_patients",
    "num_workers": "num_workers",
    "backend": "backend",
    "dask_address": "dask_address",
    "ray_address": "ray_address",
    "num_epochs": "num_epochs",
    "outer_folds": "outer_folds",
    "device": "device",
    "include_train": "include_train",
}
"""Options that are settings under another or the same name."""


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong option is one line and exit 2, without the usage text above it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def make_parser(prog: str, description: str, examples: str) -> Parser:
    """A parser that shows its examples as they are written."""
    return Parser(
        prog=prog,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def named(text: str) -> str:
    """A path that an option names: an empty word, as an unset shell variable gives, would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("names nothing")
    return text


def named_path(text: str) -> Path:
    """The same as a Path."""
    return Path(named(text))


def add_output_options(parser: argparse.ArgumentParser, fresh: bool = True) -> None:
    """Where the work lies and which settings it follows; `fresh` where a command has something to start anew."""
    group = parser.add_argument_group("output and settings")
    group.add_argument(
        "--output-dir", type=named_path, metavar="OUT", help="output folder; default: the folder of --config"
    )
    group.add_argument("--config", type=named_path, metavar="FILE", help="JSON or YAML file of settings")
    group.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; may be repeated")
    if fresh:
        group.add_argument("--fresh", action="store_true", help="remove what these stages made before and start anew")
    else:
        parser.set_defaults(fresh=False)
    group.add_argument("--verbose", action="store_true", help="one line on the terminal for every damaged file")


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Where recordings and tables come from, and how many."""
    group = parser.add_argument_group("input")
    group.add_argument("--waveforms", type=named, metavar="DIR", help="folder of the WFDB records")
    group.add_argument(
        "--clinical", type=named, metavar="DIR", help="folder of the MIMIC-III tables; left out: labels are -1"
    )
    group.add_argument(
        "--source", choices=["mimic3", "wfdb"], help="mimic3: matched layout (default); wfdb: any folder"
    )
    group.add_argument("--records-csv", type=named, metavar="FILE", help="wfdb: table of record, subject and labels")
    group.add_argument("--patients-file", type=named, metavar="FILE", help="build only the subject ids in this file")
    group.add_argument("--max-patients", type=int, metavar="N", help="build the N patients with most data")


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """How to run; never changes a result."""
    group = parser.add_argument_group("machine")
    group.add_argument("--num-workers", type=int, metavar="N", help="worker processes on this machine; 0: none")
    group.add_argument("--device", help="auto, cpu, cuda or cuda:N")


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """What runs the jobs of the build; never changes a result."""
    group = parser.add_argument_group("build on a cluster (docs/scaling.md)")
    group.add_argument("--backend", choices=["local", "dask", "ray"], help="what runs the build's jobs; default: local")
    group.add_argument(
        "--dask-address", type=named, metavar="tcp://HOST:PORT", help="running Dask scheduler; left out: workers here"
    )
    group.add_argument(
        "--ray-address", type=named, metavar="HOST:PORT", help="running Ray head, or auto; left out: workers here"
    )


def misplaced_address(args: argparse.Namespace, backend: str) -> str | None:
    """One line where an address is given to an engine that is not chosen; None where all is well."""
    for engine in ("dask", "ray"):
        if getattr(args, f"{engine}_address", None) and backend != engine:
            return f"--{engine}-address: goes with --backend {engine}, not with {backend}"
    return None


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Settings given as options of their own; options left out are absent."""
    values = {key: getattr(args, flag, None) for flag, key in SETTING_FLAGS.items()}
    return {key: value for key, value in values.items() if value is not None and value is not False}
