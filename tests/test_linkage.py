"""Linkage: every case gets the right admission and grade, the edges are where the rule says, nothing is guessed."""

import csv
import time
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.linkage import link_records, link_times
from ecgppg.clinical.tables import read_tables
from ecgppg.config.schema import LINK_GRADES, UNKNOWN_TIME_US
from tests.clinical_folder import ADMISSIONS, ICUSTAYS, write_folder

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def us(when):
    return (when - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def link(tables, subject, start, hours=2.0):
    start_us = start if isinstance(start, int) else us(start)
    end_us = start_us if isinstance(start, int) else us(start + hours * HOUR)
    return link_times(tables, np.array([subject]), np.array([start_us]), np.array([end_us])).iloc[0]


def grade(row):
    return LINK_GRADES[row["link_grade"]]


@pytest.fixture
def tables(tmp_path):
    return read_tables(write_folder(tmp_path))


IN, OUT = datetime(2120, 1, 10, 8), datetime(2120, 1, 20, 12)


@pytest.mark.parametrize(
    ("start", "expected", "offset_minutes"),
    [
        (IN, "inside", 0),
        (OUT - SECOND, "inside", 0),
        (OUT, "within_6h", 0),
        (IN - SECOND, "within_6h", -1 / 60),
        (IN - 3 * HOUR, "within_6h", -180),
        (IN - 6 * HOUR, "within_6h", -360),
        (IN - 6 * HOUR - SECOND, "within_12h", -360 - 1 / 60),
        (OUT + 6 * HOUR, "within_6h", 360),
        (OUT + 6 * HOUR + SECOND, "within_12h", 360 + 1 / 60),
        (IN - 12 * HOUR, "within_12h", -720),
        (OUT + 12 * HOUR, "within_12h", 720),
        (IN - 12 * HOUR - SECOND, "none", np.nan),
        (OUT + 12 * HOUR + SECOND, "none", np.nan),
        (IN - timedelta(days=7300), "none", np.nan),
    ],
)
def test_grades_change_where_the_rule_says(tables, start, expected, offset_minutes):
    row = link(tables, 1, start)
    assert grade(row) == expected
    assert row["hadm_id"] == (-1 if expected == "none" else 11)
    np.testing.assert_allclose(row["offset_minutes"], offset_minutes)


@pytest.mark.parametrize(("subject", "start"), [(1, UNKNOWN_TIME_US), (99, us(IN)), (2, us(IN))])
def test_an_unknown_time_or_patient_links_to_nothing(tables, subject, start):
    row = link(tables, subject, start)
    assert (grade(row), row["hadm_id"], row["icustay_id"], row["care_unit"]) == ("none", -1, -1, "")
    assert row["overlap_minutes"] == 0


def test_a_recording_is_graded_by_its_start_and_the_overlap_tells_the_rest(tables):
    short, long = link(tables, 1, IN - 3 * HOUR, 2), link(tables, 1, IN - 3 * HOUR, 14)
    for row, overlap in ((short, 0), (long, 11 * 60)):
        assert (grade(row), row["hadm_id"], row["overlap_minutes"]) == ("within_6h", 11, overlap)
    far = link(tables, 1, IN - 20 * HOUR, 30)
    assert (grade(far), far["hadm_id"], far["overlap_minutes"]) == ("none", -1, 600)
    over_the_end = link(tables, 1, OUT - HOUR, 14)
    assert (grade(over_the_end), over_the_end["overlap_minutes"]) == ("inside", 60)


def test_the_icu_stay_is_the_one_that_holds_the_start(tables):
    first = link(tables, 1, datetime(2120, 1, 10, 10))
    assert (first["icustay_id"], first["care_unit"]) == (101, "CCU")
    for start in (datetime(2120, 1, 10, 9, 59), datetime(2120, 1, 12, 10), IN - HOUR):
        row = link(tables, 1, start)
        assert (row["hadm_id"], row["icustay_id"], row["care_unit"]) == (11, -1, "")


def two_admissions(tmp_path, gap_hours, **more):
    """Patient 4 admitted again `gap_hours` after the discharge at 2150-01-11 00:00."""
    again = datetime(2150, 1, 11) + gap_hours * HOUR
    second = (4, 42, f"{again}", f"{again + 100 * HOUR}", "", "EMERGENCY", 0)
    return read_tables(write_folder(tmp_path, ADMISSIONS=[*ADMISSIONS, second], **more))


def test_two_admissions_equally_near_are_ambiguous_and_not_guessed(tmp_path):
    tables = two_admissions(tmp_path, 5)
    row = link(tables, 4, datetime(2150, 1, 11, 2), 1)
    assert (grade(row), row["hadm_id"]) == ("ambiguous", -1)
    assert np.isnan(row["offset_minutes"])


def test_the_one_that_the_recording_goes_on_into_is_not_a_guess(tmp_path):
    row = link(two_admissions(tmp_path, 5), 4, datetime(2150, 1, 11, 2), 14)
    assert (grade(row), row["hadm_id"], row["overlap_minutes"]) == ("within_6h", 42, 11 * 60)


def test_the_better_grade_wins(tmp_path):
    row = link(two_admissions(tmp_path, 12), 4, datetime(2150, 1, 11, 4), 1)
    assert (grade(row), row["hadm_id"]) == ("within_6h", 41)


def test_two_overlapping_admissions_are_ambiguous_where_they_overlap(tmp_path):
    stay = (4, 42, 402, "metavision", "CCU", "2150-01-10 00:00:00", "2150-01-12 00:00:00")
    tables = two_admissions(tmp_path, -10, ICUSTAYS=[*ICUSTAYS, stay])
    both = link(tables, 4, datetime(2150, 1, 10, 20))
    assert (grade(both), both["hadm_id"], both["icustay_id"], both["care_unit"]) == ("ambiguous", -1, -1, "")
    only = link(tables, 4, datetime(2150, 1, 11, 1))
    assert (grade(only), only["hadm_id"], only["icustay_id"], only["care_unit"]) == ("inside", 42, 402, "CCU")


def test_two_icu_stays_at_one_time_leave_the_stay_open(tmp_path):
    stay = (4, 41, 402, "metavision", "CCU", "2150-01-02 00:00:00", "2150-01-03 00:00:00")
    row = link(read_tables(write_folder(tmp_path, ICUSTAYS=[*ICUSTAYS, stay])), 4, datetime(2150, 1, 2, 1))
    assert (row["hadm_id"], row["icustay_id"], row["care_unit"]) == (41, -1, "")


def test_an_admission_that_ends_before_it_begins_is_an_instant(tmp_path):
    odd = (4, 42, "2151-01-02 00:00:00", "2151-01-01 00:00:00", "", "EMERGENCY", 0)
    tables = read_tables(write_folder(tmp_path, ADMISSIONS=[*ADMISSIONS, odd]))
    assert grade(link(tables, 4, datetime(2151, 1, 2))) == "within_6h"
    assert grade(link(tables, 4, datetime(2151, 1, 1))) == "none"


def test_without_icu_stays_admissions_are_linked_all_the_same(tmp_path):
    (write_folder(tmp_path) / "ICUSTAYS.csv").unlink()
    row = link(read_tables(tmp_path), 1, IN + 3 * HOUR)
    assert (grade(row), row["hadm_id"], row["icustay_id"], row["care_unit"]) == ("inside", 11, -1, "")


def test_records_keep_their_order_and_columns(tables):
    records = pd.DataFrame(
        {
            "record": ["b", "a", "c"],
            "subject_id": [2, 1, 1],
            "start_time_us": [us(datetime(2125, 2, 21)), us(IN), UNKNOWN_TIME_US],
            "end_time_us": [us(datetime(2125, 2, 22)), us(IN + HOUR), UNKNOWN_TIME_US],
        },
        index=[5, 6, 7],
    )
    links = link_records(tables, records)
    assert links["record"].tolist() == ["b", "a", "c"]
    assert links["hadm_id"].tolist() == [21, 11, -1]
    assert links["link_grade_name"].tolist() == ["inside", "inside", "none"]
    assert links["link_grade"].dtype == np.uint8
    assert links["overlap_minutes"].tolist() == [1440, 60, 0]


def test_no_rows_give_no_links(tables):
    nothing = np.array([], np.int64)
    assert len(link_times(tables, nothing, nothing, nothing)) == 0


def slow_link(admissions, subject, start, end):
    """The rule once more, one recording at a time, in dates and not in microseconds."""
    ranked = []
    for _, hadm, came, left in (a for a in admissions if a[0] == subject):
        if came <= start < left:
            name, distance = "inside", timedelta(0)
        else:
            distance = came - start if start < came else start - left
            names = [n for n, limit in (("within_6h", 6), ("within_12h", 12)) if distance <= limit * HOUR]
            if not names:
                continue
            name = names[0]
        goes_on = min(end, left) > max(start, came)
        ranked.append((LINK_GRADES.index(name), name != "inside" and not goes_on, hadm))
    best = [r for r in ranked if r[:2] == min(ranked)[:2]]
    if not best:
        return "none", -1
    return (LINK_GRADES[best[0][0]], best[0][2]) if len(best) == 1 else ("ambiguous", -1)


def test_the_vectorised_rule_equals_the_slow_one(tmp_path):
    rng = np.random.default_rng(3)
    origin, admissions = datetime(2110, 1, 1), []
    for hadm in range(300):
        came = origin + int(rng.integers(0, 40 * 24 * 60)) * MINUTE
        admissions.append((int(rng.integers(1, 15)), hadm, came, came + int(rng.integers(10, 3000)) * MINUTE))
    people = [(s, "M", "2050-01-01", "") for s in range(1, 15)]
    rows = [(s, h, f"{a}", f"{b}", "", "EMERGENCY", 0) for s, h, a, b in admissions]
    diagnoses = [(s, h, 1, "4280") for s, h, *_ in admissions]
    tables = read_tables(
        write_folder(tmp_path, PATIENTS=people, ADMISSIONS=rows, DIAGNOSES_ICD=diagnoses, ICUSTAYS=[], PRESCRIPTIONS=[])
    )
    subjects = rng.integers(1, 16, 1000)
    starts = [origin + int(m) * MINUTE for m in rng.integers(-2000, 60000, 1000)]
    ends = [s + int(m) * MINUTE for s, m in zip(starts, rng.integers(0, 2000, 1000), strict=True)]
    found = link_times(tables, subjects, np.array([us(s) for s in starts]), np.array([us(e) for e in ends]))
    expected = [slow_link(admissions, *case) for case in zip(subjects, starts, ends, strict=True)]
    got = [(LINK_GRADES[g], h) for g, h in zip(found["link_grade"], found["hadm_id"], strict=True)]
    assert got == expected
    assert {g for g, _ in got} == set(LINK_GRADES)


def test_a_hundred_thousand_segments_take_a_moment(tables):
    rng = np.random.default_rng(0)
    subjects = rng.integers(1, 5, 200_000)
    starts = rng.integers(us(datetime(2119, 1, 1)), us(datetime(2151, 1, 1)), 200_000)
    began = time.perf_counter()
    link_times(tables, subjects, starts, starts + 10**7)
    assert time.perf_counter() - began < 5


CASES = {
    "inside": ("intime", HOUR, "inside"),
    "before_3h": ("admittime", -3 * HOUR, "within_6h"),
    "before_9h": ("admittime", -9 * HOUR, "within_12h"),
    "after_4h": ("dischtime", 4 * HOUR, "within_6h"),
    "weeks_away": ("admittime", timedelta(days=-30), "none"),
    "years_off": ("admittime", timedelta(days=-7300), "none"),
}


@pytest.mark.parametrize("case", list(CASES))
def test_recordings_placed_around_real_stays_find_them(data_dir, case):
    folder = data_dir / "mimic3-demo-1.4"
    with open(folder / "ADMISSIONS.csv", newline="") as f:
        admissions = {
            int(r["hadm_id"]): {
                "subject": int(r["subject_id"]),
                **{k: datetime.fromisoformat(r[k]) for k in ("admittime", "dischtime")},
            }
            for r in csv.DictReader(f)
        }
    with open(folder / "ICUSTAYS.csv", newline="") as f:
        for r in sorted(csv.DictReader(f), key=lambda r: r["intime"], reverse=True):
            admissions[int(r["hadm_id"])]["intime"] = datetime.fromisoformat(r["intime"])
    anchor, offset, expected = CASES[case]
    starts = {h: a[anchor] + offset for h, a in admissions.items()}
    subjects = np.array([a["subject"] for a in admissions.values()])
    starts_us = np.array([us(s) for s in starts.values()])
    found = link_times(read_tables(folder), subjects, starts_us, starts_us + 2 * 3600 * 10**6)
    n_as_placed = 0
    for (hadm, start), (_, row) in zip(starts.items(), found.iterrows(), strict=True):
        here = admissions[hadm]
        others = [
            a
            for h, a in admissions.items()
            if h != hadm
            and a["subject"] == here["subject"]
            and a["admittime"] - 12 * HOUR <= start <= a["dischtime"] + 12 * HOUR
        ]
        outside_though_in_icu = case == "inside" and not here["admittime"] <= start < here["dischtime"]
        if others or outside_though_in_icu:
            continue
        n_as_placed += 1
        assert (grade(row), row["hadm_id"]) == (expected, -1 if expected == "none" else hadm)
        assert row["icustay_id"] > 0 or case != "inside"
    assert n_as_placed >= 125
