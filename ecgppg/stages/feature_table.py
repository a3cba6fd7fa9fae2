"""clinical_features.csv and the dictionary beside it, with the maps and lists that the settings name."""

import logging
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.comorbidity_maps import load_maps
from ecgppg.clinical.feature_dictionary import feature_dictionary
from ecgppg.clinical.features import clinical_features
from ecgppg.clinical.leakage import check_leakage
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import atomic_path, write_completion
from ecgppg.stages.wave_features import MEANINGS

log = logging.getLogger("ecgppg.clinical")


@dataclass(frozen=True)
class FeatureTable:
    """The feature table, what its columns mean, and the hashes of the definitions it was made with."""

    features: pd.DataFrame
    dictionary: pd.DataFrame
    content: dict[str, Any]


def make_features(
    tables: ClinicalTables, definitions: Definitions, rows: pd.DataFrame, settings: Settings
) -> FeatureTable:
    """Make the feature table of rows, see `clinical.features.clinical_features`.

    Raises
    ------
    InputError
        The table leaks its outcomes.
    """
    maps = load_maps(settings.elixhauser_file, settings.cha2ds2_vasc_file, settings.ccs_file)
    if maps.ccs is None:
        log.info("clinical features: ccs_file is not set: no CCS groups among them")
    features = clinical_features(tables, definitions, rows, maps)
    check_leakage(features, definitions=definitions)
    seen_in = earlier_admissions_seen(features, settings.min_cell_patients)
    dictionary = feature_dictionary(features, definitions, maps, MEANINGS, seen_in)
    hashes = {"definitions_hash": definitions.content_hash, "comorbidity_hash": maps.content_hash}
    return FeatureTable(features, dictionary, hashes)


def write_features(table: FeatureTable, layout: OutputLayout, content: dict[str, Any]) -> None:
    """Write the feature table and its dictionary, each with its completion record."""
    for path, frame in ((layout.features, table.features), (layout.features_dictionary, table.dictionary)):
        with atomic_path(path) as temporary:
            frame.to_csv(temporary, index=False)
        write_completion(path, content | table.content, len(frame))


def earlier_admissions_seen(features: pd.DataFrame, least: int) -> str:
    """How many patients have an earlier admission, at any row and at the one predicted; hides counts under `least`."""
    eligible = features[features["first_eligible"]]
    return f"{_share_seen(features, least)} at any row, {_share_seen(eligible, least)} at the row detection predicts"


def _share_seen(features: pd.DataFrame, least: int) -> str:
    seen = features.groupby("subject_id")["f_n_prior_admissions"].max() > 0
    n_seen, n_all = int(seen.sum()), len(seen)
    if 0 < n_seen < least:
        return f"<{least} of {n_all} patients"
    return f"{n_seen} of {n_all} patients" + (f" ({n_seen / n_all:.0%})" if n_all else "")
