"""Comorbidity groups and CHA2DS2-VASc from earlier admissions only.

A code of the admission at hand was given after its discharge: at the index time nobody knew it. So a patient who was
never admitted here before has every group 0, and a score of age and sex alone; n_prior_admissions tells them apart.
"""

import numpy as np
import pandas as pd

from ecgppg.clinical.comorbidity_maps import SCORE_GROUPS, ComorbidityMaps, GroupMap
from ecgppg.clinical.earlier import EarlierAdmissions
from ecgppg.clinical.tables import ClinicalTables


def groups_of_admissions(tables: ClinicalTables, groups: GroupMap) -> np.ndarray:
    """Which groups each admission was coded with, in any position.

    Returns
    -------
    ndarray of bool (number of admissions, number of groups)
        In the order of `tables.admissions` and of `groups.meanings`.
    """
    diagnoses = tables.diagnoses_icd
    coded = diagnoses["icd9_code"].astype("category")
    member_CG = groups.membership(coded.cat.categories)
    code_D = coded.cat.codes.to_numpy()
    admission_D = pd.Index(tables.admissions["hadm_id"]).get_indexer(pd.Index(diagnoses["hadm_id"]))
    flag_AG = np.zeros((len(tables.admissions), member_CG.shape[1]), bool)
    for g in range(member_CG.shape[1]):
        flag_AG[admission_D[member_CG[code_D, g]], g] = True
    return flag_AG


def cha2ds2_vasc_points(
    age_years_N: np.ndarray, female_N: np.ndarray, diagnosis_NG: np.ndarray, points_G: np.ndarray
) -> np.ndarray:
    """CHA2DS2-VASc: 1 point from 65 years, 2 from 75, 1 for female sex, and those of the diagnoses.

    Parameters
    ----------
    age_years_N, female_N : ndarray of float64 (N,)
        Sex as 1 female, 0 male.
    diagnosis_NG : ndarray of float64 (N, 5)
        1 or 0 for each of `SCORE_GROUPS`.
    points_G : ndarray of int (5,)
        What each diagnosis adds.

    Returns
    -------
    ndarray of float64 (N,)
        NaN where age or sex is unknown.

    Notes
    -----
    Lip et al., Chest 2010; 137:263-272. It was made for patients with atrial fibrillation.
    """
    of_age_N = np.where(age_years_N >= 75, 2.0, np.where(age_years_N >= 65, 1.0, 0.0))
    total_N = of_age_N + female_N + diagnosis_NG @ points_G
    return np.where(np.isnan(age_years_N), np.nan, total_N)


def comorbidity_features(
    tables: ClinicalTables,
    maps: ComorbidityMaps,
    earlier: EarlierAdmissions,
    age_years_N: np.ndarray,
    female_N: np.ndarray,
) -> pd.DataFrame:
    """Groups and score of each row.

    Returns
    -------
    DataFrame
        elix_GROUP, cha2ds2_vasc_GROUP and, with a CCS map, ccs_NUMBER: 1 if recorded in an earlier admission, else 0,
        NaN where the index time is unknown; and the score cha2ds2_vasc.
    """
    score = maps.cha2ds2_vasc
    columns = _flags(tables, maps.elixhauser, earlier, "elix")
    parts = _flags(tables, score, earlier, "cha2ds2_vasc")
    diagnosis_NG = np.column_stack([parts[f"cha2ds2_vasc_{name}"] for name in SCORE_GROUPS])
    points_G = np.array([score.points[name] for name in SCORE_GROUPS])
    columns |= {"cha2ds2_vasc": cha2ds2_vasc_points(age_years_N, female_N, diagnosis_NG, points_G), **parts}
    if maps.ccs is not None:
        columns |= _flags(tables, maps.ccs, earlier, "ccs")
    return pd.DataFrame(columns)


def _flags(tables: ClinicalTables, groups: GroupMap, earlier: EarlierAdmissions, prefix: str) -> dict[str, np.ndarray]:
    found_NG = earlier.any(groups_of_admissions(tables, groups))
    return {f"{prefix}_{name}": found_NG[:, g] for g, name in enumerate(groups.meanings)}
