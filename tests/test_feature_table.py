"""The simulated feature table holds what was planted in it."""

import numpy as np
from threadpoolctl import threadpool_limits

from ecgppg.clinical.leakage import check_leakage
from ecgppg.evaluation.discrimination import auroc
from ecgppg.risk.cohort import TASKS, build_cohort
from ecgppg.risk.planted import recovered_odds_ratio
from ecgppg.synthetic.feature_table import AF_ODDS_RATIO, simulate


def test_same_seed_same_table() -> None:
    first, second, other = simulate(100, 1), simulate(100, 1), simulate(100, 2)
    assert first.features.equals(second.features)
    assert first.truth.patients.equals(second.truth.patients)
    assert not first.features.equals(other.features)


def test_table_keeps_the_contract_of_clinical_features() -> None:
    table, truth = simulate(1000, 7)
    check_leakage(table)
    assert set(table["y_stroke_detection"]) <= {1, 0, -1}
    assert table.loc[table["first_eligible"] == 1, "subject_id"].is_unique
    assert not table.duplicated(["subject_id", "hadm_id"]).any()
    assert table["subject_id"].duplicated().any()
    assert table["f_age_years"].max() <= 90
    assert len(truth.patients) == len(table)
    assert "af" not in " ".join(c for c in table if not c.startswith(("f_prior_af", "known_f_prior_af")))
    for task in TASKS:
        seen = table[table[task.outcome] >= 0]
        assert (seen[f"known_{task.outcome}"] > seen["index_time_us"]).all()
    earlier = table["f_prior_stroke"] == 1
    assert (table.loc[earlier, "y_stroke_prediction"] == -1).all()


def test_irregular_pulse_tells_more_than_earlier_codes() -> None:
    table, truth = simulate(4000, 3)
    af = truth.patients["af"].to_numpy()
    readable = table["f_wave_rr_cv"].notna().to_numpy()
    from_pulse = auroc(af[readable], table["f_wave_rr_cv"].to_numpy()[readable])
    assert 0.9 < from_pulse < 1
    assert auroc(af, table["f_prior_af"].to_numpy()) < 0.75


def test_intervals_of_the_recovered_odds_ratio_cover_the_planted_one() -> None:
    covered, found = 0, []
    with threadpool_limits(1):
        for seed in range(20):
            table, truth = simulate(2000, 1000 + seed)
            for task in TASKS:
                cohort = build_cohort(table, task)
                r = recovered_odds_ratio(cohort, truth.patients, truth.log_odds_ratios, "af", "AF", 0.95)
                covered += r.low <= AF_ODDS_RATIO <= r.high
                found.append(np.log(r.found))
    assert covered >= 34  # a 95 % interval covers fewer than 34 of 40 once in 500 times
    assert abs(np.mean(found) - np.log(AF_ODDS_RATIO)) < 4 * np.std(found) / np.sqrt(40)
