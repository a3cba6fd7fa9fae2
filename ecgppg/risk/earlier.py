"""How many of the predicted patients were admitted before: for the others, whatever needs earlier codes is blind."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import pandas as pd

from ecgppg.clinical.leakage import FROM_EARLIER
from ecgppg.risk.cells import shown_cohort

SCORE = "score_cha2ds2_vasc"
"""The model's column of the bedside score: its diagnoses come from earlier admissions."""


@dataclass(frozen=True)
class EarlierSeen:
    """Patients with an earlier admission among the predicted ones.

    Attributes
    ----------
    n_seen, n_patients : int
    low, high : float
        Interval of the share (Wilson); NaN without patients.
    """

    n_seen: int
    n_patients: int
    low: float
    high: float

    def shown(self, least: int) -> str:
        """As people may see it: "14 of 100 (14%, 9–22%)"; nothing but the bound where a small cell would show."""
        patients, seen = shown_cohort(self.n_patients, self.n_seen, least)
        if patients == "hidden" or seen.startswith("<") or not self.n_patients:
            return f"{seen} of {patients}"
        return f"{seen} of {patients} ({self.n_seen / self.n_patients:.0%}, {100 * self.low:.0f}–{self.high:.0%})"


def earlier_seen(frame: pd.DataFrame, confidence: float) -> EarlierSeen | None:
    """Count the patients of a cohort who have an earlier admission.

    Parameters
    ----------
    frame : DataFrame
        One row a patient.
    confidence : float
        Width of the interval.

    Returns
    -------
    EarlierSeen or None
        None where the table has no f_n_prior_admissions.
    """
    if "f_n_prior_admissions" not in frame:
        return None
    n_seen, n = int((frame["f_n_prior_admissions"] > 0).sum()), len(frame)
    return EarlierSeen(n_seen, n, *wilson(n_seen, n, confidence))


def earlier_counts(frame: pd.DataFrame, least: int) -> str:
    """The same for a figure, without the interval: "14 of 100"; empty where the table cannot tell."""
    if "f_n_prior_admissions" not in frame:
        return ""
    patients, seen = shown_cohort(len(frame), int((frame["f_n_prior_admissions"] > 0).sum()), least)
    return f"{seen} of {patients}"


def needs_earlier(predictors: Iterable[str]) -> bool:
    """Whether any of a model's predictors is taken from earlier admissions."""
    return any(name.startswith(FROM_EARLIER) or name == SCORE for name in predictors)


def wilson(k: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share k of n; NaN for n 0.

    Notes
    -----
    Wilson, J Am Stat Assoc 1927; 22:209-212.
    """
    if n == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, spread = k / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)
