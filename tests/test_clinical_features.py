"""The feature table: nothing known later than the index time, outcomes with their times, one row a patient and task."""

import csv
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.features import clinical_features, rows_from_first_icu
from ecgppg.clinical.leakage import check_leakage
from ecgppg.clinical.tables import read_tables
from ecgppg.config.errors import InputError
from ecgppg.config.schema import UNKNOWN_TIME_US
from tests.clinical_folder import DIAGNOSES, ROWS, write_folder

DEFINITIONS = load_definitions()


def us(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


@pytest.fixture
def tables(tmp_path):
    return read_tables(write_folder(tmp_path))


def one(tables, subject, hadm, when, **more):
    rows = pd.DataFrame({"subject_id": [subject], "hadm_id": [hadm], "index_time_us": [us(when)], **more})
    table = clinical_features(tables, DEFINITIONS, rows)
    check_leakage(table)
    return table.iloc[0]


def test_rows_without_waveforms_begin_at_the_first_icu_stay(tmp_path):
    again = (1, 11, 100, "carevue", "MICU", "2120-01-15 10:00:00", "2120-01-16 10:00:00")
    tables = read_tables(write_folder(tmp_path, ICUSTAYS=[again, *ROWS["ICUSTAYS"]]))
    rows = rows_from_first_icu(tables, min_age_years=45)
    assert rows["hadm_id"].tolist() == [11, 12, 13, 21, 41]
    assert rows["index_time_us"].tolist()[0] == us("2120-01-10 10:00:00")


def test_without_icu_stays_there_is_no_such_row(tmp_path):
    (write_folder(tmp_path) / "ICUSTAYS.csv").unlink()
    with pytest.raises(InputError, match="no table ICUSTAYS"):
        rows_from_first_icu(read_tables(tmp_path))


def test_features_are_those_of_the_index_time(tables):
    row = one(tables, 1, 12, "2121-01-11 08:00:00")
    assert row["f_hours_since_admission"] == 24
    assert row["f_hours_since_icu"] == 23.5
    assert (row["f_sex_male"], row["f_admission_elective"], row["f_admission_emergency"]) == (1, 1, 0)
    assert (row["f_unit_micu"], row["f_unit_ccu"]) == (1, 0)
    assert row["known_f_unit_micu"] == us("2121-01-10 08:30:00")
    assert row["f_n_prior_admissions"] == 1
    assert (row["f_prior_af"], row["f_prior_hypertension"], row["f_prior_stroke"]) == (1, 1, 0)
    assert row["known_f_prior"] == us("2120-01-20 12:00:00")
    assert row["f_days_since_discharge"] == pytest.approx(366 - 9 - 4 / 24)


def test_a_birth_three_centuries_ago_is_ninety(tables):
    row = one(tables, 2, 21, "2125-02-21")
    assert (row["f_age_years"], row["f_age_over_89"]) == (90, 1)
    columns = row.drop(["subject_id", "hadm_id"])
    assert us("1825-01-01") not in columns.to_numpy().tolist()


def test_what_has_not_begun_is_unknown(tables):
    row = one(tables, 1, 11, "2120-01-10 07:00:00")
    for name in ("f_admission_emergency", "f_hours_since_admission", "f_unit_ccu", "f_hours_since_icu"):
        assert np.isnan(row[name])
        assert row[f"known_{name}"] == UNKNOWN_TIME_US
    assert row["f_n_prior_admissions"] == 0


def test_the_admission_itself_is_no_history_even_after_its_discharge(tables):
    row = one(tables, 1, 13, "2122-01-20 16:00:00")
    assert (row["f_n_prior_admissions"], row["f_prior_stroke"]) == (2, 0)


def test_a_drug_counts_once_its_first_day_is_over(tables):
    names = ["f_med_anticoagulant", "f_med_rate_control", "f_med_statin"]
    assert one(tables, 1, 12, "2121-01-10 23:59:59")[names].tolist() == [1, 0, 0]
    assert one(tables, 1, 12, "2121-01-11 00:00:00")[names].tolist() == [1, 1, 0]
    row = one(tables, 1, 12, "2121-01-13 00:00:00")
    assert row[names].tolist() == [1, 1, 1]
    assert row["known_f_med_statin"] == us("2121-01-13")


def test_flushing_a_line_is_no_anticoagulation_and_no_prescription_is_unknown(tables):
    assert one(tables, 1, 11, "2120-01-12")["f_med_anticoagulant"] == 0
    assert np.isnan(one(tables, 1, 13, "2122-01-12")["f_med_anticoagulant"])


def test_outcomes_carry_the_time_they_became_known(tables):
    row = one(tables, 1, 11, "2120-01-11")
    assert (row["y_stroke_detection"], row["known_y_stroke_detection"]) == (0, us("2120-01-20 12:00:00"))
    assert (row["y_stroke_prediction"], row["known_y_stroke_prediction"]) == (1, us("2122-01-20 12:00:00"))
    assert (row["y_af_this"], row["y_death_hospital"]) == (1, 0)
    assert (row["y_death_90d"], row["known_y_death_90d"]) == (0, us("2120-04-10"))
    died = one(tables, 3, 31, "2140-05-21")
    assert (died["y_death_90d"], died["known_y_death_90d"]) == (1, us("2140-08-02"))
    assert one(tables, 4, 41, "2150-01-02")["known_y_death_1y"] == UNKNOWN_TIME_US


@pytest.mark.parametrize(
    ("subject", "hadm", "when", "detection", "prediction"),
    [
        (1, 13, "2122-01-11", 1, -1),  # the stroke is here
        (2, 21, "2125-02-21", 0, -1),  # a stroke in the history, and nothing later
        (3, 31, "2140-05-21", 0, -1),  # nobody was seen again
        (4, 41, "2150-01-02", -1, -1),  # no diagnoses
    ],
)
def test_detection_and_prediction_are_two_tasks(tables, subject, hadm, when, detection, prediction):
    row = one(tables, subject, hadm, when)
    assert (row["y_stroke_detection"], row["y_stroke_prediction"]) == (detection, prediction)


def test_an_admission_without_diagnoses_is_no_start_for_prediction(tmp_path):
    later = (4, 42, "2151-01-01", "2151-01-09", "", "EMERGENCY", 0)
    diagnoses = [*DIAGNOSES, (4, 42, 1, "431")]
    tables = read_tables(write_folder(tmp_path, ADMISSIONS=[*ROWS["ADMISSIONS"], later], DIAGNOSES_ICD=diagnoses))
    assert one(tables, 4, 41, "2150-01-02")["y_stroke_prediction"] == -1


@pytest.mark.parametrize(("hadm", "code"), [(11, "43811"), (11, "V1254"), (12, "431")])
def test_a_stroke_so_far_excludes_from_prediction(tmp_path, hadm, code):
    tables = read_tables(write_folder(tmp_path, DIAGNOSES_ICD=[*DIAGNOSES, (1, hadm, 9, code)]))
    assert one(tables, 1, 12, "2121-01-11")["y_stroke_prediction"] == -1


def test_a_later_admission_without_stroke_is_known_at_the_last_discharge(tmp_path):
    diagnoses = [row for row in DIAGNOSES if row[1] != 13] + [(1, 13, 1, "4280")]
    row = one(read_tables(write_folder(tmp_path, DIAGNOSES_ICD=diagnoses)), 1, 11, "2120-01-11")
    assert (row["y_stroke_prediction"], row["known_y_stroke_prediction"]) == (0, us("2122-01-20 12:00:00"))


def test_each_patient_has_one_row_a_task_and_it_is_the_first_that_was_open(tables):
    rows = rows_from_first_icu(tables).iloc[::-1]
    rows.loc[rows["hadm_id"] == 11, "index_time_us"] = us("2120-01-20 13:00:00")  # after its discharge
    table = clinical_features(tables, DEFINITIONS, rows)
    assert table["hadm_id"].tolist() == rows["hadm_id"].tolist()
    assert sorted(table.loc[table["first_eligible"], "hadm_id"]) == [12, 21, 31]
    assert table.loc[table["first_eligible_prediction"], "hadm_id"].tolist() == [11]


@pytest.mark.parametrize(
    ("when", "eligible", "prediction"),
    [
        ("2120-01-20 11:59:59.999999", True, 1),
        ("2120-01-20 12:00:00", False, 1),  # its codes are known from this instant on
        ("2121-01-10 07:59:59.999999", False, 1),
        ("2121-01-10 08:00:00", False, 1),  # the next stay has begun, the one with the stroke not
        ("2122-01-10 07:59:59.999999", False, 1),
        ("2122-01-10 08:00:00", False, -1),  # the stay with the stroke has begun: nothing is left to foretell
    ],
)
def test_index_times_are_judged_to_the_microsecond(tables, when, eligible, prediction):
    """Admission 11 ends 2120-01-20 12:00; 12 begins 2121-01-10 08:00, and 13, with the stroke, a year later."""
    row = one(tables, 1, 11, when)
    assert (row["first_eligible"], row["y_stroke_prediction"]) == (eligible, prediction)
    assert row["first_eligible_prediction"] == (prediction == 1)


@pytest.mark.parametrize(("when", "prediction"), [("07:59:59.999999", 0), ("08:00:00", -1)])
def test_a_stay_that_begins_at_the_index_time_is_no_later_one(tmp_path, when, prediction):
    """Admission 12, without a stroke, is the last: from its first instant on nothing is left to foretell."""
    only = [row for row in ROWS["ADMISSIONS"] if row[1] != 13]
    row = one(read_tables(write_folder(tmp_path, ADMISSIONS=only)), 1, 11, f"2121-01-10 {when}")
    assert row["y_stroke_prediction"] == prediction


@pytest.mark.parametrize(("when", "n_prior", "had_af"), [("12:00:00", 1, 1), ("11:59:59.999999", 0, 0)])
def test_an_earlier_stay_counts_from_its_discharge_on(tables, when, n_prior, had_af):
    row = one(tables, 1, 12, f"2120-01-20 {when}")
    assert (row["f_n_prior_admissions"], row["f_prior_af"]) == (n_prior, had_af)


def test_columns_of_the_waveform_stay_and_unlinked_rows_are_unknown(tables):
    row = one(tables, 1, -1, "2120-01-11", f_wave_rate_bpm=[71.5], n_windows=[12], known_f_wave=[0])
    assert (row["f_wave_rate_bpm"], row["n_windows"]) == (71.5, 12)
    assert set(row[[name for name in row.index if name.startswith("y_")]]) == {-1}
    assert not row["first_eligible"]


def test_absent_tables_make_features_unknown_and_not_zero(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "PRESCRIPTIONS.csv").unlink()
    (folder / "ICUSTAYS.csv").unlink()
    row = one(read_tables(folder), 1, 12, "2121-01-11")
    assert np.isnan([row["f_med_statin"], row["f_unit_ccu"], row["f_hours_since_icu"]]).all()


def test_rows_must_name_patient_admission_and_time_once(tables):
    rows = rows_from_first_icu(tables)
    with pytest.raises(InputError, match="lack column hadm_id"):
        clinical_features(tables, DEFINITIONS, rows.drop(columns="hadm_id"))
    with pytest.raises(InputError, match="twice"):
        clinical_features(tables, DEFINITIONS, pd.concat([rows, rows]))


@pytest.fixture
def clean():
    rng = np.random.default_rng(5)
    n = 60
    return pd.DataFrame(
        {
            "index_time_us": np.arange(n) + 1000,
            "f_age_years": rng.uniform(20, 90, n),
            "known_f_age_years": np.arange(n) + 1000,
            "f_wave_rate_bpm": rng.uniform(50, 120, n),
            "known_f_wave": np.arange(n) + 1000,
            "y_stroke_detection": (np.arange(n) % 4 == 0).astype(np.int8),
            "known_y_stroke_detection": np.arange(n) + 5000,
        }
    )


def test_a_clean_table_passes(clean):
    check_leakage(clean)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="index_time_us"), "lacks column index_time_us"),
        (lambda t: t.drop(columns="known_f_age_years"), "f_age_years lacks its column known_f_age_years"),
        (lambda t: t.assign(known_f_age_years=t["index_time_us"] + (t.index == 3)), "after the index time in 1 rows"),
        (lambda t: t.assign(f_stroke_this=0, known_f_stroke_this=0), "f_stroke_this is a label"),
        (lambda t: t.assign(f_stroke_detection=0, known_f_stroke_detection=0), "f_stroke_detection is a label"),
        (lambda t: t.assign(f_death_90d=0, known_f_death_90d=0), "f_death_90d is a label"),
        (lambda t: t.assign(f_wave_x=t["y_stroke_detection"]), "f_wave_x tells y_stroke_detection"),
        (lambda t: t.assign(f_wave_x=7.0 - 2 * t["y_stroke_detection"]), "f_wave_x tells y_stroke_detection"),
    ],
)
def test_a_leaking_table_is_refused_in_one_line(clean, change, words):
    with pytest.raises(InputError) as caught:
        check_leakage(change(clean), "my features.csv")
    assert words in str(caught.value)
    assert str(caught.value).startswith("my features.csv: ")


def test_a_few_rows_that_agree_by_chance_are_no_copy(clean):
    few = clean.head(8)
    check_leakage(few.assign(f_wave_x=few["y_stroke_detection"]))


def test_features_of_the_demo_tables(data_dir, tmp_path):
    folder = data_dir / "mimic3-demo-1.4"
    tables = read_tables(folder)
    table = clinical_features(tables, DEFINITIONS, rows_from_first_icu(tables, 18))
    check_leakage(table)
    table.to_csv(tmp_path / "features.csv", index=False)
    check_leakage(pd.read_csv(tmp_path / "features.csv"))
    with open(folder / "ICUSTAYS.csv", newline="") as f:
        stays = list(csv.DictReader(f))
    first = {}
    for stay in sorted(stays, key=lambda stay: stay["intime"]):
        first.setdefault(int(stay["hadm_id"]), us(stay["intime"]))
    assert {hadm: first[hadm] for hadm in table["hadm_id"]} == dict(
        zip(table["hadm_id"], table["index_time_us"], strict=True)
    )
    grown = len(first) - len(table)
    assert 0 <= grown <= 2
    assert table.loc[table["first_eligible"], "subject_id"].is_unique
    assert table["first_eligible"].sum() == table["subject_id"].nunique()
    assert (table["y_stroke_detection"] == 1).sum() == 6
    assert table["f_age_years"].between(18, 90).all()
    units = [name for name in table if name.startswith("f_unit_")]
    assert (table[units].sum(axis=1) == 1).all()
