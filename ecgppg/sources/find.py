"""The patients of a run, whichever source they come from."""

from pathlib import Path

from ecgppg.config.errors import ConfigError, InputError
from ecgppg.config.settings import Settings
from ecgppg.sources.mimic3 import find_mimic3
from ecgppg.sources.patient import Patient
from ecgppg.sources.wfdb_folder import find_wfdb

__all__ = ["Patient", "find_patients"]


def find_patients(settings: Settings) -> list[Patient]:
    """Patients of the waveform folder; no signal is read.

    Parameters
    ----------
    settings : Settings
        Names the folder, the source, and where given the table of records and the list of patients.

    Returns
    -------
    list of Patient
        Sorted by subject_id.

    Raises
    ------
    ConfigError
        If no waveform folder is given, or `records_csv` for a source that has no use for it.
    InputError
        If the folder is absent or holds no records, or a listed patient is not in it.
    """
    if not settings.waveforms_dir:
        raise ConfigError("waveforms_dir: name the folder of the WFDB records")
    root = Path(settings.waveforms_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder of waveforms")
    if settings.source == "mimic3" and settings.records_csv:
        raise ConfigError("records_csv: only the wfdb source reads one (--source wfdb)")
    try:
        if settings.source == "mimic3":
            patients = find_mimic3(root)
        else:
            patients = find_wfdb(root, Path(settings.records_csv) if settings.records_csv else None)
    except OSError as error:
        raise InputError(f"{error.filename or root}: cannot be read ({error.strerror})") from None
    return _chosen(patients, Path(settings.patients_file)) if settings.patients_file else patients


def _chosen(patients: list[Patient], path: Path) -> list[Patient]:
    """Those that a text file names, one a line: by name, or by number with or without a leading p."""
    if not path.is_file():
        raise InputError(f"{path}: no such list of patients")
    lines = (line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    wanted = [line for line in lines if line and not line.startswith("#")]
    if not wanted:
        raise InputError(f"{path}: names no patient")
    by_name = {name: p.subject_id for p in patients for name in (str(p.subject_id), p.subject)}
    chosen = set()
    for name in wanted:
        number = name.removeprefix("p").lstrip("0")
        subject_id = by_name.get(name, by_name.get(number) if number.isdigit() else None)
        if subject_id is None:
            raise InputError(f"{path}: patient {name} is not in the waveform folder")
        chosen.add(subject_id)
    return [patient for patient in patients if patient.subject_id in chosen]
