"""What an earlier run has finished: found, put in its place, or refused where other settings made it."""

import logging
from pathlib import Path
from typing import Any

from ecgppg.config.errors import ConfigError, RefusedError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.core.files import changed_keys, publish, read_completion, remove_unfinished
from ecgppg.stages.tally import Tally

log = logging.getLogger("ecgppg.build")


def merged_dataset(layout: OutputLayout) -> Path:
    """Where the last merge writes: whole and recorded there, before it takes the dataset's place."""
    return layout.build / layout.dataset.name


def tidy(layout: OutputLayout) -> None:
    """Put a merged dataset in its place, and remove what a killed run had half written.

    Raises
    ------
    ConfigError
        `build/` lies on another file system, so that nothing can be renamed out of it.
    """
    if layout.build.exists() and layout.build.stat().st_dev != layout.root.stat().st_dev:
        raise ConfigError(f"{layout.build}: lies on another disk than {layout.root}; move the whole output folder")
    remove_unfinished(layout.build)
    for artefact in (
        layout.config, layout.dataset, layout.metadata, layout.metadata_pickle, layout.linkage, layout.patient_labels,
        layout.features, layout.features_dictionary, layout.card_markdown, layout.card_json, layout.record_flow,
    ):  # fmt: skip
        for path in layout.root.glob(f".{artefact.name}.*.tmp"):
            path.unlink(missing_ok=True)
    merged = merged_dataset(layout)
    if publish(merged, layout.dataset, verify=True):
        log.info("dataset: merged before the last run ended; it is in its place now")
    merged.unlink(missing_ok=True)
    completion_path(merged).unlink(missing_ok=True)


def finished_dataset(layout: OutputLayout, content: dict[str, Any]) -> dict[str, Any] | None:
    """The finished dataset's completion record, or None.

    Raises
    ------
    RefusedError
        Other settings made it; or a file lies there that no record and no begun build speak of: not ours to replace.
    """
    record = read_completion(layout.dataset)
    if record is not None:
        _refuse_changes(layout.dataset, record, content)
        return record
    recorded = completion_path(layout.dataset)
    if layout.dataset.exists() and not recorded.exists() and not layout.build.exists():
        raise RefusedError(f"{layout.dataset}: was not made here (no completion record); move it, or give --fresh")
    if layout.dataset.exists() or recorded.exists():
        log.warning("%s: it or its completion record is not as it was finished; built again", layout.dataset)
    return None


def finished_shards(layout: OutputLayout, content: dict[str, Any], built: Tally) -> dict[Path, Tally]:
    """Finished shards and their tallies; one whose patients are in the dataset already is removed.

    Raises
    ------
    RefusedError
        Other settings made one.
    """
    shards = {}
    for path in sorted(layout.shards.glob("shard_*.h5")):
        record = read_completion(path, verify=True)
        if record is None:
            continue
        _refuse_changes(path, record, content)
        tally = Tally.of(record)
        if tally.shares_patients(built):
            _remove(path)
        else:
            shards[path] = tally
    return shards


def remove_parts_of(layout: OutputLayout, built: Tally) -> None:
    """Remove parts of patients who are in a shard or in the dataset: a run was killed between the two."""
    for path in layout.parts.glob("*.h5"):
        if path.stem in built.subjects:
            _remove(path)


def next_index(shards: dict[Path, Tally]) -> int:
    """A shard number that no finished shard has."""
    return 1 + max((int(path.stem.removeprefix("shard_")) for path in shards), default=-1)


def tables_whole(layout: OutputLayout, record: dict[str, Any]) -> bool:
    """Whether the tables beside the dataset are finished and speak of it as it is now.

    Parameters
    ----------
    layout : OutputLayout
        The output folder.
    record : dict
        The dataset's completion record.
    """
    from ecgppg.store.reader import open_file

    with open_file(layout.dataset, audited=True) as file:
        content_hash = file.attrs["content_hash"]
    wanted = {"content_hash": content_hash, "labels_hash": record["labels"].get("labels_hash")}
    clinical = [layout.linkage, layout.patient_labels, layout.features, layout.features_dictionary]
    if not record["labels"]["clinical_tables"]:
        clinical = []
    damaged = []
    for path in (layout.metadata, *clinical):
        found = read_completion(path)
        if found is None or not wanted.items() <= found["content"].items():
            damaged.append(path)
    for path in damaged:
        log.warning("%s: is absent, of another dataset, or not as it was finished; written again", path)
    return not damaged


def _remove(path: Path) -> None:
    completion_path(path).unlink(missing_ok=True)
    path.unlink()


def _refuse_changes(artefact: Path, record: dict[str, Any], content: dict[str, Any]) -> None:
    changes = changed_keys(record["content"], content)
    if changes:
        raise RefusedError(
            f"{artefact.name} was built with other settings ({'; '.join(changes)}): "
            "restore them, name another --output-dir, or give --fresh to start anew"
        )
