"""The stage that places patients in train, val and test, once."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.errors import ConfigError, RefusedError
from ecgppg.config.schema import SPLITS, OutputLayout, completion_path, is_label
from ecgppg.config.settings import Settings
from ecgppg.core.files import atomic_path, changed_keys, read_completion, read_json, write_completion
from ecgppg.data.splits import COLUMNS, assign_splits, refuse_patient_in_two_splits
from ecgppg.store.metadata import read_metadata

_log = logging.getLogger("ecgppg.split")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Write splits.parquet, or add the patients that are not in it yet.

    Returns
    -------
    dict
        Patients per split, `risk_reserve`, `added`, and `note` on the risk reserve.

    Raises
    ------
    RefusedError
        If split settings differ from those the frozen splits were made with, or the frozen file cannot be read.
    """
    content = settings.content("run", "split")
    frozen = _frozen(layout.splits, content)
    patients = patient_labels(read_metadata(layout.metadata), settings.primary_outcome)
    splits = assign_splits(patients, settings, frozen)
    added = len(splits) - (0 if frozen is None else len(frozen))
    note = splits.attrs["note"]
    if added or read_completion(layout.splits) is None:
        with atomic_path(layout.splits) as temporary:
            splits.to_parquet(temporary, index=False)
        metadata = read_completion(layout.metadata) or {"content": {}}
        labels_hash = metadata["content"].get("labels_hash")
        write_completion(layout.splits, content, len(splits), note=note, labels_hash=labels_hash)
    counts = {name: int((splits["split"] == name).sum()) for name in SPLITS}
    _log.info("patients: %s; %s", ", ".join(f"{n} {name}" for name, n in counts.items()), note)
    return {**counts, "risk_reserve": int(splits["risk_reserve"].sum()), "added": added, "note": note}


def read_splits(path: Path) -> pd.DataFrame:
    """The frozen splits.

    Raises
    ------
    RefusedError
        If the file is absent, is not such a table, holds a patient twice, or one of the risk reserve outside test.
    """
    try:
        splits = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise RefusedError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
    if list(splits.columns) != list(COLUMNS) or not splits["split"].isin(SPLITS).all():
        raise RefusedError(f"{path}: is not a table of {', '.join(COLUMNS)}")
    refuse_patient_in_two_splits(splits["subject_id"].to_numpy(), str(path))
    outside = splits["risk_reserve"].astype(bool) & (splits["split"] != "test")
    if outside.any():
        raise RefusedError(f"{path}: {int(outside.sum())} patients of the risk reserve are outside test")
    return splits


def patient_labels(metadata: pd.DataFrame, primary_outcome: str) -> pd.DataFrame:
    """One row a patient: what splits are stratified by, from the labels of the patient's windows.

    Parameters
    ----------
    metadata : DataFrame
        One row a window: subject_id and label columns.
    primary_outcome : str
        Label whose `_this` or `_after` makes a case of the risk reserve.

    Returns
    -------
    DataFrame
        subject_id, stroke, arrhythmia, death, primary: 1 if any window says so, 0 if one denies it, else -1.

    Raises
    ------
    ConfigError
        There are labels and the primary outcome is none of them.
    """
    sources = {
        "stroke": ["stroke_this", "stroke_before", "stroke_after"],
        "arrhythmia": ["arrhythmia_this", "arrhythmia_before", "arrhythmia_after"],
        "death": ["death_90d", "death_hospital"],
        "primary": [f"{primary_outcome}_this", f"{primary_outcome}_after", primary_outcome],
    }
    labels = [c for c in map(str, metadata) if is_label(c) and metadata[c].dtype.kind in "iub"]
    if labels and not set(sources["primary"]) & set(labels):
        names = dict.fromkeys(re.sub("_(this|before|after)$", "", label) for label in labels)
        raise ConfigError(f"primary_outcome: there is no label {primary_outcome!r}; labels are {', '.join(names)}")
    values = pd.DataFrame({"subject_id": metadata["subject_id"].to_numpy(np.int64)})
    for name, columns in sources.items():
        present = [c for c in columns if c in metadata and is_label(c) and metadata[c].dtype.kind in "iub"]
        values[name] = metadata[present].max(axis=1).astype(np.int8) if present else np.int8(-1)
    return values.groupby("subject_id", as_index=False).max()


def _frozen(path: Path, content: dict[str, Any]) -> pd.DataFrame | None:
    """Splits that stand. They count without a completion record too: written whole, they may already be in use."""
    if not path.is_file():
        return None
    record = read_json(completion_path(path))
    changed = changed_keys(record["content"], content) if isinstance(record, dict) and "content" in record else []
    if changed:
        raise RefusedError(f"{path} was made otherwise: {'; '.join(changed)}; put these back, or start anew (--fresh)")
    return read_splits(path)
