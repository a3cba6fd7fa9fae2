"""The planted truth about people can be found again in what was simulated."""

from itertools import pairwise

import numpy as np

from ecgppg.synthetic.codes import ICD9, RHYTHM_CODES, STROKE_CODES, STROKE_MIMICS
from ecgppg.synthetic.people import OutcomeModel, simulate_people
from ecgppg.synthetic.rhythm import RHYTHMS
from ecgppg.synthetic.stays import PLACEMENTS, draw_course, place_extra, place_records


def test_af_share_is_fifteen_percent() -> None:
    assert simulate_people(60, 42).af.sum() == 9
    assert simulate_people(20_000, 1).af.mean() == 0.15
    assert simulate_people(3, 5).af.sum() == 1


def test_same_seed_same_people_and_other_seed_others() -> None:
    first, again, other = simulate_people(50, 7), simulate_people(50, 7), simulate_people(50, 8)
    assert first.equals(again)
    assert not first.equals(other)
    assert first.subject_id.is_unique


def test_planted_odds_ratios_lie_in_their_intervals() -> None:
    import statsmodels.api as sm

    people = simulate_people(20_000, 3)
    adults = people[~people.neonate]
    model = OutcomeModel()
    centred = adults.age_years - 65
    stroke = sm.Logit(
        adults.stroke.astype(float), sm.add_constant(np.column_stack([adults.af, centred]).astype(float))
    ).fit(disp=0)
    planted = [model.stroke_intercept, model.stroke_af, model.stroke_age_per_year]
    # Three standard errors: a true 95 % interval misses one coefficient in twenty.
    assert (np.abs(stroke.params - planted) < 3 * stroke.bse).all()
    low, high = np.exp(np.asarray(stroke.conf_int())[1])
    assert low < 3.0 < high
    assert high / low < 1.35

    columns = np.column_stack([adults.af, adults.stroke, centred]).astype(float)
    death = sm.Logit(adults.died.astype(float), sm.add_constant(columns)).fit(disp=0)
    planted = [model.death_intercept, model.death_af, model.death_stroke, model.death_age_per_year]
    assert (np.abs(death.params - planted) < 3 * death.bse).all()


def test_codes_tell_of_af_as_often_as_the_model_says() -> None:
    people = simulate_people(20_000, 4)
    adults = people[~people.neonate]
    assert abs(adults[adults.af].af_coded.mean() - 0.9) < 0.02
    assert abs(adults[~adults.af].af_coded.mean() - 0.04) < 0.01


def test_neonates_have_no_outcomes_and_every_rhythm_occurs() -> None:
    people = simulate_people(600, 4)
    babies = people[people.neonate]
    assert len(babies) == 20
    assert not babies[["af", "stroke", "died", "prior_stroke", "af_coded"]].any(axis=None)
    assert set(people.rhythm) == set(RHYTHMS)
    assert people.rate_bpm.between(45, 150).all()


def test_codes_are_all_in_the_dictionary() -> None:
    used = {code for codes in RHYTHM_CODES.values() for code in codes} | set(STROKE_CODES) | set(STROKE_MIMICS)
    assert used <= set(ICD9)
    assert abs(sum(STROKE_CODES.values()) - 1) < 1e-9


def test_dates_are_in_order_and_records_do_not_overlap() -> None:
    minutes, cases = 30.0, []
    for i, person in enumerate(simulate_people(300, 9).to_dict("records")):
        rng = np.random.default_rng([9, i])
        course = draw_course(person, i, rng)
        times = [t for a in course.admissions for t in (a.admittime, a.intime, a.outtime, a.dischtime)]
        assert times == sorted(times)
        assert all(2100 <= t.year < 2200 for t in times)
        assert course.over_89 == (course.dob.year < 1950)
        placements = place_records(course, minutes, i, rng)
        spans = sorted((p.start, p.case) for p in placements + [place_extra(course, k) for k in range(8)])
        gaps = [(b[0] - a[0]).total_seconds() / 60 for a, b in pairwise(spans)]
        assert min(gaps) > minutes
        for p in placements:
            stay = next((a for a in course.admissions if a.admittime <= p.start <= a.dischtime), None)
            assert (p.case == "inside") == (stay is not None)
            nearest_h = min(
                max((a.admittime - p.start).total_seconds(), (p.start - a.dischtime).total_seconds(), 0) / 3600
                for a in course.admissions
            )
            expected = "inside" if nearest_h == 0 else "within_6h" if nearest_h <= 6 else "within_12h"
            assert p.expected_grade == (expected if nearest_h <= 12 else "none")
        cases += [p.case for p in placements]
    assert set(cases) == set(PLACEMENTS)
    assert 0.75 < cases.count("inside") / len(cases) < 0.86
