"""The bedside score against patients worked out by hand."""

import pandas as pd

from ecgppg.risk.scores import cha2ds2_vasc

NOTHING = dict.fromkeys(
    ("f_prior_heart_failure", "f_prior_hypertension", "f_prior_diabetes", "f_prior_stroke", "f_prior_tia",
     "f_prior_vascular"), 0
)  # fmt: skip


def _points(**values: float) -> float:
    return float(cha2ds2_vasc(pd.DataFrame([NOTHING | {"f_age_years": 50, "f_sex_male": 1} | values])).points_N[0])


def test_points_of_single_patients() -> None:
    assert _points() == 0
    assert [_points(f_age_years=a) for a in (64.9, 65, 74.9, 75, 90)] == [0, 1, 1, 2, 2]
    assert _points(f_sex_male=0) == 1
    assert _points(f_prior_stroke=1) == _points(f_prior_tia=1) == _points(f_prior_stroke=1, f_prior_tia=1) == 2
    for name in ("heart_failure", "hypertension", "diabetes", "vascular"):
        assert _points(**{f"f_prior_{name}": 1}) == 1
    everything = dict.fromkeys(NOTHING, 1)
    assert _points(f_age_years=80, f_sex_male=0, **everything) == 9


def test_missing_parts_are_named_and_missing_values_count_nothing() -> None:
    score = cha2ds2_vasc(pd.DataFrame({"f_age_years": [80.0, float("nan")], "f_prior_tia": [0, 1]}))
    assert score.points_N.tolist() == [2, 2]
    assert score.used == ("age", "stroke or TIA")
    assert score.missing == ("sex", "heart failure", "hypertension", "diabetes", "vascular disease")
