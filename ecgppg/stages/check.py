"""Verify every artefact of an output folder against its completion record, its schema and its neighbours."""

from pathlib import Path

from ecgppg.config.schema import SPLITS, OutputLayout, completion_path
from ecgppg.core.files import read_completion, read_json


def run(layout: OutputLayout, deep: bool = False) -> tuple[list[Path], list[str]]:
    """Check what is there.

    Parameters
    ----------
    layout : OutputLayout
        The output folder.
    deep : bool
        Decode every signal and recompute the content hash.

    Returns
    -------
    seen : list of Path
        Artefacts found.
    problems : list of str
        One line each; empty when all is well.
    """
    from ecgppg.store.check import check_dataset, check_embeddings, check_metadata

    problems: list[str] = []
    seen: list[Path] = []
    recorded = sorted(layout.root.rglob("*.done.json"))
    for record in recorded:
        artefact = record.with_name(record.name.removesuffix(".done.json"))
        seen.append(artefact)
        problems += _completion_problems(artefact)
    if layout.dataset.is_file():
        problems += check_dataset(layout.dataset, deep=deep)
        problems += _unrecorded(layout.dataset)
        problems += check_metadata(layout.metadata, layout.dataset)
        problems += _counts(layout)
    for path in (layout.embeddings, *(layout.embeddings_of(split) for split in SPLITS)):
        if path.is_file():
            problems += check_embeddings(path)
            problems += _unrecorded(path)
    if layout.splits.is_file():
        problems += _split_problems(layout)
    return seen, list(dict.fromkeys(problems))


def _completion_problems(artefact: Path) -> list[str]:
    if not artefact.is_file():
        return [f"{artefact}: recorded as finished, but absent"]
    if read_json(completion_path(artefact)) is None:
        return [f"{completion_path(artefact)}: not a completion record"]
    if read_completion(artefact, verify=True) is None:
        return [f"{artefact}: its bytes are not those that were recorded"]
    return []


def _unrecorded(artefact: Path) -> list[str]:
    return [] if completion_path(artefact).is_file() else [f"{artefact}: has no completion record"]


def _counts(layout: OutputLayout) -> list[str]:
    """The attrition table adds up: every candidate is kept, dropped for a reason, or was not needed."""
    record = read_completion(layout.dataset)
    if record is None:
        return []
    problems = []
    counts = record["counts"]
    dropped = sum(n for key, n in counts.items() if key.startswith("window:"))
    if counts.get("windows_judged", 0) != counts.get("windows_kept", 0) + dropped:
        problems.append(f"{layout.dataset}: judged windows are not the kept and the dropped together")
    if counts.get("windows_kept", 0) - counts.get("windows_of_left_out_patients", 0) != record["rows"]:
        problems.append(f"{layout.dataset}: kept windows and rows differ")
    if sum(record["subjects"].values()) != record["rows"]:
        problems.append(f"{layout.dataset}: rows by patient do not add up")
    return problems


def _split_problems(layout: OutputLayout) -> list[str]:
    import pandas as pd

    try:
        frame = pd.read_parquet(layout.splits)
    except (OSError, ValueError) as error:
        return [f"{layout.splits}: cannot be read ({' '.join(str(error).split())})"]
    problems = []
    if frame["subject_id"].duplicated().any():
        problems.append(f"{layout.splits}: a patient stands in it twice")
    if not set(frame["split"]) <= set(SPLITS):
        problems.append(f"{layout.splits}: names a split that does not exist")
    return problems
