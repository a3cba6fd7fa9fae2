"""Labels by patient: one row an admission that was recorded, each label with the discharge that made it known."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.known_times import known_times
from ecgppg.clinical.labels import WHEN, label_admissions
from ecgppg.clinical.outcomes import outcomes
from ecgppg.clinical.patient_labels import label_patients
from ecgppg.clinical.tables import read_tables
from ecgppg.clinical.times import to_us
from ecgppg.config.schema import UNKNOWN_TIME_US, is_label
from tests.clinical_folder import ADMISSIONS, write_folder

DEFINITIONS = load_definitions()


def us(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


SEGMENTS = [  # subject, admission, start: not in the order of time
    (3, 31, "2140-05-21 00:00:00"),
    (1, 12, "2121-01-11 00:00:00"),
    (1, 11, "2120-01-11 06:00:00"),
    (1, 11, "2120-01-11 00:00:00"),
    (1, -1, "2100-01-01 00:00:00"),
    (2, 21, "2125-03-01 15:00:00"),
    (4, -1, "2177-01-01 00:00:00"),
]


def label(tables, segments=SEGMENTS):
    subject, hadm, start = zip(*segments, strict=True)
    return label_patients(tables, DEFINITIONS, np.array(subject), np.array(hadm), np.array([us(s) for s in start]))


@pytest.fixture
def tables(tmp_path):
    return read_tables(write_folder(tmp_path))


def test_one_row_an_admission_and_one_of_them_is_the_patients(tables):
    rows = label(tables)
    assert list(
        zip(rows["subject_id"], rows["hadm_id"], rows["first_of_patient"], rows["n_segments"], strict=True)
    ) == [
        (1, 11, True, 2),
        (1, 12, False, 1),
        (2, 21, True, 1),
        (3, 31, True, 1),
        (4, -1, True, 1),
    ]
    assert rows["index_time_us"].tolist()[:2] == [us("2120-01-11"), us("2121-01-11")]


def test_every_label_has_its_time_and_none_without_a_value(tables):
    rows = label(tables)
    labels = [name for name in rows if is_label(name) and not name.startswith("known_")]
    assert {f"{name}_{when}" for name in DEFINITIONS.labels for when in (*WHEN, "incident")} < set(labels)
    for name in labels:
        assert ((rows[name] == -1) == (rows[f"known_{name}"] == UNKNOWN_TIME_US)).all(), name
        assert rows[name].dtype == np.int8
        assert rows[f"known_{name}"].dtype == np.int64


def known(rows, hadm, name):
    row = rows.set_index("hadm_id").loc[hadm]
    return int(row[name]), int(row[f"known_{name}"])


def test_a_code_is_known_at_the_discharge_of_its_admission(tables):
    rows = label(tables)
    first, second, third = us("2120-01-20 12:00:00"), us("2121-01-20 12:00:00"), us("2122-01-20 12:00:00")
    assert known(rows, 11, "af_this") == (1, first)
    assert known(rows, 11, "af_before") == (-1, UNKNOWN_TIME_US)
    assert known(rows, 11, "af_after") == (0, third)  # both later ones must have been discharged to say so
    assert known(rows, 11, "stroke_after") == (1, third)
    assert known(rows, 12, "af_before") == (1, first)
    assert known(rows, 12, "stroke_before") == (0, first)
    assert known(rows, 12, "stroke_this") == (0, second)
    assert known(rows, 12, "stroke_incident") == (1, third)


def test_a_stay_with_a_discharge_before_its_beginning_is_known_when_it_began(tmp_path):
    """By such a slip its codes would have been known a year before the patient came."""
    slip = [row if row[1] != 12 else (1, 12, row[2], "2120-01-15 12:00:00", *row[4:]) for row in ADMISSIONS]
    rows = label(read_tables(write_folder(tmp_path, ADMISSIONS=slip)))
    came = us("2121-01-10 08:00:00")
    assert known(rows, 12, "stroke_this") == (0, came)
    assert known(rows, 12, "death_hospital") == (0, came)
    assert known(rows, 11, "af_after") == (0, us("2122-01-20 12:00:00"))


def test_who_is_free_of_it_is_known_when_every_stay_so_far_has_told(tmp_path):
    """The first stay goes on longer than the second: that it held no stroke is known at its own discharge."""
    stays = [
        (4, 41, "2150-01-01", "2150-06-01", "", "EMERGENCY", 0),
        (4, 42, "2150-02-01", "2150-02-09", "", "EMERGENCY", 0),
        (4, 43, "2150-03-01", "2150-03-09", "", "EMERGENCY", 0),
    ]
    codes = [(4, 41, 1, "4019"), (4, 42, 1, "4280"), (4, 43, 1, "431")]
    rows = label(read_tables(write_folder(tmp_path, ADMISSIONS=stays, DIAGNOSES_ICD=codes)), [(4, 42, "2150-02-02")])
    assert known(rows, 42, "stroke_before") == (0, us("2150-06-01"))
    assert known(rows, 42, "stroke_after") == (1, us("2150-03-09"))
    assert known(rows, 42, "stroke_incident") == (1, us("2150-06-01"))


def test_deaths_are_known_when_their_day_or_the_follow_up_is_over(tables):
    rows = label(tables)
    assert known(rows, 21, "death_hospital") == (1, us("2125-03-02 03:00:00"))
    assert known(rows, 21, "death_90d") == (1, us("2125-03-03"))
    assert known(rows, 11, "death_90d") == (0, us("2120-01-11") + 90 * 86400 * 10**6)
    hours = rows.set_index("hadm_id")["hours_to_death"]
    assert hours[21] == 12
    assert hours.drop(21).isna().all()


def test_hours_to_death_are_counted_in_the_admission_of_the_death_only(tmp_path):
    tables = read_tables(
        write_folder(
            tmp_path,
            ADMISSIONS=[
                *ADMISSIONS,
                (4, 42, "2150-02-01", "2150-02-09 12:00:00", "2150-02-09 12:00:00", "EMERGENCY", 1),
                (4, 43, "2150-03-01", "2150-03-09", "", "EMERGENCY", 1),  # died, no time of death
            ],
        )
    )
    rows = label(
        tables,
        [(4, 41, "2150-01-10"), (4, 42, "2150-02-08 06:00:00"), (4, 43, "2150-03-02")],
    ).set_index("hadm_id")["hours_to_death"]
    assert rows[42] == 30
    assert np.isnan(rows[41])
    assert np.isnan(rows[43])
    assert tables.counts["admissions:died_without_time"] == 1
    after = label(tables, [(4, 42, "2150-02-09 13:00:00")])
    assert np.isnan(after["hours_to_death"][0])


def test_incident_and_prevalent_never_mix(tmp_path):
    """Whoever had it before or has it now is no new case, whatever comes later; nor is whoever had its history."""
    stays = [(s, h, f"21{y}-01-01", f"21{y}-01-09", "", "EMERGENCY", 0) for s, h, y in STAYS]
    codes = [(s, h, i, code) for s, h, _ in STAYS for i, code in enumerate(CODES[h], 1)]
    people = [(s, "M", "2050-01-01", "") for s in {s for s, *_ in STAYS}]
    tables = read_tables(
        write_folder(tmp_path, PATIENTS=people, ADMISSIONS=stays, DIAGNOSES_ICD=codes, ICUSTAYS=[], PRESCRIPTIONS=[])
    )
    rows = label(tables, [(s, h, f"21{y}-01-02") for s, h, y in STAYS]).set_index("hadm_id")
    assert rows["stroke_incident"].to_dict() == INCIDENT
    cases = rows[rows["stroke_incident"] == 1]
    assert not (cases[["stroke_this", "stroke_before", "stroke_history_this", "stroke_history_before"]] == 1).any(
        axis=None
    )
    subject, hadm = zip(*((s, h) for s, h, _ in STAYS), strict=True)
    times = np.array([us(f"21{y}-01-02") for *_, y in STAYS])
    predicted = outcomes(tables, DEFINITIONS, np.array(subject), np.array(hadm), times)
    assert dict(zip(hadm, predicted["y_stroke_prediction"], strict=True)) == INCIDENT


STAYS = [(1, 11, 10), (1, 12, 11), (1, 13, 12), (2, 21, 10), (2, 22, 11), (3, 31, 10), (3, 32, 11), (4, 41, 10),
         (5, 51, 10), (5, 52, 11), (6, 61, 10), (6, 62, 11), (6, 63, 12)]  # fmt: skip
CODES = {
    11: ["4019"], 12: ["43491"], 13: ["43491"],  # the second is new; the third is a second one
    21: ["V1254"], 22: ["431"],  # had one before the tables begin
    31: ["4019"], 32: ["4280"],  # none came
    41: ["4019"],  # nobody knows
    51: [], 52: ["430"],  # an admission without diagnoses cannot be called free of it
    61: ["4019"], 62: [], 63: ["436"],  # the one between says nothing
}  # fmt: skip
INCIDENT = {11: 1, 12: -1, 13: -1, 21: -1, 22: -1, 31: 0, 32: -1, 41: -1, 51: -1, 52: -1, 61: 1, 62: -1, 63: -1}


def test_known_times_equal_a_slow_reference():
    rng = np.random.default_rng(5)
    subjects = np.sort(rng.integers(0, 60, 200))
    this, ends = rng.integers(-1, 2, 200).astype(np.int8), rng.integers(1, 10**6, 200)
    found = known_times(this, subjects, ends)
    for i in range(200):
        rows = np.flatnonzero(subjects == subjects[i])
        for when, group in (("this", rows[rows == i]), ("before", rows[rows < i]), ("after", rows[rows > i])):
            cases, coded = group[this[group] == 1], group[this[group] >= 0]
            expected = min(ends[cases]) if len(cases) else max(ends[coded], default=UNKNOWN_TIME_US)
            assert found[when][i] == expected, (i, when)


def test_labels_of_the_demo_patients_are_known_at_real_discharges(data_dir):
    tables = read_tables(data_dir / "mimic3-demo-1.4")
    stays = tables.admissions
    rows = label_patients(
        tables, DEFINITIONS, stays["subject_id"].to_numpy(), stays["hadm_id"].to_numpy(), to_us(stays["admittime"])
    )
    assert len(rows) == 129
    assert rows["first_of_patient"].sum() == 100
    by_admission = label_admissions(tables, DEFINITIONS).loc[rows["hadm_id"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[list(by_admission.columns)], by_admission)
    discharges = stays.groupby("subject_id")["dischtime"].apply(lambda times: set(to_us(times)))
    own = stays.set_index("hadm_id")["dischtime"]
    for name in DEFINITIONS.labels:
        assert (rows[f"known_{name}_this"] == to_us(own.loc[rows["hadm_id"]])).all()
        for when in ("before", "after"):
            told = rows[rows[f"{name}_{when}"] >= 0]
            assert all(
                t in discharges[s] for s, t in zip(told["subject_id"], told[f"known_{name}_{when}"], strict=True)
            )
    assert (rows["hours_to_death"].notna() == (rows["death_hospital"] == 1)).mean() > 0.95
    assert (rows["hours_to_death"].dropna() >= 0).all()


def test_no_segments_give_no_rows(tables):
    nothing = np.array([], np.int64)
    assert len(label_patients(tables, DEFINITIONS, nothing, nothing, nothing)) == 0
