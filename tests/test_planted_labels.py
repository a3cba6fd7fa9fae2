"""What the synthetic cohort plants in its tables is what the labels say, for every one of six hundred people."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.counts import count_definitions
from ecgppg.clinical.demographics import patients_at_first_admission
from ecgppg.clinical.labels import WHEN
from ecgppg.clinical.patient_labels import label_patients
from ecgppg.clinical.tables import read_tables
from ecgppg.config.schema import UNKNOWN_TIME_US
from ecgppg.synthetic.people import simulate_people
from ecgppg.synthetic.stays import draw_course
from ecgppg.synthetic.tables import patient_rows, write_tables

DEFINITIONS = load_definitions()


def us(when):
    return (when - datetime(1970, 1, 1)) // timedelta(microseconds=1)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """(tables, labels at each index admission by patient, people, courses)"""
    folder = tmp_path_factory.mktemp("planted")
    people = simulate_people(600, seed=23).to_dict("records")
    courses, rows = [], []
    for number, person in enumerate(people):
        rng = np.random.default_rng([23, number])
        courses.append(draw_course(person, number, rng))
        rows.append(patient_rows(person, courses[-1], rng))
    write_tables(folder, rows)
    tables = read_tables(folder)
    index = [course.index for course in courses]
    labels = label_patients(
        tables,
        DEFINITIONS,
        np.array([person["subject_id"] for person in people]),
        np.array([stay.hadm_id for stay in index]),
        np.array([us(stay.intime) for stay in index]),
    )
    return tables, labels.set_index("subject_id"), people, courses


def test_strokes_lie_in_the_admission_they_were_planted_in(planted):
    _, labels, people, courses = planted
    seen = set()
    for person, course in zip(people, courses, strict=True):
        row, roles = labels.loc[person["subject_id"]], [stay.role for stay in course.admissions]
        this = int(person["stroke_when"] == "this")
        before = int(person["prior_stroke"]) if "prior" in roles else -1
        after = int(person["stroke_when"] == "later") if "later" in roles else -1
        assert tuple(row[f"stroke_{when}"] for when in WHEN) == (this, before, after)
        assert row["stroke_history_this"] == int(person["prior_stroke"])
        prevalent = this or person["prior_stroke"]
        assert row["stroke_incident"] == (-1 if prevalent else after)
        seen.add((this, before, after))
    assert {(1, -1, -1), (0, 1, -1), (0, -1, 1), (0, 0, 0)} <= seen


def test_fibrillation_is_coded_as_planted(planted):
    _, labels, people, courses = planted
    for person, course in zip(people, courses, strict=True):
        row, roles = labels.loc[person["subject_id"]], [stay.role for stay in course.admissions]
        coded = int(person["af_coded"])
        assert row["af_this"] == coded
        assert row["af_before"] == (0 if "prior" in roles else -1)
        assert row["af_after"] == (coded if "later" in roles else -1)
        assert row["arrhythmia_this"] >= row["af_this"]


def test_every_label_is_known_at_the_planted_discharges(planted):
    _, labels, people, courses = planted
    for person, course in zip(people, courses, strict=True):
        row = labels.loc[person["subject_id"]]
        discharge = {stay.role: us(stay.dischtime) for stay in course.admissions}
        for name in ("stroke", "af", "arrhythmia"):
            for when, role in (("this", "index"), ("before", "prior"), ("after", "later")):
                assert row[f"known_{name}_{when}"] == discharge.get(role, UNKNOWN_TIME_US)
        if row["stroke_incident"] == 1:
            assert row["known_stroke_incident"] == discharge["later"] > discharge["index"]


def test_deaths_are_those_planted_as_far_as_they_were_followed(planted):
    _, labels, people, courses = planted
    unknown_year = 0
    for person, course in zip(people, courses, strict=True):
        row, index = labels.loc[person["subject_id"]], course.index
        assert row["death_hospital"] == int(index.died)
        if index.died:
            assert row["hours_to_death"] == np.float32((index.dischtime - index.intime) / timedelta(hours=1))
        else:
            assert np.isnan(row["hours_to_death"])
        followed = index.dischtime.date() + timedelta(days=365 if course.dbsource == "carevue" else 90)
        for name, days in (("death_90d", 90), ("death_1y", 365)):
            until = index.intime.date() + timedelta(days=days)
            died = course.dod is not None and course.dod.date() <= until
            expected = int(died) if followed >= until else -1
            assert row[name] == expected
            unknown_year += name == "death_1y" and expected == -1
    assert unknown_year > 100


def test_ages_over_89_are_flagged_and_no_age_is_higher(planted):
    tables, _, people, courses = planted
    ages = patients_at_first_admission(tables).set_index("subject_id")
    over = {p["subject_id"] for p, c in zip(people, courses, strict=True) if c.over_89}
    assert set(ages.index[ages["age_over_89"]]) == over != set()
    assert ages["age_years"].between(0, 90).all()
    assert (ages.loc[sorted(over), "age_years"] == 90).all()


def test_counts_are_those_of_the_rows_that_were_written(planted):
    tables, labels, people, _ = planted
    counts = count_definitions(tables, DEFINITIONS).set_index("label")
    coded = sum(person["af_coded"] for person in people)
    assert counts.loc["af", "n_patients"] == coded
    strokes = sum(p["stroke_when"] != "none" or p["prior_stroke"] for p in people)
    assert counts.loc["stroke", "n_patients"] == strokes
    assert (labels[["stroke_this", "stroke_before", "stroke_after"]] == 1).any(axis=1).sum() == strokes
    assert pd.isna(labels["hours_to_death"]).sum() == len(people) - (labels["death_hospital"] == 1).sum()
