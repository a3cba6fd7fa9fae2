"""Every label of every segment: codes, deaths, and the charted rhythm where the tables have one."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.store.segments import Categories

if TYPE_CHECKING:
    from ecgppg.clinical.code_lists import Definitions
    from ecgppg.clinical.tables import ClinicalTables

log = logging.getLogger("ecgppg.build")

CHARTED_RHYTHM = "label_charted_rhythm"


def segment_labels(
    tables: "ClinicalTables",
    definitions: "Definitions",
    subject_id_N: np.ndarray,
    hadm_id_N: np.ndarray,
    start_us_N: np.ndarray,
    end_us_N: np.ndarray,
    settings: Settings,
) -> tuple[dict[str, Any], list[str]]:
    """Label columns of every segment.

    Parameters
    ----------
    tables : ClinicalTables
    definitions : Definitions
    subject_id_N, hadm_id_N, start_us_N, end_us_N : ndarray of int64 (N,)
        Patient, admission (-1 unknown), first and one-past-last instant (`UNKNOWN_TIME_US` unknown).
    settings : Settings
        `clinical_dir` may hold CHARTEVENTS.

    Returns
    -------
    columns : dict
        int8 labels, hours_to_death (float32), and `label_charted_rhythm` (Categories) where there is a CHARTEVENTS.
    notices : list of str
        What is to be said about them.
    """
    from ecgppg.clinical.chart_events import read_chart_events
    from ecgppg.clinical.charted_rhythm import RHYTHM_ITEM_IDS, charted_rhythm
    from ecgppg.clinical.labels import label_rows
    from ecgppg.clinical.mortality import hours_to_death

    columns: dict[str, Any] = dict(label_rows(tables, definitions, subject_id_N, hadm_id_N, start_us_N))
    columns["hours_to_death"] = hours_to_death(tables, hadm_id_N, start_us_N)
    assert settings.clinical_dir
    if "CHARTEVENTS" not in tables.missing:
        log.info("clinical tables: looking for charted rhythms in CHARTEVENTS; the full table takes minutes")
    entries = read_chart_events(Path(settings.clinical_dir), RHYTHM_ITEM_IDS, np.unique(subject_id_N))
    if entries is None:
        return columns, []
    charted = charted_rhythm(entries, definitions.charted_rhythms, subject_id_N, start_us_N, end_us_N)
    columns[CHARTED_RHYTHM] = Categories(charted.codes_N, charted.names)
    return columns, [charted.notice()]
