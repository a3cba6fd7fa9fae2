"""The last step of a build: what the recordings say joined, by time, with what the clinic knows."""

import json
import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecgppg.config.schema import LINK_GRADES, UNKNOWN_ID, UNKNOWN_TIME_US, OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import atomic_path, write_completion
from ecgppg.sources.find import Patient
from ecgppg.stages.record_flow import record_facts
from ecgppg.store.segments import Categories

if TYPE_CHECKING:
    from ecgppg.stages.feature_table import FeatureTable

log = logging.getLogger("ecgppg.build")


@dataclass(frozen=True)
class Joined:
    """What the clinic adds: columns for every segment, and the tables beside them."""

    columns: dict[str, Any]
    linkage: pd.DataFrame | None
    patient_labels: pd.DataFrame | None
    features: "FeatureTable | None"
    provenance: dict[str, Any]


def join_clinic(columns: dict[str, np.ndarray], patients: list[Patient], settings: Settings) -> Joined:
    """Link every segment and record by time and label them.

    Parameters
    ----------
    columns : dict of (N,) arrays
        `SEGMENT_COLUMNS` of the whole dataset, in file order.
    patients : list of Patient
        Everyone found: their records are linked, whether or not a window of them was kept.
    settings : Settings
        Names the clinical folder; without one every clinical column says unknown.

    Returns
    -------
    Joined
    """
    from ecgppg.clinical.code_lists import load_definitions
    from ecgppg.clinical.labels import unknown_labels

    generic = generic_labels(columns["record"], patients)
    definitions = load_definitions(Path(settings.code_lists) if settings.code_lists else None)
    n = len(columns["segment_id"])
    if not settings.clinical_dir:
        log.info("no clinical tables were given: every label is -1 (unknown)")
        unknown = {
            "hadm_id": np.full(n, UNKNOWN_ID, np.int64),
            "link_grade": np.zeros(n, np.uint8),
            "care_unit": np.full(n, "", dtype="<U1"),
            "hours_to_death": np.full(n, np.nan, np.float32),
            **unknown_labels(definitions, n),
        }
        return Joined({**unknown, **generic}, None, None, None, {"clinical_tables": False})
    from ecgppg.clinical.counts import count_definitions, count_history, count_lines
    from ecgppg.clinical.linkage import link_records, link_times
    from ecgppg.clinical.patient_labels import label_patients
    from ecgppg.clinical.tables import read_tables
    from ecgppg.stages.feature_table import make_features
    from ecgppg.stages.segment_labels import segment_labels
    from ecgppg.stages.wave_features import admission_rows

    tables = read_tables(Path(settings.clinical_dir))
    for notice in tables.notices():
        log.info("clinical tables: %s", notice)
    start_us = columns["start_time_us"]
    length_us = round(settings.segment_seconds * 1e6)
    end_us = np.where(start_us == UNKNOWN_TIME_US, UNKNOWN_TIME_US, start_us + length_us)
    linked = link_times(tables, columns["subject_id"], start_us, end_us)
    hadm_id = linked["hadm_id"].to_numpy(np.int64)
    labels, notices = segment_labels(tables, definitions, columns["subject_id"], hadm_id, start_us, end_us, settings)
    for notice in notices:
        log.info("clinical tables: %s", notice)
    clinical = {
        "hadm_id": hadm_id,
        "link_grade": linked["link_grade"].to_numpy(np.uint8),
        "care_unit": linked["care_unit"].to_numpy(str),
    }
    rows = admission_rows({**columns, "hadm_id": hadm_id}, length_us)
    counts = count_definitions(tables, definitions, np.unique(columns["subject_id"]))
    log.info("\n".join(count_lines(counts, settings.min_cell_patients)))
    provenance = {
        "clinical_tables": True,
        "labels_hash": definitions.labels_hash,
        "definitions": {"file": definitions.path.name, "version": definitions.version, "source": definitions.source},
        "counts": json.loads(counts.to_json(orient="records")),
        "history": count_history(tables),
        "notices": tables.notices() + notices,
    }
    return Joined(
        {**clinical, **labels, **generic},
        link_records(tables, record_facts(patients, columns["record"], settings)),
        label_patients(tables, definitions, columns["subject_id"], hadm_id, start_us),
        make_features(tables, definitions, rows, settings),
        provenance,
    )


def generic_labels(records: np.ndarray, patients: list[Patient]) -> dict[str, Categories]:
    """Labels that the source itself carries (records.csv, subjects.csv), as categories per segment.

    Parameters
    ----------
    records : (N,) array of str
        Record of each segment.
    patients : list of Patient
        Their `labels` map a record to its values by name.
    """
    by_record = {record: labels for patient in patients for record, labels in patient.labels.items()}
    names = sorted({name for labels in by_record.values() for name in labels})
    unique, inverse = np.unique(records.astype(str), return_inverse=True)
    result = {}
    for name in names:
        values = [by_record.get(record, {}).get(name, "") for record in unique]
        categories = tuple(sorted({value for value in values if value}))
        index = {value: code for code, value in enumerate(categories)}
        codes = np.array([index.get(value, Categories.UNKNOWN) for value in values], np.uint8)
        result[name] = Categories(codes[inverse] if len(unique) else codes, categories)
    return result


def write_tables(joined: Joined, layout: OutputLayout) -> None:
    """Write metadata, linkage, labels by patient and features, each with its completion record."""
    from ecgppg.stages.feature_table import write_features
    from ecgppg.store.metadata import write_metadata
    from ecgppg.store.reader import open_dataset

    content = {"labels_hash": joined.provenance.get("labels_hash")}
    with open_dataset(layout.dataset) as dataset:
        frame = dataset.to_frame()
        content["content_hash"] = dataset.attributes["content_hash"]
    write_metadata(layout.metadata, layout.metadata_pickle, frame)
    write_completion(layout.metadata, content, len(frame))
    for path, table in ((layout.linkage, joined.linkage), (layout.patient_labels, joined.patient_labels)):
        if table is not None:
            with atomic_path(path) as temporary:
                table.to_parquet(temporary, index=False)
            write_completion(path, content, len(table))
    if joined.features is not None:
        write_features(joined.features, layout, content)


def linkage_counts(linkage: pd.DataFrame | None) -> Counter[str]:
    """Records by grade of linkage."""
    if linkage is None:
        return Counter()
    grades = Counter(LINK_GRADES[code] for code in linkage["link_grade"])
    return Counter({f"linked:{grade}": n for grade, n in grades.items()})
