"""From options to settings and an output folder: what is stored, then the file, then the words of the command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecgppg.config.schema import OutputLayout
    from ecgppg.config.settings import Settings


@dataclass(frozen=True)
class Workspace:
    """One output folder and the settings that this command follows in it."""

    settings: "Settings"
    layout: "OutputLayout"


def open_workspace(
    args: argparse.Namespace, output: Path | None = None, preset: dict[str, Any] | None = None
) -> Workspace:
    """Resolve the settings of a command.

    Parameters
    ----------
    args : argparse.Namespace
        Parsed options.
    output : Path, optional
        The output folder where an option other than --output-dir names it.
    preset : dict, optional
        Settings that fill only what nobody gave.

    Returns
    -------
    Workspace
        Settings in this order, later ones winning: preset, OUT/config.json, --config, --set, options. With --fresh
        the settings of stages that are begun anew may differ from the stored ones; a stored file that cannot be read
        is then left aside.
    """
    from ecgppg.cli.options import given_settings
    from ecgppg.config.errors import ConfigError
    from ecgppg.config.load import build_settings, parse_assignments, read_settings_file
    from ecgppg.config.schema import OutputLayout

    root = output or args.output_dir or (args.config.parent if args.config else None)
    if root is None:
        raise ConfigError("--output-dir: name the output folder (or a --config file inside it)")
    layout = OutputLayout(usable_folder(root))
    stored = _stored_settings(layout.config, lenient=args.fresh)
    from_file = read_settings_file(args.config) if args.config else {}
    layers = (stored, from_file, parse_assignments(args.set), given_settings(args))
    settings = build_settings(preset or {}, *map(absolute_paths, layers))
    return Workspace(settings, layout)


def settings_around(args: argparse.Namespace, dataset: Path, *stored: Path) -> "Settings":
    """Settings of a command that works on a dataset file: what built it, other stored files, then the user's words.

    Raises
    ------
    ConfigError
        If they cannot be.
    """
    from ecgppg.cli.options import given_settings
    from ecgppg.config.load import build_settings, parse_assignments, read_settings_file

    files = [path for path in (dataset.parent / "config.json", *stored) if path.is_file()]
    files += [args.config] if args.config else []
    layers = [*map(read_settings_file, files), parse_assignments(args.set), given_settings(args)]
    return build_settings(*map(absolute_paths, layers))


def given_dataset(path: Path) -> Path:
    """The file that --dataset names, absolute.

    Raises
    ------
    InputError
        If it is not there.
    """
    from ecgppg.config.errors import InputError

    dataset = path.expanduser().absolute()
    if not dataset.is_file():
        raise InputError(f"--dataset {path}: no such file")
    return dataset


def absolute_paths(values: dict[str, Any]) -> dict[str, Any]:
    """Make the paths among settings absolute, so that a stored config.json serves from any folder."""
    keys = (
        "waveforms_dir", "clinical_dir", "records_csv", "patients_file", "code_lists", "elixhauser_file",
        "cha2ds2_vasc_file", "ccs_file",
    )  # fmt: skip
    given = {key: values[key] for key in keys if isinstance(values.get(key), str) and values[key]}
    return values | {key: str(Path(value).expanduser().absolute()) for key, value in given.items()}


def _stored_settings(path: Path, lenient: bool) -> dict[str, Any]:
    """Settings of the last run in this folder; with `lenient`, none where the file is damaged."""
    from ecgppg.config.errors import ConfigError
    from ecgppg.config.load import build_settings, read_settings_file

    if not path.is_file():
        return {}
    try:
        stored = read_settings_file(path)
        if lenient:
            build_settings(stored)
    except ConfigError:
        if not lenient:
            raise
        return {}
    return stored


def usable_folder(root: Path) -> Path:
    """The output folder, absolute; refused where no folder can be, before anything is written."""
    from ecgppg.config.errors import ConfigError

    try:
        folder = root.expanduser().absolute()
        nearest = next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())
        is_folder = nearest.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"--output-dir: no folder can have this name ({getattr(error, 'strerror', '') or error})"
        ) from error
    if not is_folder:
        raise ConfigError(f"--output-dir {root}: {nearest} is a file, not a folder")
    return folder
