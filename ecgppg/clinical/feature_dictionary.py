"""What every column of the feature table means, where its definition comes from, and when it became known."""

from collections.abc import Mapping

import pandas as pd

from ecgppg.clinical.code_lists import Definitions
from ecgppg.clinical.comorbidity_maps import ComorbidityMaps, GroupMap
from ecgppg.clinical.features import ADMISSION_TYPES, CARE_UNITS
from ecgppg.clinical.leakage import FROM_EARLIER, known_column

FLAG = "1, 0; empty: unknown"
OUTCOME = "1, 0; -1: unknown or not eligible"
MICROSECONDS = "microseconds since 1970 of the shifted calendar; -9223372036854775808: unknown"
DEATH_KNOWN = "when the day of death is over, or for a 0 the days are"
AT_INDEX, AT_DISCHARGE = "index time", "discharge of the admission"
LAST_DISCHARGE = "discharge of the last earlier admission; index time where there is none"
COLUMNS = ("column", "meaning", "values", "known", "known_column", "source", "needs_earlier_admission", "seen_in")
Entry = tuple[str, str, str, str]
"""Meaning, values, when it becomes known, source."""

_KEYS: dict[str, Entry] = {
    "subject_id": ("patient", "whole number", "", "PATIENTS"),
    "hadm_id": ("admission", "whole number; -1: unknown", "", "ADMISSIONS"),
    "index_time_us": (
        "time of the question: end of the last window used; without waveforms the first ICU intime",
        MICROSECONDS, "", "",
    ),
    "n_windows": ("windows of 10 s used; no feature, it tells how long a patient stayed", "whole number", AT_INDEX, ""),
    "first_eligible": ("the patient's one row for detection", "True, False", "", ""),
    "first_eligible_prediction": ("the patient's one row for prediction", "True, False", "", ""),
}  # fmt: skip
_FEATURES: dict[str, Entry] = {
    "f_age_years": ("age, a year more from the birthday on; at most 90", "years", AT_INDEX, "PATIENTS"),
    "f_age_over_89": ("90 or over", FLAG, AT_INDEX, "PATIENTS"),
    "f_sex_male": ("male", FLAG, AT_INDEX, "PATIENTS"),
    "f_hours_since_admission": ("since admission; empty: not admitted yet", "hours", AT_INDEX, "ADMISSIONS"),
    "f_hours_since_icu": ("since the ICU stay at hand began; empty: in none yet", "hours", AT_INDEX, "ICUSTAYS"),
    "f_n_prior_admissions": (
        "admissions over by the index time: how much there was to see for all that is taken from them",
        "whole number", LAST_DISCHARGE, "ADMISSIONS",
    ),
    "f_days_since_discharge": (
        "since the last of them ended; empty: none", "days", AT_INDEX, "ADMISSIONS",
    ),
}  # fmt: skip
_OUTCOMES: dict[str, Entry] = {
    "y_stroke_detection": ("stroke coded in this admission", OUTCOME, AT_DISCHARGE, "label stroke"),
    "y_stroke_prediction": (
        "stroke coded in an admission that began after the index time, in a patient without one so far",
        OUTCOME, "first later discharge with a stroke, or the last one", "label stroke",
    ),
    "y_af_this": ("atrial fibrillation coded in this admission", OUTCOME, AT_DISCHARGE, "label af"),
    "y_death_hospital": ("died in this admission", OUTCOME, AT_DISCHARGE, "ADMISSIONS"),
    "y_death_90d": ("died within 90 days of the index time", OUTCOME, DEATH_KNOWN, "PATIENTS"),
    "y_death_1y": ("died within 365 days of the index time", OUTCOME, DEATH_KNOWN, "PATIENTS"),
}  # fmt: skip


def feature_dictionary(
    table: pd.DataFrame,
    definitions: Definitions,
    maps: ComorbidityMaps,
    waveform: Mapping[str, tuple[str, str]],
    seen_in: str = "",
) -> pd.DataFrame:
    """One row a column of the feature table, in its order.

    Parameters
    ----------
    table : DataFrame
        From `features.clinical_features`.
    definitions : Definitions
    maps : ComorbidityMaps
    waveform : mapping
        {f_wave_ column: (meaning, values)}.
    seen_in : str
        How many patients have an earlier admission, in words, to stand beside everything that needs one.

    Returns
    -------
    DataFrame of str
        column, meaning, values, known (when the value becomes known, in words), known_column (which holds that time),
        source (with version), needs_earlier_admission (yes or empty), seen_in.
    """
    entries = {**_KEYS, **_FEATURES, **_OUTCOMES, **_of_admission(), **_of_lists(definitions), **_of_maps(maps)}
    entries |= {name: (*told, AT_INDEX, "waveforms of the first 24 h") for name, told in waveform.items()}
    rows = []
    for column in map(str, table.columns):
        if column.startswith("known_"):
            of = column.removeprefix("known_")
            whose = of if of in table else f"{of}_*"
            rows.append((column, f"when {whose} became known", MICROSECONDS, "", "", "", "", ""))
            continue
        assert column in entries, f"{column} has no entry in the dictionary of features"
        meaning, values, known, source = entries[column]
        time = known_column(column, table.columns) if column.startswith(("f_", "y_")) else None
        needs = column.startswith(FROM_EARLIER) or column == "f_days_since_discharge"
        beside = ("yes", seen_in) if needs else ("", "")
        rows.append((column, meaning, values, known, time or "", source, *beside))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_admission() -> dict[str, Entry]:
    kinds = {f"f_admission_{n}": (f"{n} admission", FLAG, "admission", "ADMISSIONS") for n in ADMISSION_TYPES}
    units = {
        f"f_unit_{n}": (f"in the {n.upper()} at the index time", FLAG, "start of the ICU stay", "ICUSTAYS")
        for n in CARE_UNITS
    }
    return kinds | units


def _of_lists(definitions: Definitions) -> dict[str, Entry]:
    version = f"{definitions.path.name} version {definitions.version}"
    past = {
        f"f_prior_{name}": (f"coded before: {group.meaning}", FLAG, LAST_DISCHARGE, f"{version}: {group.source}")
        for name, group in definitions.history.items()
    }
    drugs = {
        f"f_med_{name}": (
            f"prescribed in this admission: {drug_list.meaning}", FLAG,
            "end of the day it was started; index time for a 0", version,
        )
        for name, drug_list in definitions.medications.items()
    }  # fmt: skip
    return past | drugs


def _of_maps(maps: ComorbidityMaps) -> dict[str, Entry]:
    score = maps.cha2ds2_vasc
    entries = _of_map(maps.elixhauser, "elix") | _of_map(score, "cha2ds2_vasc")
    entries["f_cha2ds2_vasc"] = (
        "CHA2DS2-VASc, from age, sex and what was coded before: of age and sex alone without an earlier admission",
        "points, 0 to 9; empty: age, sex or index time unknown",
        LAST_DISCHARGE, f"version {score.version}: {score.source}",
    )  # fmt: skip
    return entries if maps.ccs is None else entries | _of_map(maps.ccs, "ccs")


def _of_map(groups: GroupMap, prefix: str) -> dict[str, Entry]:
    source = f"version {groups.version}: {groups.source}"
    return {
        f"f_{prefix}_{name}": (f"coded before: {meaning}", FLAG, LAST_DISCHARGE, source)
        for name, meaning in groups.meanings.items()
    }
