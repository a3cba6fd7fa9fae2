"""Every cluster against every label: which tests are made, how many permutations they need, what they found."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ecgppg.core.seeds import hash63
from ecgppg.discovery.enrichment import (
    LEAST_PATIENTS,
    PERMUTATIONS_PER_TEST,
    Association,
    benjamini_hochberg,
    effect_sizes,
    members,
    permutation_p,
    strata_of,
)
from ecgppg.discovery.patients import Exposure


@dataclass(frozen=True)
class Untested:
    """A label or a cluster that was not tested, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Validation:
    """All tests of one run.

    Attributes
    ----------
    associations : list of Association
        By q, then p.
    untested : list of Untested
    n_patients : int
    n_permutations : int
        Of each test.
    """

    associations: list[Association]
    untested: list[Untested]
    n_patients: int
    n_permutations: int


def validate_clusters(
    exposed: Exposure,
    labels_P: pd.DataFrame,
    n_permutations: int,
    alpha: float,
    n_bootstrap: int,
    confidence: float,
    seed: int,
) -> Validation:
    """Test each cluster against each label, patient by patient.

    Parameters
    ----------
    exposed : Exposure
    labels_P : DataFrame
        1, 0, -1 (unknown) a patient and label, in the order of `exposed.subject_id_P`.
    n_permutations : int
        At least this many; more where the number of tests divided by `alpha` asks for it.
    alpha : float
        False discovery rate.
    n_bootstrap, confidence
        Of the effect sizes' intervals.
    seed : int
    """
    tested_K, untested = _testable_clusters(exposed)
    tested_labels = []
    for name in labels_P.columns:
        positive, known = (labels_P[name].to_numpy() == 1), (labels_P[name].to_numpy() >= 0)
        if not known.any():
            untested.append(Untested(name, "unknown for every patient"))
        elif min(positive.sum(), (known & ~positive).sum()) < LEAST_PATIENTS:
            untested.append(Untested(name, f"fewer than {LEAST_PATIENTS} patients with it, or without it"))
        else:
            tested_labels.append(name)
    n_tests = len(tested_K) * len(tested_labels)
    n_permutations = max(n_permutations, math.ceil(PERMUTATIONS_PER_TEST * n_tests / alpha))
    found: list[Association] = []
    for name in tested_labels if len(tested_K) else []:
        values = labels_P[name].to_numpy()
        known = values >= 0
        positive_P, share_PK = values[known] == 1, exposed.share_PK[known][:, tested_K]
        label_seed = hash63("validate", seed, name)
        p = permutation_p(share_PK, positive_P, strata_of(exposed.n_windows_P[known]), n_permutations, label_seed)
        differences, odds = effect_sizes(share_PK, positive_P, n_bootstrap, confidence, label_seed)
        member_PK = members(share_PK)
        found += [
            Association(
                cluster=int(k),
                label=name,
                n_positive=int(positive_P.sum()),
                n_negative=int((~positive_P).sum()),
                n_positive_in=int(member_PK[positive_P, i].sum()),
                n_negative_in=int(member_PK[~positive_P, i].sum()),
                difference=differences[i],
                odds_ratio=odds[i],
                p=float(p[i]),
            )
            for i, k in enumerate(tested_K)
        ]
    q = benjamini_hochberg(np.array([a.p for a in found]))
    found = [replace(a, q=float(value)) for a, value in zip(found, q, strict=True)]
    found.sort(key=lambda a: (a.q, a.p, a.label, a.cluster))
    return Validation(found, untested, len(exposed.subject_id_P), n_permutations)


def _testable_clusters(exposed: Exposure) -> tuple[np.ndarray, list[Untested]]:
    n_patients_K = (exposed.share_PK > 0).sum(axis=0)
    tested = np.flatnonzero(n_patients_K >= LEAST_PATIENTS)
    few = np.flatnonzero(n_patients_K < LEAST_PATIENTS).tolist()
    return tested, [Untested(f"cluster {k}", f"fewer than {LEAST_PATIENTS} patients in it") for k in few]
