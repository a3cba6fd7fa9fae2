"""Labels: codes of this, an earlier and a later admission; deaths by date; counts; all against tables read by hand."""

import csv
from collections import defaultdict
from datetime import datetime, timedelta

import numpy as np
import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.counts import count_definitions, count_history, hide_small_cells
from ecgppg.clinical.labels import label_admissions, label_columns, label_rows, unknown_labels
from ecgppg.clinical.tables import read_tables
from ecgppg.config.schema import UNKNOWN_TIME_US, is_label
from tests.clinical_folder import ADMISSIONS, DIAGNOSES, ICUSTAYS, PATIENTS, write_folder

DEFINITIONS = load_definitions()


def us(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def label(tables, subject, hadm, when):
    time_us = UNKNOWN_TIME_US if when is None else us(when)
    rows = label_rows(tables, DEFINITIONS, np.array([subject]), np.array([hadm]), np.array([time_us]))
    return {name: int(values[0]) for name, values in rows.items()}


@pytest.fixture
def tables(tmp_path):
    return read_tables(write_folder(tmp_path))


def times(labels, name):
    return [labels[f"{name}_{when}"] for when in ("this", "before", "after")]


def test_codes_are_told_of_this_an_earlier_and_a_later_admission(tables):
    first, second, third = (label(tables, 1, hadm, None) for hadm in (11, 12, 13))
    assert [times(labels, "stroke") for labels in (first, second, third)] == [[0, -1, 1], [0, 0, 1], [1, 0, -1]]
    assert [times(labels, "af") for labels in (first, second, third)] == [[1, -1, 0], [0, 1, 0], [0, 1, -1]]


def test_stenosis_without_infarction_is_broad_and_not_stroke(tables):
    labels = label(tables, 3, 31, None)
    assert times(labels, "stroke_broad") == [1, -1, -1]
    assert times(labels, "stroke") == [0, -1, -1]


def test_history_codes_are_kept_apart(tables):
    labels = label(tables, 2, 21, None)
    assert (labels["stroke_history_this"], labels["stroke_this"], labels["stroke_broad_this"]) == (1, 0, 0)


def test_an_admission_without_diagnoses_is_unknown(tables):
    labels = label(tables, 4, 41, "2150-01-02")
    assert {labels[name] for name in label_columns(DEFINITIONS) if not name.startswith("death_")} == {-1}
    assert labels["death_hospital"] == 0


def test_an_earlier_admission_without_diagnoses_tells_nothing(tmp_path):
    tables = read_tables(
        write_folder(
            tmp_path,
            ADMISSIONS=[*ADMISSIONS, (4, 42, "2151-01-01", "2151-01-09", "", "EMERGENCY", 0)],
            DIAGNOSES_ICD=[*DIAGNOSES, (4, 42, 1, "431")],
        )
    )
    assert times(label(tables, 4, 42, None), "stroke") == [1, -1, -1]
    assert times(label(tables, 4, 41, None), "stroke") == [-1, -1, 1]


def test_an_unknown_admission_has_no_labels_at_all(tables):
    assert set(label(tables, 1, -1, "2120-01-11").values()) == {-1}
    assert set(label(tables, 1, 999, "2120-01-11").values()) == {-1}


@pytest.mark.parametrize(
    ("subject", "hadm", "when", "in_hospital", "in_90d", "in_1y"),
    [
        (2, 21, "2125-02-21 10:00:00", 1, 1, 1),
        (2, 21, "2125-03-02 03:00:00", 1, 1, 1),  # the very moment of death
        (2, 21, "2125-03-02 03:00:01", 1, -1, -1),  # monitors go on: no window may foretell a death that has come
        (2, 21, "2125-03-03 00:00:00", 1, -1, -1),  # a time after the death contradicts it
        (3, 31, "2140-05-20 10:00:00", 0, 1, -1),  # MetaVision: a year is not followed, not even of the dead
        (3, 31, "2140-05-03 10:00:00", 0, 1, -1),  # 90 days to the day
        (3, 31, "2140-05-02 10:00:00", 0, 0, -1),
        (1, 13, "2122-01-15 00:00:00", 0, 0, 0),  # CareVue: followed for a year
        (4, 41, "2150-01-02 00:00:00", 0, 0, -1),  # MetaVision: followed for 90 days
        (4, 41, "2150-01-12 00:00:00", 0, -1, -1),  # 90 days from here end after the follow-up
        (1, 11, "2120-01-15 00:00:00", 0, 0, 0),  # seen alive years later
        (1, 11, None, 0, -1, -1),
    ],
)
def test_deaths_are_counted_in_days_as_far_as_they_are_followed(
    tables, subject, hadm, when, in_hospital, in_90d, in_1y
):
    labels = label(tables, subject, hadm, when)
    assert [labels[f"death_{name}"] for name in ("hospital", "90d", "1y")] == [in_hospital, in_90d, in_1y]


def test_a_later_admission_does_not_lengthen_the_follow_up(tmp_path):
    """Only those who lived come back: were they labelled, MetaVision would have survivors only."""
    later = (4, 42, "2151-06-01", "2151-06-09", "", "EMERGENCY", 0)
    tables = read_tables(write_folder(tmp_path, ADMISSIONS=[*ADMISSIONS, later]))
    assert label(tables, 4, 41, "2150-01-02")["death_1y"] == -1
    assert label(tables, 4, 41, "2150-01-02")["death_90d"] == 0


def test_an_admission_hours_later_does_not_lend_its_follow_up(tmp_path):
    """The last night of a MetaVision stay; six hours after its discharge one of CareVue begins."""
    later = (4, 42, "2150-01-11 06:00:00", "2150-03-01", "", "EMERGENCY", 0)
    stay = (4, 42, 402, "carevue", "CCU", "2150-01-11 07:00:00", "2150-01-20")
    tables = read_tables(write_folder(tmp_path, ADMISSIONS=[*ADMISSIONS, later], ICUSTAYS=[*ICUSTAYS, stay]))
    assert [label(tables, 4, 41, "2150-01-10 23:00:00")[name] for name in ("death_90d", "death_1y")] == [0, -1]
    assert [label(tables, 4, 42, "2150-01-11 07:00:00")[name] for name in ("death_90d", "death_1y")] == [0, 0]
    # Before the second begins, linked to it though it lies nearer the first: the follow-up is that of the link.
    assert label(tables, 4, 42, "2150-01-10 23:00:00")["death_1y"] == 0


def test_windows_after_the_hour_of_death_tell_no_death_to_come(data_dir):
    """Of the 40 who died in the demo's hospital 27 were still in an ICU's books after the hour of their death."""
    folder = data_dir / "mimic3-demo-1.4"
    admissions = {r["hadm_id"]: r for r in read_by_hand(folder, "ADMISSIONS")}
    late = [
        (r["subject_id"], r["hadm_id"], r["outtime"], admissions[r["hadm_id"]]["deathtime"])
        for r in read_by_hand(folder, "ICUSTAYS")
        if admissions[r["hadm_id"]]["deathtime"] and r["outtime"] > admissions[r["hadm_id"]]["deathtime"]
    ]
    assert len(late) == 27
    tables = read_tables(folder)
    subjects, hadm_ids = (np.array([int(row[i]) for row in late]) for i in (0, 1))
    for when, expected in ((2, {-1}), (3, {1})):
        rows = label_rows(tables, DEFINITIONS, subjects, hadm_ids, np.array([us(row[when]) for row in late]))
        assert set(rows["death_90d"].tolist()) == expected
        assert set(rows["death_hospital"].tolist()) == {1}


def test_whether_a_death_is_known_does_not_depend_on_its_outcome(tmp_path):
    """The same stays, once with everybody dead within the year and once with nobody: the same labels are unknown."""
    alive = read_tables(write_folder(tmp_path / "alive", PATIENTS=[(*row[:3], "") for row in PATIENTS]))
    dead = read_tables(
        write_folder(tmp_path / "dead", PATIENTS=[(*row[:3], f"{DIES[row[0]]} 00:00:00") for row in PATIENTS])
    )
    for subject, hadm, came, *_ in ADMISSIONS:
        found = [label(tables, subject, hadm, came) for tables in (alive, dead)]
        if subject == 2 or hadm in (11, 12):
            continue  # died in hospital in either; admitted again after the other's death
        for name in ("death_90d", "death_1y"):
            assert (found[0][name] == -1) == (found[1][name] == -1)
            assert found[1][name] in (1, -1)


DIES = {1: "2122-02-20", 2: "2125-03-02", 3: "2140-07-01", 4: "2150-02-01"}


def test_a_missing_date_of_death_is_taken_from_the_admission(tmp_path):
    people = [(s, g, born, "") for s, g, born, _ in PATIENTS]
    tables = read_tables(write_folder(tmp_path, PATIENTS=people))
    assert label(tables, 2, 21, "2125-02-21")["death_90d"] == 1


def test_every_label_column_is_known_as_one(tables):
    names = label_columns(DEFINITIONS)
    assert all(is_label(name) for name in names)
    assert len(set(names)) == len(names)
    rows = label_rows(tables, DEFINITIONS, np.array([1]), np.array([11]), np.array([0]))
    empty = unknown_labels(DEFINITIONS, 3)
    assert list(rows) == list(empty) == names
    assert {values.dtype for values in [*rows.values(), *empty.values()]} == {np.dtype(np.int8)}


def test_small_cells_are_hidden_and_zeros_are_not(tables):
    counts = count_definitions(tables, DEFINITIONS).set_index("label")
    assert counts.loc["af", ["n_patients", "n_admissions"]].tolist() == [1, 1]
    assert counts.loc["all", ["n_patients", "n_admissions"]].tolist() == [3, 5]
    assert counts.loc["stroke_history", "n_patients_primary"] == 1
    shown = hide_small_cells(counts, 3)
    assert shown.loc["all", ["n_patients", "n_admissions"]].tolist() == [3, 5]
    assert shown.loc["af", ["n_patients", "n_admissions"]].isna().all()
    assert shown.loc["vt", "n_patients"] == 0
    assert hide_small_cells(counts, 1).equals(hide_small_cells(counts, 0))
    assert count_definitions(tables, DEFINITIONS, np.array([2])).set_index("label").loc["all", "n_patients"] == 1


def is_stroke(code):
    return code in ("430", "431", "436") or (code[:3] in ("433", "434") and code[4:] == "1")


BY_HAND = {
    "stroke": is_stroke,
    "stroke_broad": lambda code: "430" <= code[:3] <= "438" and code[0] == "4",
    "af": lambda code: code == "42731",
    "arrhythmia": lambda code: code.startswith("427"),
}


def read_by_hand(folder, name):
    with open(folder / f"{name}.csv", newline="") as f:
        return list(csv.DictReader(f))


def test_counts_of_the_demo_tables_are_those_counted_by_hand(data_dir):
    folder = data_dir / "mimic3-demo-1.4"
    tables = read_tables(folder)
    counts = count_definitions(tables, DEFINITIONS).set_index("label")
    diagnoses = read_by_hand(folder, "DIAGNOSES_ICD")
    for name, rule in BY_HAND.items():
        for column, positions in (("", None), ("_primary", "1")):
            named = [r for r in diagnoses if rule(r["icd9_code"]) and positions in (None, r["seq_num"])]
            assert counts.loc[name, f"n_patients{column}"] == len({r["subject_id"] for r in named})
            assert counts.loc[name, f"n_admissions{column}"] == len({r["hadm_id"] for r in named})
    assert counts.loc[["stroke_broad", "stroke", "af"], "n_patients"].tolist() == [13, 6, 34]
    history = count_history(tables)
    per_patient = defaultdict(int)
    for row in read_by_hand(folder, "ADMISSIONS"):
        per_patient[row["subject_id"]] += 1
    assert history["n_patients_readmitted"] == sum(n > 1 for n in per_patient.values()) == 14
    assert (history["n_patients"], history["n_admissions"]) == (100, 129)
    assert history["n_admissions_with_earlier"] == 29


def test_labels_of_the_demo_tables_are_those_made_by_hand(data_dir):
    folder = data_dir / "mimic3-demo-1.4"
    tables = read_tables(folder)
    labels = label_admissions(tables, DEFINITIONS)
    codes = defaultdict(set)
    for row in read_by_hand(folder, "DIAGNOSES_ICD"):
        codes[row["hadm_id"]].add(row["icd9_code"])
    admissions = read_by_hand(folder, "ADMISSIONS")
    for here in admissions:
        mine = [a for a in admissions if a["subject_id"] == here["subject_id"]]
        groups = {
            "this": [here],
            "before": [a for a in mine if a["admittime"] < here["admittime"]],
            "after": [a for a in mine if a["admittime"] > here["admittime"]],
        }
        for name, rule in BY_HAND.items():
            for when, group in groups.items():
                found = [any(map(rule, codes[a["hadm_id"]])) for a in group]
                expected = int(any(found)) if found else -1
                assert labels.loc[int(here["hadm_id"]), f"{name}_{when}"] == expected
        assert labels.loc[int(here["hadm_id"]), "death_hospital"] == int(here["hospital_expire_flag"])


def test_deaths_of_the_demo_patients_are_those_counted_by_hand(data_dir):
    folder = data_dir / "mimic3-demo-1.4"
    tables = read_tables(folder)
    admissions = read_by_hand(folder, "ADMISSIONS")
    died = {r["subject_id"]: datetime.fromisoformat(r["dod"]).date() for r in read_by_hand(folder, "PATIENTS")}
    carevue = {r["hadm_id"] for r in read_by_hand(folder, "ICUSTAYS") if r["dbsource"] == "carevue"}
    rows = label_rows(
        tables,
        DEFINITIONS,
        np.array([int(a["subject_id"]) for a in admissions]),
        np.array([int(a["hadm_id"]) for a in admissions]),
        np.array([us(a["admittime"]) for a in admissions]),
    )
    for i, row in enumerate(admissions):
        days = (died[row["subject_id"]] - datetime.fromisoformat(row["admittime"]).date()).days
        assert rows["death_90d"][i] == int(days <= 90)
        assert rows["death_1y"][i] == (int(days <= 365) if row["hadm_id"] in carevue else -1)
