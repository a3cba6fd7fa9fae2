"""Tables in the exact form of the MEDS standard, checked by the meds package's own schemas."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from ecgppg.config.errors import ConfigError, InputError
from ecgppg.config.schema import UNKNOWN_ID, UNKNOWN_TIME_US
from ecgppg.core.files import atomic_path, write_json
from ecgppg.data.splits import refuse_patient_in_two_splits

SPLIT_NAMES = {"train": "train", "val": "tuning", "test": "held_out"}
"""{our split: its name in MEDS}."""


def require_meds() -> None:
    """Refuse in one line where the meds package is absent.

    Raises
    ------
    ConfigError
    """
    if find_spec("meds") is None:
        raise ConfigError("export-meds: needs the package meds: pip install 'ecgppg[meds]'")


def data_table(events: pd.DataFrame) -> pa.Table:
    """Events as MEDS data.

    Parameters
    ----------
    events : DataFrame
        From `meds_events.in_order`: all events of each patient in it, together and by time.

    Returns
    -------
    pyarrow.Table
        subject_id int64, time timestamp[us] (null: true at all times), code, numeric_value float32 (null: none), and
        segment_id int64 (null: no window's).
    """
    from meds import DataSchema

    values = events["numeric_value"].to_numpy(np.float32)
    segments = events["segment_id"].to_numpy(np.int64)
    table = pa.table(
        {
            "subject_id": pa.array(events["subject_id"].to_numpy(np.int64)),
            "time": _times(events["time_us"].to_numpy(np.int64)),
            "code": pa.array(events["code"], pa.string()),
            "numeric_value": pa.array(values, mask=np.isnan(values)),
            "segment_id": pa.array(segments, mask=segments == UNKNOWN_ID),
        }
    )
    return _valid(DataSchema, table)


def label_table(features: pd.DataFrame, outcome: str, eligible: str | None) -> pa.Table:
    """One outcome of the feature table as MEDS labels.

    Parameters
    ----------
    features : DataFrame
        From `clinical.features.clinical_features`.
    outcome : str
        A y_ column.
    eligible : str or None
        The column that marks the rows to be predicted; None: every row.

    Returns
    -------
    pyarrow.Table
        subject_id, prediction_time (the index time), boolean_value, by patient and time. Rows whose outcome is unknown,
        or was known by the index time, are no questions and left out.
    """
    from meds import LabelSchema

    asked = (features[outcome] >= 0) & (features[f"known_{outcome}"] > features["index_time_us"])
    asked &= features["index_time_us"] != UNKNOWN_TIME_US
    if eligible is not None:
        asked &= features[eligible].astype(bool)
    rows = features[asked].sort_values(["subject_id", "index_time_us"])
    table = pa.table(
        {
            "subject_id": pa.array(rows["subject_id"].to_numpy(np.int64)),
            "prediction_time": _times(rows["index_time_us"].to_numpy(np.int64)),
            "boolean_value": pa.array((rows[outcome] == 1).to_numpy(bool)),
        }
    )
    return _valid(LabelSchema, table)


def split_table(splits: pd.DataFrame, subject_ids: np.ndarray) -> pa.Table:
    """The splits of the exported patients.

    Raises
    ------
    InputError
        A patient has no split.
    RefusedError
        A patient stands in the splits twice.
    """
    from meds import SubjectSplitSchema

    refuse_patient_in_two_splits(splits["subject_id"].to_numpy(), "splits")
    of = splits.set_index("subject_id")["split"].map(SPLIT_NAMES).reindex(np.unique(subject_ids))
    if of.isna().any():
        raise InputError(f"splits: {int(of.isna().sum())} patients have none; let the split stage add them first")
    table = pa.table({"subject_id": pa.array(of.index.to_numpy(np.int64)), "split": pa.array(of, pa.string())})
    return _valid(SubjectSplitSchema, table)


def code_table(described: pd.DataFrame) -> pa.Table:
    """Codes and their descriptions."""
    from meds import CodeMetadataSchema

    prefix = "DIAGNOSIS//ICD9CM//"
    parents = [[f"ICD9CM/{c.removeprefix(prefix)}"] if c.startswith(prefix) else [] for c in described["code"]]
    table = pa.table(
        {
            "code": pa.array(described["code"], pa.string()),
            "description": pa.array(described["description"], pa.string()),
            "parent_codes": pa.array(parents, pa.list_(pa.string())),
        }
    )
    return _valid(CodeMetadataSchema, table)


def write_metadata(path: Path, description: dict[str, Any]) -> None:
    """Write dataset.json."""
    from meds import DatasetMetadataSchema

    DatasetMetadataSchema.validate(description)
    write_json(path, description)


def write_table(path: Path, table: pa.Table) -> None:
    """Write parquet, whole or not at all."""
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)


def _times(times_us: np.ndarray) -> pa.Array:
    return pa.array(times_us, pa.int64(), mask=times_us == UNKNOWN_TIME_US).cast(pa.timestamp("us"))


def _valid(schema: Any, table: pa.Table) -> pa.Table:
    """The table in the schema's own order of columns; what does not fit is a fault of ours and raises there."""
    aligned = schema.align(table)
    schema.validate(aligned)
    return aligned
