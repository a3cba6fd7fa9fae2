"""The last step of a build: what the recordings say joined, by time, with what the clinic knows."""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecgppg.config.schema import LINK_GRADES, UNKNOWN_ID, UNKNOWN_TIME_US
from ecgppg.config.settings import Settings
from ecgppg.sources.find import Patient
from ecgppg.stages.generic_labels import GenericLabels
from ecgppg.stages.record_flow import record_facts
from ecgppg.store.segments import Values

if TYPE_CHECKING:
    from ecgppg.stages.feature_table import FeatureTable

log = logging.getLogger("ecgppg.build")


@dataclass(frozen=True)
class Joined:
    """What the clinic adds: the tables beside the dataset, and where they come from."""

    linkage: pd.DataFrame | None
    patient_labels: pd.DataFrame | None
    features: "FeatureTable | None"
    provenance: dict[str, Any]


class ClinicJoin:
    """Links segments by time and labels them, patients after patients; memory grows with patients, not with segments.

    Parameters
    ----------
    patients : list of Patient
        Everyone found: their records are linked, whether or not a window of them was kept.
    n_of_record : mapping of str to int
        Segments of every record of the dataset.
    subject_ids : sequence of int
        Patients of the dataset.
    settings : Settings
        Names the clinical folder; without one every clinical column says unknown.
    """

    def __init__(
        self, patients: list[Patient], n_of_record: Mapping[str, int], subject_ids: Sequence[int], settings: Settings
    ) -> None:
        from ecgppg.clinical.code_lists import load_definitions

        self._patients, self._n_of_record, self._settings = patients, n_of_record, settings
        self._subject_ids = np.array(subject_ids, np.int64)
        self._generic = GenericLabels(n_of_record, patients)
        self._definitions = load_definitions(Path(settings.code_lists) if settings.code_lists else None)
        self._length_us = round(settings.segment_seconds * 1e6)
        self._wave_rows: list[pd.DataFrame] = []
        self._recorded: list[pd.DataFrame] = []
        if not settings.clinical_dir:
            log.info("no clinical tables were given: every label is -1 (unknown)")
            return
        from ecgppg.clinical.tables import read_tables
        from ecgppg.stages.segment_labels import SegmentLabels

        self._tables = read_tables(Path(settings.clinical_dir))
        for notice in self._tables.notices():
            log.info("clinical tables: %s", notice)
        self._labels = SegmentLabels(self._tables, self._definitions, self._subject_ids, settings)

    def columns(self, segments: Mapping[str, np.ndarray]) -> dict[str, Values]:
        """Admission and label columns of some patients' segments.

        Parameters
        ----------
        segments : dict of (n,) arrays
            `SEGMENT_COLUMNS`, all rows of each of these patients; no patient comes in two calls, and patients come by
            subject_id.
        """
        generic = self._generic.of(segments["record"])
        if not self._settings.clinical_dir:
            return {**self._unknown(len(segments["segment_id"])), **generic}
        from ecgppg.clinical.linkage import link_times
        from ecgppg.clinical.patient_labels import recorded_admissions
        from ecgppg.stages.wave_features import admission_rows

        subject_id, start_us = segments["subject_id"], segments["start_time_us"]
        tables = self._tables.of_patients(subject_id)
        end_us = np.where(start_us == UNKNOWN_TIME_US, UNKNOWN_TIME_US, start_us + self._length_us)
        linked = link_times(tables, subject_id, start_us, end_us)
        hadm_id = linked["hadm_id"].to_numpy(np.int64)
        clinical: dict[str, Values] = {
            "hadm_id": hadm_id,
            "link_grade": linked["link_grade"].to_numpy(np.uint8),
            "care_unit": self._care_units(linked["care_unit"]),
        }
        self._wave_rows.append(admission_rows({**segments, "hadm_id": hadm_id}, self._length_us))
        self._recorded.append(recorded_admissions(subject_id, hadm_id, start_us))
        return {**clinical, **self._labels.of(tables, subject_id, hadm_id, start_us, end_us), **generic}

    def _unknown(self, n: int) -> dict[str, Values]:
        from ecgppg.clinical.labels import unknown_labels

        return {
            "hadm_id": np.full(n, UNKNOWN_ID, np.int64),
            "link_grade": np.zeros(n, np.uint8),
            "care_unit": np.zeros(n, "S1"),
            "hours_to_death": np.full(n, np.nan, np.float32),
            **unknown_labels(self._definitions, n),
        }

    def _care_units(self, names: pd.Series) -> np.ndarray:
        """As wide in every block."""
        all_units = self._tables.icustays["first_careunit"].unique().tolist()
        width = max([1, *(len(unit.encode()) for unit in all_units)])
        coded = pd.Categorical(names, categories=sorted({"", *all_units}))
        return np.array([unit.encode() for unit in coded.categories], f"S{width}")[coded.codes]

    def finish(self) -> Joined:
        """The tables beside the dataset, when all its segments have been joined."""
        if not self._settings.clinical_dir:
            return Joined(None, None, None, {"clinical_tables": False})
        from ecgppg.clinical.counts import count_definitions, count_history, count_lines
        from ecgppg.clinical.linkage import link_records
        from ecgppg.clinical.patient_labels import label_recorded
        from ecgppg.stages.feature_table import make_features

        tables, definitions, notices = self._tables, self._definitions, self._labels.notices()
        for notice in notices:
            log.info("clinical tables: %s", notice)
        counts = count_definitions(tables, definitions, self._subject_ids)
        log.info("\n".join(count_lines(counts, self._settings.min_cell_patients)))
        provenance = {
            "clinical_tables": True,
            "labels_hash": definitions.labels_hash,
            "definitions": {
                "file": definitions.path.name, "version": definitions.version, "source": definitions.source,
            },
            "counts": json.loads(counts.to_json(orient="records")),
            "history": count_history(tables),
            "notices": tables.notices() + notices,
        }  # fmt: skip
        return Joined(
            link_records(tables, record_facts(self._patients, self._n_of_record, self._settings)),
            label_recorded(tables, definitions, _together(self._recorded)),
            make_features(tables, definitions, _together(self._wave_rows), self._settings),
            provenance,
        )


def _together(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Frames of patients after patients as one; an empty one among others does not change its types."""
    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)


def linkage_counts(linkage: pd.DataFrame | None) -> Counter[str]:
    """Records by grade of linkage."""
    if linkage is None:
        return Counter()
    grades = Counter(LINK_GRADES[code] for code in linkage["link_grade"])
    return Counter({f"linked:{grade}": n for grade, n in grades.items()})
