"""Do patients with a diagnosis spend more of their time in a pattern? Tested with the patient as the unit.

Testing windows called a third of true nulls significant; testing patients, none. Patients' labels are permuted within
strata of how many windows they have, because long stays are sicker and have more windows.

Shapes: P patients, K clusters, B permutations.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ecgppg.core.seeds import hash63
from ecgppg.evaluation.intervals import Interval, patient_draws, percentile_interval

LEAST_PATIENTS = 5
"""Fewer patients with the label, without it, or in the cluster: no test."""
MOST_STRATA = 5
PATIENTS_PER_STRATUM = 10
PERMUTATIONS_PER_TEST = 2
BLOCK = 500
MEMBER_SHARE = 0.1
"""A patient with many windows has one in every cluster by chance: a member has a tenth of them there."""


@dataclass(frozen=True)
class Association:
    """One cluster against one label.

    Attributes
    ----------
    cluster : int
    label : str
    n_positive, n_negative : int
        Patients with and without the label.
    n_positive_in, n_negative_in : int
        Of those, patients with a tenth of their windows in the cluster or more.
    difference : Interval
        Mean share of time in the cluster, positive minus negative patients.
    odds_ratio : Interval
        Of spending a tenth of the time in the cluster or more; NaN where a cell of its table is empty.
    p : float
        Two-sided permutation p value of the difference.
    q : float
        The same after Benjamini-Hochberg over all tests made.
    """

    cluster: int
    label: str
    n_positive: int
    n_negative: int
    n_positive_in: int
    n_negative_in: int
    difference: Interval
    odds_ratio: Interval
    p: float
    q: float = np.nan


def members(share_PK: np.ndarray) -> np.ndarray:
    """Patients who spend a tenth of their time in a cluster or more, bool (P, K)."""
    return share_PK >= MEMBER_SHARE


def strata_of(n_windows_P: np.ndarray) -> np.ndarray:
    """Stratum of each patient by its count of windows: at most five, about ten patients or more each, int (P,)."""
    n_strata = min(MOST_STRATA, max(1, len(n_windows_P) // PATIENTS_PER_STRATUM))
    edges = np.unique(np.quantile(n_windows_P, np.arange(1, n_strata) / n_strata))
    return np.searchsorted(edges, n_windows_P, side="left")


def permutation_p(
    share_PK: np.ndarray, positive_P: np.ndarray, strata_P: np.ndarray, n_permutations: int, seed: int
) -> np.ndarray:
    """Two-sided p value of each cluster's exposure against one label.

    Parameters
    ----------
    share_PK : array of float
        Exposure of each patient.
    positive_P : array of bool
    strata_P : array of int
        Labels are permuted within these.
    n_permutations : int
    seed : int

    Returns
    -------
    array of float, shape (K,)
        (1 + permutations at least as far from the stratified expectation) / (1 + n_permutations).
    """
    rng = np.random.default_rng(hash63("permutation", seed))
    order = np.argsort(strata_P, kind="stable")
    share_PK, positive_P = share_PK[order], positive_P[order]
    bounds = np.flatnonzero(np.diff(strata_P[order], prepend=-1, append=-1))
    expected = np.zeros(share_PK.shape[1])
    for start, stop in pairwise(bounds.tolist()):
        expected += positive_P[start:stop].sum() * share_PK[start:stop].mean(axis=0)
    observed = np.abs(positive_P @ share_PK - expected)
    # Sums of the same numbers in another order differ in the last bits: those are ties, not improvements.
    least = observed - 1e-9 * np.maximum(1.0, np.abs(expected))
    as_far = np.zeros(share_PK.shape[1], np.int64)
    for first in range(0, n_permutations, BLOCK):
        labels_BP = np.tile(positive_P, (min(BLOCK, n_permutations - first), 1))
        for start, stop in pairwise(bounds.tolist()):
            labels_BP[:, start:stop] = rng.permuted(labels_BP[:, start:stop], axis=1)
        as_far += (np.abs(labels_BP.astype(float) @ share_PK - expected) >= least).sum(axis=0)
    return (1 + as_far) / (1 + n_permutations)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p values (Benjamini and Hochberg 1995), in the order given."""
    n = len(p)
    order = np.argsort(p)[::-1]
    q = np.empty(n)
    q[order] = np.minimum.accumulate(p[order] * n / np.arange(n, 0, -1))
    return np.minimum(q, 1)


def effect_sizes(
    share_PK: np.ndarray, positive_P: np.ndarray, n_bootstrap: int, confidence: float, seed: int
) -> tuple[list[Interval], list[Interval]]:
    """Difference of mean exposure and odds ratio of membership for each cluster, with patient-bootstrap intervals."""
    n = len(positive_P)
    member_PK = members(share_PK).astype(float)
    drawn = np.zeros((n_bootstrap, n))
    np.add.at(drawn, (np.arange(n_bootstrap)[:, None], patient_draws(n, n_bootstrap, seed)), 1)
    weights_BP = np.concatenate([np.ones((1, n)), drawn])
    positive_B1, negative_B1 = (weights_BP @ side[:, None].astype(float) for side in (positive_P, ~positive_P))
    with np.errstate(invalid="ignore", divide="ignore"):
        difference_BK = (weights_BP[:, positive_P] @ share_PK[positive_P]) / positive_B1
        difference_BK -= (weights_BP[:, ~positive_P] @ share_PK[~positive_P]) / negative_B1
        positive_in_BK = weights_BP[:, positive_P] @ member_PK[positive_P]
        negative_in_BK = weights_BP[:, ~positive_P] @ member_PK[~positive_P]
        # One patient is shared out over each column's cells by the size of its group (Sweeting et al. 2004,
        # doi:10.1002/sim.1761): half a patient to each would make an effect of unequal groups alone.
        positive_more, negative_more = positive_B1 / n, negative_B1 / n
        odds_BK = (positive_in_BK + positive_more) * (negative_B1 - negative_in_BK + negative_more)
        odds_BK /= (positive_B1 - positive_in_BK + positive_more) * (negative_in_BK + negative_more)
    # With an empty cell the odds ratio is nothing but its correction, and resampling never fills the cell.
    cells_4K = [
        positive_in_BK[0],
        (positive_B1 - positive_in_BK)[0],
        negative_in_BK[0],
        (negative_B1 - negative_in_BK)[0],
    ]
    odds_BK[:, np.min(cells_4K, axis=0) == 0] = np.nan

    def intervals(values_BK: np.ndarray) -> list[Interval]:
        return [
            Interval(float(column[0]), *percentile_interval(column[1:], n, confidence), n) for column in values_BK.T
        ]

    return intervals(difference_BK), intervals(odds_BK)
