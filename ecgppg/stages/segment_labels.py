"""Every label of every segment: codes, deaths, and the charted rhythm where the tables have one."""

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.store.segments import Categories, Values

if TYPE_CHECKING:
    from ecgppg.clinical.code_lists import Definitions
    from ecgppg.clinical.tables import ClinicalTables

log = logging.getLogger("ecgppg.build")

CHARTED_RHYTHM = "label_charted_rhythm"


class SegmentLabels:
    """Labels segments, patients after patients.

    Parameters
    ----------
    tables : ClinicalTables
        Of everyone.
    definitions : Definitions
    subject_ids : ndarray of int64
        Patients of the dataset: of CHARTEVENTS, if `clinical_dir` holds it, their entries are read, once.
    settings : Settings
    """

    def __init__(
        self, tables: "ClinicalTables", definitions: "Definitions", subject_ids: np.ndarray, settings: Settings
    ) -> None:
        from ecgppg.clinical.chart_events import read_chart_events
        from ecgppg.clinical.charted_rhythm import RHYTHM_ITEM_IDS

        assert settings.clinical_dir
        if "CHARTEVENTS" not in tables.missing:
            log.info("clinical tables: looking for charted rhythms in CHARTEVENTS; the full table takes minutes")
        self._definitions = definitions
        self._entries = read_chart_events(Path(settings.clinical_dir), RHYTHM_ITEM_IDS, subject_ids)
        self._charted: Counter[str] = Counter()

    def of(
        self,
        tables: "ClinicalTables",
        subject_id_n: np.ndarray,
        hadm_id_n: np.ndarray,
        start_us_n: np.ndarray,
        end_us_n: np.ndarray,
    ) -> dict[str, Values]:
        """Label columns of all segments of some patients.

        Parameters
        ----------
        tables : ClinicalTables
            Of these patients, or of more.
        subject_id_n, hadm_id_n, start_us_n, end_us_n : ndarray of int64 (n,)
            Patient, admission (-1 unknown), first and one-past-last instant (`UNKNOWN_TIME_US` unknown).

        Returns
        -------
        dict
            int8 labels, hours_to_death (float32), and `label_charted_rhythm` (Categories) where there is a CHARTEVENTS.
        """
        from ecgppg.clinical.charted_rhythm import charted_rhythm
        from ecgppg.clinical.labels import label_rows
        from ecgppg.clinical.mortality import hours_to_death

        columns: dict[str, Values] = dict(label_rows(tables, self._definitions, subject_id_n, hadm_id_n, start_us_n))
        columns["hours_to_death"] = hours_to_death(tables, hadm_id_n, start_us_n)
        if self._entries is not None:
            entries = self._entries[self._entries["subject_id"].isin(np.unique(subject_id_n))]
            rhythms = self._definitions.charted_rhythms
            charted = charted_rhythm(entries, rhythms, subject_id_n, start_us_n, end_us_n)
            self._charted.update(charted.counts)
            columns[CHARTED_RHYTHM] = Categories(charted.codes_N, charted.names)
        return columns

    def notices(self) -> list[str]:
        """What is to be said about the labels given."""
        from ecgppg.clinical.charted_rhythm import ChartedLabels

        if self._entries is None:
            return []
        return [ChartedLabels(np.empty(0, np.uint8), (), self._charted).notice()]
