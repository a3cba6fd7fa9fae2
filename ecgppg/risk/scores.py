"""The bedside stroke score, as far as the feature table can compute it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class BedsideScore:
    """A score per patient and what it could not see.

    Attributes
    ----------
    points_N : np.ndarray
        Points, float64; NaN only where the table's own score is.
    used, missing : tuple of str
        Parts that entered, and parts for which the table has no column.
    """

    points_N: np.ndarray
    used: tuple[str, ...]
    missing: tuple[str, ...]


_FLAGS = (
    ("heart failure", ("f_prior_heart_failure",), 1),
    ("hypertension", ("f_prior_hypertension",), 1),
    ("diabetes", ("f_prior_diabetes",), 1),
    ("stroke or TIA", ("f_prior_stroke", "f_prior_tia"), 2),
    ("vascular disease", ("f_prior_vascular",), 1),
)


def cha2ds2_vasc(frame: pd.DataFrame) -> BedsideScore:
    """CHA2DS2-VASc points (Lip et al., Chest 2010): the table's own, or else from the columns that exist.

    Without f_cha2ds2_vasc age 65-74 counts 1 and 75 or more 2, female sex 1, an earlier stroke 2, the rest 1 each. A
    missing column or value counts 0, so that the score of a table without every part is a lower bound; it was made for
    patients with AF and serves here as a summary of risk, fitted anew.

    Parameters
    ----------
    frame : pd.DataFrame
        f_cha2ds2_vasc, or any of f_age_years, f_sex_male and f_prior_ heart_failure, hypertension, diabetes, stroke,
        tia, vascular.
    """
    if "f_cha2ds2_vasc" in frame:
        every_part = ("age", "sex", *(part for part, _, _ in _FLAGS))
        return BedsideScore(frame["f_cha2ds2_vasc"].to_numpy(dtype=float), every_part, ())
    points_N = np.zeros(len(frame))
    used, missing = [], []
    if "f_age_years" in frame:
        age_N = frame["f_age_years"].to_numpy(dtype=float)
        points_N += np.where(age_N >= 75, 2, np.where(age_N >= 65, 1, 0))
        used.append("age")
    else:
        missing.append("age")
    if "f_sex_male" in frame:
        points_N += frame["f_sex_male"].to_numpy(dtype=float) == 0
        used.append("sex")
    else:
        missing.append("sex")
    for part, columns, points in _FLAGS:
        present = [name for name in columns if name in frame]
        if present:
            points_N += points * (frame[present] == 1).any(axis=1).to_numpy()
            used.append(part)
        else:
            missing.append(part)
    return BedsideScore(points_N, tuple(used), tuple(missing))
