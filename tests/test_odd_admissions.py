"""Admissions that are no stay of a living patient, stays that end before they begin, deaths that contradict."""

import csv

import numpy as np
import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.labels import label_admissions
from ecgppg.clinical.linkage import link_times
from ecgppg.clinical.mortality import died_within
from ecgppg.clinical.tables import read_tables
from ecgppg.clinical.times import to_us
from ecgppg.config.schema import LINK_GRADES
from tests.clinical_folder import ADMISSIONS, DIAGNOSES, HEADERS, ICUSTAYS, PATIENTS, write_folder

DEFINITIONS = load_definitions()
DONOR_AFTER_DEATH = (2, 22, "2125-03-02 03:00:00", "2125-03-02 15:00:00", "2125-03-02 03:00:00", "URGENT", 1)


def folder_with(tmp_path, *rows, **more):
    """The hand-written tables and further admissions, each with the free text at admission as its last cell."""
    folder = write_folder(tmp_path, **more)
    with open(folder / "ADMISSIONS.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["ROW_ID", *(name.upper() for name in HEADERS["ADMISSIONS"]), "DIAGNOSIS"])
        writer.writerows([0, *row, "PNEUMONIA"] for row in ADMISSIONS)
        writer.writerows([0, *row] for row in rows)
    return folder


@pytest.mark.parametrize(
    ("row", "left_out"),
    [
        ((*DONOR_AFTER_DEATH, "ORGAN DONOR ACCOUNT"), True),
        ((*DONOR_AFTER_DEATH, "INTRACRANIAL HEMORRHAGE"), True),  # tells the same death again
        ((*DONOR_AFTER_DEATH, ""), True),
        ((4, 42, "2150-02-01", "2150-02-02", "2150-02-02", "URGENT", 1, "Organ Donor"), True),
        ((4, 42, "2150-02-01", "2150-02-02", "", "ELECTIVE", 0, "ORGAN DONOR/SDA"), False),  # a living donor
        ((4, 42, "2150-02-01", "2150-02-02", "2150-01-31", "URGENT", 1, "CARDIAC ARREST"), False),  # died at the door
        ((2, 22, "2125-06-01", "2125-06-09", "", "URGENT", 0, "SEPSIS"), False),  # after a death: a contradiction, kept
    ],
)
def test_accounts_of_organ_donors_are_left_out_and_counted(tmp_path, row, left_out):
    tables = read_tables(folder_with(tmp_path, row, DIAGNOSES_ICD=[*DIAGNOSES, (row[0], row[1], 1, "431")]))
    assert (row[1] in set(tables.admissions["hadm_id"])) != left_out
    assert tables.counts["admissions:organ_donor"] == int(left_out)
    assert tables.counts["diagnoses_icd:orphans"] == 0
    assert (row[1] in set(tables.diagnoses_icd["hadm_id"])) != left_out
    assert "diagnosis" not in tables.admissions
    notices = [line for line in tables.notices() if "organ donors" in line]
    assert notices == (["ADMISSIONS: 1 accounts of organ donors, opened after death, left out"] if left_out else [])


def test_a_donors_account_is_no_later_admission_and_no_sign_of_life(tmp_path):
    donor = (*DONOR_AFTER_DEATH, "ORGAN DONOR ACCOUNT")
    folder = folder_with(
        tmp_path,
        donor,
        DIAGNOSES_ICD=[*DIAGNOSES, (2, 22, 1, "431")],
        ICUSTAYS=[*ICUSTAYS, (2, 22, 202, "carevue", "MICU", "2125-03-02 03:00:00", "2125-03-02 15:00:00")],
    )
    tables = read_tables(folder)
    labels = label_admissions(tables, DEFINITIONS)
    assert labels.loc[21, "stroke_after"] == -1
    assert labels.loc[21, "stroke_this"] == 0
    death_us = to_us(tables.admissions["deathtime"])[tables.admissions["hadm_id"] == 21]
    found = link_times(tables, np.array([2]), death_us + 3600 * 10**6, death_us + 7200 * 10**6).iloc[0]
    assert (LINK_GRADES[found["link_grade"]], found["hadm_id"], found["icustay_id"]) == ("within_6h", 21, -1)


def test_without_the_free_text_the_repeated_death_still_tells(tmp_path):
    tables = read_tables(write_folder(tmp_path, ADMISSIONS=[*ADMISSIONS, DONOR_AFTER_DEATH]))
    assert tables.counts["admissions:organ_donor"] == 1
    same = read_tables(write_folder(tmp_path / "plain"))
    assert tables.admissions.equals(same.admissions)


def test_stays_that_end_before_they_begin_hold_no_recording_and_are_counted(tmp_path):
    negative = (4, 42, "2151-01-02 10:00:00", "2151-01-02 09:00:00", "2151-01-02 09:00:00", "EMERGENCY", 1)
    stay = (4, 42, 402, "metavision", "CCU", "2151-01-02 10:00:00", "2151-01-02 09:30:00")
    codes = [*DIAGNOSES, (4, 42, 1, "4275")]
    tables = read_tables(
        write_folder(tmp_path, ADMISSIONS=[*ADMISSIONS, negative], ICUSTAYS=[*ICUSTAYS, stay], DIAGNOSES_ICD=codes)
    )
    assert tables.counts["admissions:reversed"] == tables.counts["icustays:reversed"] == 1
    assert "ICUSTAYS: 1 stays that end before they begin, kept as an instant" in tables.notices()
    row = tables.admissions[tables.admissions["hadm_id"] == 42]
    at = to_us(row["admittime"])
    found = link_times(tables, np.array([4]), at, at + 3600 * 10**6).iloc[0]
    assert (LINK_GRADES[found["link_grade"]], found["icustay_id"]) == ("within_6h", -1)
    labels = label_admissions(tables, DEFINITIONS)
    assert labels.loc[42, "cardiac_arrest_this"] == 1
    assert labels.loc[41, "cardiac_arrest_after"] == 1


def test_a_time_of_death_without_its_flag_is_counted_and_no_death_in_hospital(tmp_path):
    odd = (4, 42, "2150-02-01", "2150-02-09", "2150-02-09", "EMERGENCY", 0)
    tables = read_tables(write_folder(tmp_path, ADMISSIONS=[*ADMISSIONS, odd]))
    assert tables.counts["admissions:death_unflagged"] == 1
    assert label_admissions(tables, DEFINITIONS).loc[42, "death_hospital"] == 0


def test_follow_up_differs_between_the_two_databases(tmp_path):
    """A year is followed of CareVue patients, of MetaVision's not, nor of both kinds, dead or alive."""
    stays = [(1, 11, 101, "carevue"), (2, 21, 201, "metavision"), (3, 31, 301, "both"), (4, 41, 401, "CareVue")]
    folder = write_folder(
        tmp_path,
        PATIENTS=[(s, "M", "2080-01-01", "") for s in range(1, 5)],
        ADMISSIONS=[(s, h, "2150-01-01", "2150-01-10", "", "URGENT", 0) for s, h, *_ in stays],
        ICUSTAYS=[(s, h, i, source, "CCU", "2150-01-01", "2150-01-05") for s, h, i, source in stays],
        DIAGNOSES_ICD=[(s, h, 1, "4019") for s, h, *_ in stays],
        PRESCRIPTIONS=[],
    )
    tables = read_tables(folder)
    at = np.repeat(to_us(tables.admissions["admittime"])[0], 4)
    subjects, hadm_ids = np.arange(1, 5), np.array([11, 21, 31, 41])
    assert died_within(tables, subjects, hadm_ids, at, 365)[0].tolist() == [0, -1, -1, 0]
    assert died_within(tables, subjects, hadm_ids, at, 90)[0].tolist() == [0, 0, 0, 0]
    people = [(s, "M", "2080-01-01", "2150-07-19") for s in range(1, 5)]  # died on day 199
    dead = read_tables(write_folder(tmp_path / "dead", **{**rows_of(folder), "PATIENTS": people}))
    assert died_within(dead, subjects, hadm_ids, at, 365)[0].tolist() == [1, -1, -1, 1]
    assert died_within(dead, subjects, hadm_ids, at, 90)[0].tolist() == [0, 0, 0, 0]


def rows_of(folder):
    rows = {}
    for name in HEADERS:
        with open(folder / f"{name}.csv", newline="") as f:
            rows[name] = [tuple(row[1:]) for row in list(csv.reader(f))[1:]]
    return rows


def test_tables_of_many_blocks_are_read_like_small_ones(tmp_path, monkeypatch):
    rows = [(1, 11 + i % 3, f"2121-01-{1 + i % 28:02d} 00:00:00", f"drug {i % 997}") for i in range(30_000)]
    folder = write_folder(tmp_path, PRESCRIPTIONS=rows)
    whole = read_tables(folder).prescriptions
    monkeypatch.setattr("ecgppg.clinical.table_files.BLOCK_BYTES", 8192)
    in_blocks = read_tables(folder).prescriptions
    assert whole["drug"].astype(str).tolist() == in_blocks["drug"].astype(str).tolist() == [r[3] for r in rows]
    assert whole.drop(columns="drug").equals(in_blocks.drop(columns="drug"))


def test_the_demo_tables_have_no_odd_admissions(data_dir):
    tables = read_tables(data_dir / "mimic3-demo-1.4")
    assert {key for key in tables.counts if not key.endswith(":rows")} == set()
    assert len(PATIENTS) < len(tables.patients) == 100
