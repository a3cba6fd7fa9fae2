"""What is refused before anything is removed, written or run for hours: inputs and settings that cannot serve."""

import errno
import os
from pathlib import Path

from ecgppg.config.errors import ConfigError, InputError, RefusedError
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_json

DISK_AT_FAULT = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def check_inputs(settings: Settings, layout: OutputLayout, stages: tuple[str, ...], fresh: bool) -> None:
    """Refuse inputs that stages could not start from.

    Raises
    ------
    ConfigError
        No input is named, or a setting of a late stage cannot be.
    InputError
        A folder is absent; with `fresh`, also one that holds nothing to build from: what lies in the output folder is
        removed next, and a wrong folder must not cost it.
    """
    built = layout.dataset.is_file() and not (fresh and "build" in stages)
    features_alone = settings.clinical_dir is not None and stages != ("build",)
    if "build" in stages and not (settings.waveforms_dir or built or features_alone):
        raise ConfigError("--waveforms: name the folder of the WFDB records (or set waveforms_dir)")
    for option, folder in (("--waveforms", settings.waveforms_dir), ("--clinical", settings.clinical_dir)):
        if folder and "build" in stages and not Path(folder).is_dir():
            raise InputError(f"{option} {folder}: no such folder")
    if "build" not in stages and not layout.dataset.is_file():
        raise InputError(f"{layout.dataset}: no dataset; run --build-dataset first")
    check_settings(settings, stages)
    if fresh and "build" in stages:
        _read_inputs(settings)


def check_settings(settings: Settings, stages: tuple[str, ...]) -> None:
    """Refuse a device, a crop or a file of codes that only a late stage would look at."""
    if "train" in stages and settings.crop_seconds > settings.segment_seconds:
        raise ConfigError(
            f"crop_seconds: {settings.crop_seconds:g} is longer than segment_seconds {settings.segment_seconds:g}"
        )
    if {"train", "embed"} & set(stages):
        from ecgppg.training.device import choose_device

        choose_device(settings.device)
    if "build" in stages and settings.code_lists:
        from ecgppg.clinical.code_lists import load_definitions

        load_definitions(settings.code_lists)
    if "build" in stages and settings.clinical_dir:
        from ecgppg.clinical.comorbidity_maps import load_maps

        load_maps(settings.elixhauser_file, settings.cha2ds2_vasc_file, settings.ccs_file)


def check_demo(layout: OutputLayout, cohort: Path) -> None:
    """Refuse a demo in a folder that holds other work: synthetic patients would join the real ones."""
    stored = read_json(layout.config)
    named = stored.get("waveforms_dir") if isinstance(stored, dict) else None
    if (named and Path(named).parent != cohort) or (layout.dataset.exists() and not named):
        raise RefusedError(f"--output-dir {layout.root}: holds other work than the demo; name another folder")


def make_folder(folder: Path) -> None:
    """Make the output folder; that it cannot be made or written is the user's to change, unless the disk is at fault.

    Raises
    ------
    ConfigError
        Names the folder and the cause.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in DISK_AT_FAULT:
            raise
        raise ConfigError(f"--output-dir {folder}: cannot be made ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"--output-dir {folder}: may not be written")


def _read_inputs(settings: Settings) -> None:
    if settings.waveforms_dir:
        from ecgppg.sources.find import find_patients

        find_patients(settings)
    if settings.clinical_dir:
        from ecgppg.clinical.tables import read_tables

        read_tables(settings.clinical_dir)
