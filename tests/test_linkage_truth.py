"""Thirty recordings whose admission was worked out by hand, and the placed and synthetic cohorts' own truth.

Times are those of a wall clock that is never put forward or back: the database shifts each patient's dates as a whole,
so that a night in March or November has the hours of any other.
"""

import csv
import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.linkage import link_records, link_times
from ecgppg.clinical.tables import read_tables
from ecgppg.config.schema import LINK_GRADES
from ecgppg.config.settings import Settings
from ecgppg.sources.find import find_patients
from ecgppg.stages.record_flow import flow_lines, record_facts, record_flow, unlinked_but_kept
from ecgppg.stages.record_flow_figure import record_flow_png
from ecgppg.synthetic.cohort import make_cohort
from tests.clinical_folder import write_folder

ADMISSIONS = [
    # patient 1: two admissions back to back, then one nine hours after
    (1, 11, "2120-03-10 00:00", "2120-03-12 00:00"),
    (1, 12, "2120-03-12 00:00", "2120-03-15 18:30"),
    (1, 13, "2120-03-16 03:30", "2120-03-18 12:00"),
    # patient 2: two that overlap from 20:00 to 22:00
    (2, 21, "2130-11-05 08:00", "2130-11-06 22:00"),
    (2, 22, "2130-11-06 20:00", "2130-11-09 10:00"),
    # patient 3: one inside the other
    (3, 31, "2140-06-01 06:00", "2140-06-10 06:00"),
    (3, 32, "2140-06-04 06:00", "2140-06-05 06:00"),
    # patient 4: over the end of a year, and over the 29th of February
    (4, 41, "2151-12-31 22:00", "2152-01-02 02:00"),
    (4, 42, "2152-02-28 12:00", "2152-03-01 12:00"),
    # patient 5: discharged before admitted
    (5, 51, "2160-04-01 10:00", "2160-04-01 09:00"),
    # patient 6: the nights on which clocks are changed elsewhere
    (6, 61, "2133-03-08 01:30", "2133-03-08 03:30"),
    (6, 62, "2133-11-01 00:30", "2133-11-01 02:30"),
]
STAYS = [
    (1, 11, 111, "MICU", "2120-03-10 00:15", "2120-03-12 00:00"),
    (1, 12, 112, "CCU", "2120-03-12 00:00", "2120-03-13 08:00"),
    (1, 12, 113, "MICU", "2120-03-14 08:00", "2120-03-15 18:30"),
    (2, 21, 211, "SICU", "2130-11-05 09:00", "2130-11-06 21:00"),
    (2, 22, 221, "CSRU", "2130-11-06 21:00", "2130-11-08 10:00"),
    (4, 41, 411, "CCU", "2151-12-31 21:30", "2152-01-02 02:30"),
    (6, 61, 611, "TSICU", "2133-03-08 01:30", "2133-03-08 03:30"),
]
CASES = [
    # patient, start, hours: admission, grade, ICU stay, offset in minutes, overlap in minutes
    (1, "2120-03-10 00:00", 1, 11, "inside", -1, 0, 60),  # midnight of admission, before the ICU
    (1, "2120-03-10 00:15", 1, 11, "inside", 111, 0, 60),
    (1, "2120-03-11 23:59", 2, 11, "inside", 111, 0, 1),  # goes on into the next: the start decides
    (1, "2120-03-12 00:00", 2, 12, "inside", 112, 0, 120),  # back to back: the minute of discharge is the next's
    (1, "2120-03-13 08:00", 1, 12, "inside", -1, 0, 60),  # the minute of leaving the unit
    (1, "2120-03-14 12:00", 1, 12, "inside", 113, 0, 60),
    (1, "2120-03-15 18:30", 1, 12, "within_6h", -1, 0, 0),
    (1, "2120-03-15 20:00", 1, 12, "within_6h", -1, 90, 0),  # 7.5 h before the next: further than 6
    (1, "2120-03-15 22:00", 1, -1, "ambiguous", -1, None, 0),  # 3.5 h after one, 5.5 h before another
    (1, "2120-03-15 22:00", 6, 13, "within_6h", -1, -330, 30),  # but it goes on into that one
    (1, "2120-03-16 01:00", 1, 13, "within_6h", -1, -150, 0),
    (1, "2120-03-09 18:00", 5, 11, "within_6h", -1, -360, 0),  # six hours to the minute
    (1, "2120-03-09 17:59", 5, 11, "within_12h", -1, -361, 0),
    (1, "2120-03-09 12:00", 24, 11, "within_12h", -1, -720, 720),
    (1, "2120-03-09 11:59", 24, -1, "none", -1, None, 719),  # overlaps for hours, yet starts too early
    (1, "2120-03-19 00:00", 1, 13, "within_12h", -1, 720, 0),
    (1, "2120-03-19 00:01", 1, -1, "none", -1, None, 0),
    (1, "2100-03-12 12:00", 1, -1, "none", -1, None, 0),  # twenty years off
    (2, "2130-11-06 19:59", 4, 21, "inside", 211, 0, 121),
    (2, "2130-11-06 20:00", 1, -1, "ambiguous", -1, None, 60),  # in both
    (2, "2130-11-06 21:59", 1, -1, "ambiguous", -1, None, 60),
    (2, "2130-11-06 22:00", 1, 22, "inside", 221, 0, 60),
    (3, "2140-06-04 05:59", 1, 31, "inside", -1, 0, 60),
    (3, "2140-06-04 06:00", 1, -1, "ambiguous", -1, None, 60),  # one lies inside the other
    (3, "2140-06-05 06:00", 1, 31, "inside", -1, 0, 60),
    (4, "2151-12-31 21:45", 1, 41, "within_6h", 411, -15, 45),  # in the ICU a quarter of an hour before admission
    (4, "2151-12-31 23:59", 24, 41, "inside", 411, 0, 1440),  # over New Year
    (4, "2152-02-29 23:30", 2, 42, "inside", -1, 0, 120),  # a leap day
    (5, "2160-04-01 10:00", 1, 51, "within_6h", -1, 0, 0),  # an admission of no length holds nothing
    (6, "2133-03-08 02:30", 1, 61, "inside", 611, 0, 60),  # an hour that is left out elsewhere
    (6, "2133-11-01 01:30", 2, 62, "inside", -1, 0, 60),  # and one that comes twice
    (7, "2120-03-10 00:15", 1, -1, "none", -1, None, 0),  # nobody of that name
]


def us(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return read_tables(
        write_folder(
            tmp_path_factory.mktemp("truth"),
            PATIENTS=[(s, "F", "2060-01-01", "") for s in range(1, 7)],
            ADMISSIONS=[(s, h, f"{a}:00", f"{b}:00", "", "EMERGENCY", 0) for s, h, a, b in ADMISSIONS],
            DIAGNOSES_ICD=[(s, h, 1, "4019") for s, h, *_ in ADMISSIONS],
            ICUSTAYS=[(s, h, i, "carevue", u, f"{a}:00", f"{b}:00") for s, h, i, u, a, b in STAYS],
            PRESCRIPTIONS=[],
        )
    )


def test_thirty_recordings_are_linked_as_by_hand(tables):
    assert len(CASES) >= 30
    subject, start, hours, *_ = zip(*CASES, strict=True)
    starts = np.array([us(text) for text in start])
    found = link_times(tables, np.array(subject), starts, starts + np.array(hours) * 3600 * 10**6)
    for case, row in zip(CASES, found.to_dict("records"), strict=True):
        *_, hadm, grade, stay, offset, overlap = case
        offset_found = None if np.isnan(row["offset_minutes"]) else row["offset_minutes"]
        got = (row["hadm_id"], LINK_GRADES[row["link_grade"]], row["icustay_id"], offset_found, row["overlap_minutes"])
        assert got == (hadm, grade, stay, offset, overlap), case


def test_shifting_a_patient_by_any_number_of_days_changes_nothing(tables, tmp_path):
    """Dates are shifted by patient; a link must not depend on the season, the leap year or the century."""
    subject, start, hours, *_ = zip(*CASES, strict=True)
    starts, lengths = np.array([us(text) for text in start]), np.array(hours) * 3600 * 10**6
    unshifted = link_times(tables, np.array(subject), starts, starts + lengths)
    for days in (59, 200, 20_000):
        gap = timedelta(days=days)

        def moved(text, gap=gap):
            return f"{datetime.fromisoformat(text) + gap}"

        folder = write_folder(
            tmp_path / str(days),
            PATIENTS=[(s, "F", "2060-01-01", "") for s in range(1, 7)],
            ADMISSIONS=[(s, h, moved(a), moved(b), "", "EMERGENCY", 0) for s, h, a, b in ADMISSIONS],
            DIAGNOSES_ICD=[(s, h, 1, "4019") for s, h, *_ in ADMISSIONS],
            ICUSTAYS=[(s, h, i, "carevue", u, moved(a), moved(b)) for s, h, i, u, a, b in STAYS],
            PRESCRIPTIONS=[],
        )
        later = starts + days * 86_400 * 10**6
        pd.testing.assert_frame_equal(
            link_times(read_tables(folder), np.array(subject), later, later + lengths), unshifted
        )


def test_a_record_over_a_transfer_and_two_admissions_is_linked_window_by_window(tables):
    """From 2120-03-11 22:00 for 52 h: over a change of admission at midnight and out of the unit next morning."""
    start = us("2120-03-11 22:00")
    record = pd.DataFrame({"record": ["r"], "subject_id": [1], "start_time_us": [start], "end_time_us": [0]})
    record["end_time_us"] = start + 52 * 3600 * 10**6
    whole = link_records(tables, record).iloc[0]
    assert (whole["hadm_id"], whole["icustay_id"], whole["overlap_minutes"]) == (11, 111, 120)
    windows = start + np.arange(0, 52 * 3600, 10) * 10**6
    found = link_times(tables, np.ones(len(windows), int), windows, windows + 10**7)
    hours = (windows - start) / 3600e6
    assert set(found.loc[hours < 2, "hadm_id"]) == {11}
    assert set(found.loc[hours >= 2, "hadm_id"]) == {12}
    assert set(found.loc[hours < 2, "icustay_id"]) == {111}
    assert set(found.loc[(hours >= 2) & (hours < 34), "icustay_id"]) == {112}
    assert set(found.loc[hours >= 34, "icustay_id"]) == {-1}
    assert set(found.loc[hours < 34, "care_unit"]) == {"MICU", "CCU"}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return make_cohort(tmp_path_factory.mktemp("linkage") / "cohort", n_patients=40, minutes=1, seed=5, num_workers=0)


def test_the_planted_linkage_of_the_synthetic_cohort_is_found_exactly(cohort):
    settings = Settings(waveforms_dir=str(cohort.waveforms), clinical_dir=str(cohort.clinical))
    patients = find_patients(settings)
    n_kept = {patient.records[0]: 5 for patient in patients[:3] if patient.records}
    facts = record_facts(patients, n_kept, settings)
    linkage = link_records(read_tables(cohort.clinical), facts)
    truth = cohort.records.set_index("record")
    sound = linkage[linkage["record"].isin(truth.index)].set_index("record").join(truth, rsuffix="_truth")
    assert len(sound) == len(truth) > 40
    assert (sound["link_grade_name"] == sound["expected_grade"]).all()
    assert (sound["hadm_id"] == sound["expected_hadm_id"]).all()
    assert {"inside", "within_6h", "within_12h", "none"} <= set(sound["expected_grade"])
    assert sound["readable"].all()

    steps = record_flow(linkage, settings.required_channels)
    assert [step.n_records for step in steps] == sorted((step.n_records for step in steps), reverse=True)
    readable, complete = linkage["readable"], linkage["readable"] & linkage["has_required_channels"]
    linked = complete & (linkage["hadm_id"] >= 0)
    assert [step.n_records for step in steps] == [
        len(linkage), readable.sum(), complete.sum(), linked.sum(), (linked & (linkage["n_windows_kept"] > 0)).sum(),
    ]  # fmt: skip
    n_unlinked = steps[2].n_records - steps[3].n_records
    assert sum(n for _, n in steps[3].reasons) == n_unlinked
    told = f"{n_unlinked}: not linked (no admission within 12 h, or no time: "
    assert steps[3].loss(n_unlinked).startswith(told)
    assert told in "\n".join(flow_lines(steps, 0, "record_flow.png"))
    assert linkage.set_index("record")["n_windows_kept"].sum() == sum(n_kept.values())
    assert unlinked_but_kept(linkage) == (linkage[linkage["n_windows_kept"] > 0]["hadm_id"] == -1).sum()
    assert record_flow_png(steps).startswith(b"\x89PNG")


def test_recordings_placed_around_real_patients_find_them(data_dir, tmp_path):
    """The six cases of the simulated tree's records, placed by the same rule around real stays, through headers."""
    folder = data_dir / "mimic3-demo-1.4"
    truth = place_headers(folder, tmp_path / "waveforms")
    settings = Settings(waveforms_dir=str(tmp_path / "waveforms"), clinical_dir=str(folder))
    linkage = link_records(read_tables(folder), record_facts(find_patients(settings), {}, settings))
    linkage["name"] = linkage["record"].str.rsplit("/", n=1).str[-1]
    both = pd.DataFrame(truth, columns=["name", "subject", "case", "placed"]).merge(linkage, on="name", validate="1:1")
    assert len(both) == len(truth) == len(linkage) >= 150
    expected = {"inside": "inside", "before_3h": "within_6h", "after_4h": "within_6h", "before_9h": "within_12h"}
    assert (both["link_grade_name"] == both["case"].map(expected).fillna("none")).all()
    assert (both["hadm_id"] == both["placed"].where(both["case"].isin(expected), -1)).all()
    assert set(both["case"]) == {*expected, "weeks_away", "years_off"}
    assert both["readable"].all()
    assert both["has_required_channels"].all()
    assert (both["offset_minutes"].dropna()[both["case"] == "before_3h"] == -180).all()


def test_a_tree_simulated_around_real_patients_is_linked_as_its_truth_says(data_dir):
    """ECGPPG_COHORT names a folder of waveforms/ and truth.csv (record, subject_id, case, hadm_id), as the peer's
    make_cohort.py writes them with --clinical."""
    cohort = Path(os.environ.get("ECGPPG_COHORT", ""))
    if not (cohort / "truth.csv").is_file():
        pytest.skip("no simulated tree: set ECGPPG_COHORT to a folder with waveforms/ and truth.csv")
    clinical = data_dir / "mimic3-demo-1.4"
    settings = Settings(waveforms_dir=str(cohort / "waveforms"), clinical_dir=str(clinical))
    linkage = link_records(read_tables(clinical), record_facts(find_patients(settings), {}, settings))
    linkage["record"] = linkage["record"].str.rsplit("/", n=1).str[-1]
    both = pd.read_csv(cohort / "truth.csv").merge(linkage, on="record", suffixes=("_placed", ""), validate="1:1")
    assert len(both) == len(linkage) > 0
    expected = {"inside": "inside", "before_3h": "within_6h", "after_4h": "within_6h", "before_9h": "within_12h"}
    linked = both["case"].isin(expected)
    # A patient's second and third record lie 37 and 74 min later than the case says: no grade's limit is that near.
    assert (both["link_grade_name"] == both["case"].map(expected).fillna("none")).all()
    assert (both.loc[linked, "hadm_id"] == both.loc[linked, "hadm_id_placed"]).all()
    assert (both.loc[~linked, "hadm_id"] == -1).all()
    assert set(both["case"]) == {*expected, "weeks_away", "years_off"}


def place_headers(clinical, waveforms):
    """Master headers without samples, a record for each admission; cases in turn, where no other stay is near."""
    anchors = {
        "inside": ("intime", timedelta(hours=1)),
        "before_3h": ("admittime", timedelta(hours=-3)),
        "before_9h": ("admittime", timedelta(hours=-9)),
        "after_4h": ("dischtime", timedelta(hours=4)),
        "weeks_away": ("admittime", timedelta(days=-30)),
        "years_off": ("admittime", timedelta(days=-7300)),
    }
    with open(clinical / "ADMISSIONS.csv", newline="") as f:
        stays = {r["hadm_id"]: {k: r[k] for k in ("subject_id", "admittime", "dischtime")} for r in csv.DictReader(f)}
    with open(clinical / "ICUSTAYS.csv", newline="") as f:
        for r in sorted(csv.DictReader(f), key=lambda r: r["intime"], reverse=True):
            stays[r["hadm_id"]]["intime"] = r["intime"]
    truth, listed, half_a_day = [], [], timedelta(hours=12)
    for i, (hadm, stay) in enumerate(stays.items()):
        for case in (list(anchors)[i % 6], list(anchors)[(i + 3) % 6]):
            anchor, offset = anchors[case]
            # Whole minutes, as the names of records tell them.
            start = datetime.fromisoformat(stay[anchor]).replace(second=0) + offset
            near = [
                other
                for other, s in stays.items()
                if s["subject_id"] == stay["subject_id"]
                and datetime.fromisoformat(s["admittime"]) - half_a_day <= start
                and start <= datetime.fromisoformat(s["dischtime"]) + half_a_day
            ]
            far = case in ("weeks_away", "years_off")
            in_it = datetime.fromisoformat(stay["admittime"]) <= start < datetime.fromisoformat(stay["dischtime"])
            if near != ([] if far else [hadm]) or (case == "inside" and not in_it):
                continue
            subject = int(stay["subject_id"])
            patient = f"p{subject:06d}"
            name = f"{patient}-{start:%Y-%m-%d-%H-%M}"
            write_header(waveforms / patient[:3] / patient, name, start, 3_000_000 + len(truth))
            truth.append((name, subject, case, int(hadm)))
            listed.append(f"{patient[:3]}/{patient}/{name}\n")
    (waveforms / "RECORDS-waveforms").write_text("".join(listed))
    return truth


def write_header(folder, name, start, stem):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hea").write_text(
        f"{name}/2 2 125 900000 {start:%H:%M:%S} {start:%d/%m/%Y}\n{stem}_layout 0\n~ 900000\n"
    )
    (folder / f"{stem}_layout.hea").write_text(
        f"{stem}_layout 2 125 0\n~ 0 1(0)/mV 8 0 -128 0 0 II\n~ 0 1(0)/NU 8 0 -128 0 0 PLETH\n"
    )


def test_the_flow_of_a_dataset_counts_what_its_files_hold(data_dir, tmp_path):
    """Headers absent, damaged, of one channel: each leaves the flow where it should."""
    clinical = data_dir / "mimic3-demo-1.4"
    truth = place_headers(clinical, tmp_path)
    folder = tmp_path / "p01" / f"p{truth[0][1]:06d}"
    names = sorted(path.stem for path in folder.parent.rglob("p*-*.hea"))
    (next(folder.parent.rglob(f"{names[0]}.hea"))).write_text("nonsense\n")
    for layout in list(folder.parent.rglob("*_layout.hea"))[:3]:
        layout.write_text(layout.read_text().replace("PLETH", "RESP"))
    settings = Settings(waveforms_dir=str(tmp_path), clinical_dir=str(clinical))
    linkage = link_records(read_tables(clinical), record_facts(find_patients(settings), {}, settings))
    steps = record_flow(linkage, settings.required_channels)
    assert len(truth) == steps[0].n_records == steps[1].n_records + 1
    assert 2 <= steps[1].n_records - steps[2].n_records <= 3
    assert steps[4].n_records == 0
