"""The stage that writes an output folder as a MEDS dataset: OUT/meds/."""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ecgppg import __version__
from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import sha256_file, write_completion
from ecgppg.interop.meds_events import WINDOW_CODES, clinical_events, code_descriptions, in_order, window_events
from ecgppg.interop.meds_tables import (
    SPLIT_NAMES,
    code_table,
    data_table,
    label_table,
    require_meds,
    split_table,
    write_metadata,
    write_table,
)
from ecgppg.stages.agreement import agreement
from ecgppg.stages.split import read_splits

SUBJECTS_A_SHARD = 500
TASK_ROWS = {"y_stroke_detection": "first_eligible", "y_stroke_prediction": "first_eligible_prediction"}
"""Tasks of one question a patient; of other outcomes every row is one."""
log = logging.getLogger("ecgppg.meds")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Write data/, metadata/ and labels/ below OUT/meds/, replacing what was there.

    Parameters
    ----------
    settings : Settings
        clinical_dir (without it: waveform events only, no labels), code_lists, segment_seconds.
    layout : OutputLayout
        Its table of segments, splits and feature table, as far as they are there.

    Returns
    -------
    dict
        n_subjects, n_events, and n_labels by task.

    Raises
    ------
    ConfigError
        The package meds is absent.
    InputError
        The folder holds neither segments nor features, or a patient has no split.
    """
    require_meds()
    features = _features(layout)
    windows = _windows(layout)
    if windows is None and features is None:
        raise InputError(f"{layout.root}: holds neither segments nor features to export")
    tables = [table for table in (windows, features) if table is not None]
    subject_ids = np.unique(np.concatenate([table["subject_id"].to_numpy(np.int64) for table in tables]))
    splits = _splits(layout, subject_ids)
    if layout.meds.is_dir():
        shutil.rmtree(layout.meds)
    n_events = _write_data(settings, layout, _shards(splits, subject_ids), windows)
    n_labels = {} if features is None else _write_labels(layout, features)
    if splits is not None:
        write_table(layout.meds / "metadata" / "subject_splits.parquet", splits)
    described = layout.meds / "metadata" / "dataset.json"
    write_metadata(described, _description(settings))
    inputs = {p.name: sha256_file(p) for p in (layout.metadata, layout.features, layout.splits) if p.is_file()}
    write_completion(described, inputs, n_events)
    log.info("MEDS: %d events of %d patients in %s", n_events, len(subject_ids), layout.meds)
    return {"n_subjects": len(subject_ids), "n_events": n_events, "n_labels": n_labels}


def _windows(layout: OutputLayout) -> pd.DataFrame | None:
    from ecgppg.store.metadata import read_metadata

    if not layout.metadata.is_file():
        return None
    return read_metadata(layout.metadata, ["segment_id", "subject_id", "start_time_us", *WINDOW_CODES])


def _features(layout: OutputLayout) -> pd.DataFrame | None:
    from ecgppg.risk.cohort import read_features

    return read_features(layout.features) if layout.features.is_file() else None


def _splits(layout: OutputLayout, subject_ids: np.ndarray) -> pa.Table | None:
    if not layout.splits.is_file():
        log.info("MEDS: no splits yet, so none are exported")
        return None
    return split_table(read_splits(layout.splits), subject_ids)


def _shards(splits: pa.Table | None, subject_ids: np.ndarray) -> dict[str, np.ndarray]:
    """{file below data/: its patients}; a patient is in one file only."""
    if splits is None:
        return {f"{i}.parquet": part for i, part in enumerate(_parts(subject_ids))}
    frame = splits.to_pandas()
    return {
        f"{name}/{i}.parquet": part
        for name in SPLIT_NAMES.values()
        for i, part in enumerate(_parts(frame.loc[frame["split"] == name, "subject_id"].to_numpy()))
    }


def _parts(subject_ids: np.ndarray) -> list[np.ndarray]:
    return [subject_ids[start : start + SUBJECTS_A_SHARD] for start in range(0, len(subject_ids), SUBJECTS_A_SHARD)]


def _write_data(
    settings: Settings, layout: OutputLayout, shards: dict[str, np.ndarray], windows: pd.DataFrame | None
) -> int:
    from ecgppg.clinical.code_lists import load_definitions
    from ecgppg.clinical.tables import read_tables

    tables = read_tables(Path(settings.clinical_dir)) if settings.clinical_dir else None
    definitions = load_definitions(Path(settings.code_lists) if settings.code_lists else None)
    if tables is None:
        log.info("MEDS: no clinical tables were given: events of the waveforms only")
    n_events, codes = 0, pd.Series(dtype=object)
    for name, subject_ids in shards.items():
        parts = [] if tables is None else [clinical_events(tables, definitions, subject_ids)]
        if windows is not None:
            own = windows[windows["subject_id"].isin(subject_ids)]
            parts.append(window_events(own, round(settings.segment_seconds * 1e6)))
        events = in_order(pd.concat(parts, ignore_index=True))
        write_table(layout.meds / "data" / name, data_table(events))
        n_events += len(events)
        codes = pd.concat([codes, pd.Series(events["code"].unique())])
    write_table(layout.meds / "metadata" / "codes.parquet", code_table(code_descriptions(codes, tables)))
    return n_events


def _write_labels(layout: OutputLayout, features: pd.DataFrame) -> dict[str, int]:
    counts = {}
    for outcome in (str(c) for c in features if str(c).startswith("y_")):
        rows = TASK_ROWS.get(outcome)
        table = label_table(features, outcome, rows if rows in features else None)
        task = outcome.removeprefix("y_")
        write_table(layout.meds / "labels" / f"{task}.parquet", table)
        counts[task] = table.num_rows
    return counts


def _description(settings: Settings) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "dataset_name": "ecgppg",
        "etl_name": "ecgppg",
        "etl_version": __version__,
        "meds_version": version("meds"),
        "license": agreement(settings.clinical_dir),
        "raw_source_id_columns": ["segment_id"],
    }
