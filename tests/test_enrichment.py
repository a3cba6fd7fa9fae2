"""Tests by patient: nulls stay null, planted effects are found, small cells stay hidden."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from ecgppg.discovery.enrichment import benjamini_hochberg, effect_sizes, members, permutation_p, strata_of
from ecgppg.discovery.patients import binary_labels, exposure, patient_labels
from ecgppg.discovery.validation import validate_clusters
from ecgppg.discovery.validation_report import validation_json, validation_markdown


def cohort(rng: np.random.Generator, n_patients: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Patients with 5 to 80 windows who differ in how much of their time a cluster has."""
    subject_id = np.repeat(np.arange(n_patients), rng.integers(5, 80, n_patients))
    tendency = rng.beta(0.5, 1.5, n_patients)
    return subject_id, np.where(rng.random(len(subject_id)) < tendency[subject_id], 0, -1)


def test_false_positives_of_a_null_label_are_alpha_by_patient_and_many_by_window() -> None:
    from scipy.stats import fisher_exact

    rng = np.random.default_rng(0)
    n_repeats = 400
    by_patient = by_window = 0
    for i in range(n_repeats):
        subject_id, labels = cohort(rng)
        positive = rng.random(40) < 0.3
        exposed = exposure(subject_id, labels, 1)
        p = permutation_p(exposed.share_PK, positive, strata_of(exposed.n_windows_P), 199, seed=i)
        by_patient += p[0] <= 0.05
        inside, sick = labels == 0, positive[subject_id]
        table = [[(inside & sick).sum(), (inside & ~sick).sum()], [(~inside & sick).sum(), (~inside & ~sick).sum()]]
        by_window += fisher_exact(table)[1] <= 0.05
    assert 0.02 <= by_patient / n_repeats <= 0.085
    assert by_window / n_repeats > 0.3


def test_a_null_stays_one_when_long_stays_are_sicker_and_have_more_of_a_cluster() -> None:
    rng = np.random.default_rng(1)
    stratified = free = 0
    for i in range(300):
        n_windows = rng.permutation(np.repeat([10, 100], 30))
        long_stay = n_windows == 100
        positive = rng.random(60) < np.where(long_stay, 0.6, 0.15)
        share = np.where(long_stay, 0.5, 0.2)[:, None] + 0.1 * rng.normal(size=(60, 1))
        stratified += permutation_p(share, positive, strata_of(n_windows), 99, seed=i)[0] <= 0.05
        free += permutation_p(share, positive, np.zeros(60, int), 99, seed=i)[0] <= 0.05
    assert stratified / 300 < 0.09
    assert free / 300 > 0.5


def test_permutation_p_is_exact_where_all_permutations_can_be_counted() -> None:
    share = np.array([[0.9], [0.8], [0.1], [0.2], [0.0], [0.3]])
    positive = np.array([True, True, False, False, False, False])
    expected = share.mean() * 2
    sums = [share[i, 0] + share[j, 0] for i in range(6) for j in range(i)]
    exact = np.mean(np.abs(np.array(sums) - expected) >= abs(1.7 - expected) - 1e-9)
    p = permutation_p(share, positive, np.zeros(6, int), 20_000, seed=0)
    assert p[0] == pytest.approx(exact, abs=0.006)


def test_strata_hold_ten_patients_or_more_and_equal_counts_are_one() -> None:
    assert set(strata_of(np.full(50, 100))) == {0}
    assert set(strata_of(np.arange(12))) == {0}
    assert np.bincount(strata_of(np.arange(60))).tolist() == [12] * 5


def test_benjamini_hochberg_is_that_of_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(0).random(30) ** 3
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert benjamini_hochberg(np.zeros(0)).shape == (0,)


def test_effect_sizes_are_plain_differences_and_near_the_plain_odds_ratio() -> None:
    rng = np.random.default_rng(0)
    positive = np.repeat([True, False], [60, 140])
    share = np.where(rng.random(200) < np.where(positive, 0.6, 0.3), 0.5, 0.02)[:, None]
    difference, odds = effect_sizes(share, positive, 400, 0.95, seed=0)
    assert difference[0].estimate == pytest.approx(share[positive].mean() - share[~positive].mean())
    inside = members(share)[:, 0]
    a, b = inside[positive].sum(), (~inside[positive]).sum()
    c, d = inside[~positive].sum(), (~inside[~positive]).sum()
    assert odds[0].estimate == pytest.approx(a * d / (b * c), rel=0.05)
    assert odds[0].low < odds[0].estimate < odds[0].high
    _, all_in = effect_sizes(np.ones((200, 1)), positive, 50, 0.95, seed=0)
    assert math.isnan(all_in[0].estimate)


def test_labels_become_patients_and_nothing_but_labels_is_tested() -> None:
    frame = pd.DataFrame(
        {
            "heart_rate_bpm": [60.0, 70, 80, 90, 100],
            "quality": 1.0,
            "n_beats": np.int16(12),
            "stroke_this": np.array([0, 1, -1, -1, 0], np.int8),
            "label_rhythm": pd.Categorical(["AF", "N", None, "N", "N"]),
        }
    )
    subject_id = np.array([5, 5, 6, 6, 9])
    labels = binary_labels(frame)
    assert list(labels.columns) == ["stroke_this", "label_rhythm=AF", "label_rhythm=N"]
    patients = patient_labels(labels, subject_id, np.array([5, 6, 9]))
    assert patients["stroke_this"].tolist() == [1, -1, 0]
    assert patients["label_rhythm=AF"].tolist() == [1, 0, 0]
    assert patients["label_rhythm=N"].tolist() == [1, 1, 1]


def planted_validation(n_permutations: int = 200) -> dict:
    rng = np.random.default_rng(4)
    af = rng.random(120) < 0.25
    subject_id = np.repeat(np.arange(120), rng.integers(10, 40, 120))
    draw = rng.random(len(subject_id))
    labels = np.where(draw < np.where(af, 0.6, 0.1)[subject_id], 0, np.where(draw > 0.7, 1, -1))
    labels[(subject_id == 3) & (labels == -1)] = 2
    exposed = exposure(subject_id, labels, 3)
    columns = {f"null{i}_this": (rng.random(120) < 0.3).astype(np.int8) for i in range(6)}
    columns |= {"af_this": af.astype(np.int8), "rare_this": (np.arange(120) < 7).astype(np.int8)}
    again = np.arange(120) % 5 == 0
    columns["null_before"] = np.where(again, np.arange(120) // 5 % 2, -1).astype(np.int8)
    columns |= {"death_1y": np.full(120, -1, np.int8), "unique_this": (np.arange(120) == 5).astype(np.int8)}
    found = validate_clusters(exposed, pd.DataFrame(columns), n_permutations, 0.05, 100, 0.95, seed=0)
    return validation_json(found, {1}, 0.05, 11, "outcome", includes_train=False)


def test_a_planted_association_is_found_and_nothing_else() -> None:
    found = planted_validation()
    sure = [(a["cluster"], a["label"]) for a in found["associations"] if a["significant"]]
    assert sure == [(0, "af_this")]
    best = found["associations"][0]
    assert best["difference"]["low"] > 0.3
    assert {u["what"] for u in found["untested"]} == {"cluster 2", "death_1y", "unique_this"}
    # 2 clusters x 9 labels at alpha 0.05 need more than 360 permutations.
    assert found["n_tests"] == 18
    assert found["n_permutations"] == 720
    assert planted_validation(5000)["n_permutations"] == 5000


def test_beside_every_line_stands_for_how_many_the_label_is_known() -> None:
    """A label of an earlier admission says nothing of those who have none: here 96 of 120."""
    found = planted_validation()
    known = {a["label"]: a["n_known"] for a in found["associations"]}
    assert (known["null_before"], known["af_this"]) == (24, 120)
    page = validation_markdown(found)
    lines = [line for line in page.splitlines() if line.startswith("| ") and "earlier admission" in line]
    assert len(lines) == 2
    assert all("| null, an earlier admission | 24 of 120 (20%) | 12 (" in line for line in lines)
    assert "no sample of all" in page


def test_small_cells_are_hidden_in_json_and_page() -> None:
    found = planted_validation()
    json.dumps(found, allow_nan=False)
    rare = [a for a in found["associations"] if a["label"] == "rare_this"]
    assert rare
    for a in rare:
        assert a["n_positive"] is a["n_negative"] is None  # 120 patients less one of them is the other
        assert a["cells_hidden"]
        assert a["n_positive_in_cluster"] is None
        assert a["n_negative_in_cluster"] is None
        assert a["odds_ratio"] is None
    for a in found["associations"]:
        if a["cells_hidden"]:
            continue
        inside = (a["n_positive_in_cluster"], a["n_negative_in_cluster"])
        cells = (*inside, a["n_positive"] - inside[0], a["n_negative"] - inside[1])
        assert all(cell == 0 or cell >= 11 for cell in cells)
    page = validation_markdown(found)
    assert "| rare, this admission | 120 of 120 (100%) | hidden | hidden |" in page
    assert "belong to an admission" in page
    assert "1\\*" in page
