"""Charted rhythm: the rows asked for and no others, and the right windows before each entry."""

import csv
import gzip
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.chart_events import read_chart_events
from ecgppg.clinical.charted_rhythm import RHYTHM_ITEM_IDS, ChartedLabels, charted_rhythm
from ecgppg.clinical.code_lists import load_definitions
from ecgppg.config.errors import InputError
from ecgppg.config.schema import UNKNOWN_TIME_US

RHYTHMS = load_definitions().charted_rhythms
HEADER = ("row_id", "subject_id", "hadm_id", "icustay_id", "itemid", "charttime", "value", "valuenum", "error")
NOON = datetime(2150, 1, 1, 12)
ROWS = [
    (1, 4, 41, 401, 220048, NOON, "AF (Atrial Fibrillation)", "", 0),
    (2, 4, 41, 401, 220045, NOON, "88", 88, 0),
    (3, 1, 11, 101, 212, datetime(2120, 1, 10, 11), "Normal Sinus", "", ""),
    (4, 1, 11, 101, 212, datetime(2120, 1, 10, 12), "Atrial Fib", "", 1),
    (5, 1, 11, 101, 212, "", "Paced", "", 0),
    (6, 1, 11, 101, 212, datetime(2120, 1, 10, 13), "", "", 0),
    (7, 3, 31, 301, 212, NOON, "Paced", "", 0),
]
WANTED = [(4, NOON, "AF (Atrial Fibrillation)"), (1, datetime(2120, 1, 10, 11), "Normal Sinus")]


def us(when):
    return (when - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def write(folder, name="CHARTEVENTS.csv", rows=ROWS, header=HEADER):
    folder.mkdir(exist_ok=True)
    path = folder / name
    with (gzip.open if name.endswith(".gz") else open)(path, "wt", newline="") as f:
        csv.writer(f).writerows([header, *rows])
    return folder


def read(folder, subjects=(1, 4)):
    frame = read_chart_events(folder, RHYTHM_ITEM_IDS, subjects)
    return list(frame.itertuples(index=False, name=None))


@pytest.mark.parametrize("name", ["CHARTEVENTS.csv", "chartevents.csv.gz"])
def test_only_the_items_and_patients_asked_for_are_kept(tmp_path, name):
    assert read(write(tmp_path, name)) == WANTED
    upper = write(tmp_path / "upper", name, header=[column.upper() for column in HEADER])
    assert read(upper) == WANTED
    assert read(upper, subjects=(99,)) == []


def test_parquet_is_read_alike(tmp_path):
    frame = pd.read_csv(write(tmp_path) / "CHARTEVENTS.csv")
    frame["charttime"] = pd.to_datetime(frame["charttime"])
    (tmp_path / "parquet").mkdir()
    frame.rename(columns=str.upper).to_parquet(tmp_path / "parquet" / "CHARTEVENTS.parquet")
    assert read(tmp_path / "parquet") == WANTED


def test_blocks_join_to_the_same_rows_as_one_pass(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    items = rng.choice([212, 211, 646], 20_000, p=[0.1, 0.5, 0.4])
    rows = [
        (i, int(rng.integers(1, 6)), 1, 1, int(item), NOON + timedelta(minutes=i), f"value {i % 7}", "", 0)
        for i, item in enumerate(items)
    ]
    expected = [(r[1], r[5], r[6]) for r in rows if r[4] == 212 and r[1] in (1, 4)]
    monkeypatch.setattr("ecgppg.clinical.table_files.BLOCK_BYTES", 4096)
    assert read(write(tmp_path, rows=rows)) == expected


def test_an_absent_table_is_none_and_an_absent_column_one_line(tmp_path):
    assert read_chart_events(tmp_path, RHYTHM_ITEM_IDS, (1,)) is None
    no_error = write(tmp_path, header=[*HEADER[:-1], "warning"])
    assert len(read(no_error)) == 3
    write(tmp_path, header=[*HEADER[:5], "storetime", *HEADER[6:]])
    with pytest.raises(InputError, match=r"CHARTEVENTS has no column charttime, needed for placing") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("row", "column"), [((8, 4, 41, 401, 212, "noon", "Paced", "", 0), "charttime"),
                                             ((8, 4, 41, 401, "x12", NOON, "Paced", "", 0), "itemid")])  # fmt: skip
def test_a_wrong_value_is_told_without_repeating_it(tmp_path, row, column):
    with pytest.raises(InputError, match=f"column {column} holds a value") as caught:
        read(write(tmp_path, rows=[*ROWS, row]))
    assert str(row[4]) + str(row[5]) not in str(caught.value)


def labels(entries, windows):
    """Names of the rhythms of windows (subject, start, seconds); None unknown."""
    frame = pd.DataFrame(entries, columns=["subject_id", "charttime", "value"])
    frame["charttime"] = frame["charttime"].astype("datetime64[us]")
    starts = np.array([start if isinstance(start, int) else us(start) for _, start, _ in windows])
    ends = np.where(starts == UNKNOWN_TIME_US, starts, starts + np.array([int(s * 1e6) for *_, s in windows]))
    found = charted_rhythm(frame, RHYTHMS, np.array([s for s, *_ in windows]), starts, ends)
    return [None if code == ChartedLabels.UNKNOWN else found.names[code] for code in found.codes_N], found.counts


MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (NOON - 15 * MINUTE, "af"),  # the first instant that counts
        (NOON - 15 * MINUTE - SECOND, None),
        (NOON - 5 * MINUTE, "af"),
        (NOON - 10 * SECOND, "af"),  # ends with the entry
        (NOON - 9 * SECOND, "sinus"),  # the entry stands inside it: the next one counts
        (NOON, "sinus"),
        (NOON + 10 * MINUTE - 10 * SECOND, "sinus"),
        (NOON + 10 * MINUTE, None),  # nothing after the last entry
        (NOON - timedelta(hours=5), None),
        (UNKNOWN_TIME_US, None),
    ],
)
def test_windows_within_a_quarter_of_an_hour_before_an_entry_get_its_rhythm(start, expected):
    entries = [(4, NOON, "AF (Atrial Fibrillation)"), (4, NOON + 10 * MINUTE, "SR (Sinus Rhythm)")]
    assert labels(entries, [(4, start, 10)])[0] == [expected]


def test_the_next_entry_decides_even_where_it_says_nothing():
    entries = [
        (1, NOON, "LBBB (Left Bundle Branch Block)"),  # no rhythm
        (1, NOON + 5 * MINUTE, "Paced"),
        (2, NOON, "Atrial Fib"),
        (2, NOON, "Normal Sinus"),  # two of one time that disagree
        (2, NOON + 5 * MINUTE, "Paced"),
        (3, NOON, "A Paced"),
        (3, NOON, "V Paced"),  # two that mean the same
        (5, NOON, "  st   (sinus TACHYCARDIA) "),
    ]
    windows = [(subject, NOON - MINUTE, 10) for subject in (1, 2, 3, 4, 5)] + [(1, NOON + MINUTE, 10)]
    found, counts = labels(entries, windows)
    assert found == [None, None, "paced", None, "sinus_tachycardia", "paced"]
    assert counts == {"entries": 8, "entries_of_no_rhythm": 1, "entries_that_disagree": 2, "windows_labelled": 3}


def test_against_a_slow_reference():
    rng = np.random.default_rng(8)
    names = ["Atrial Fib", "Normal Sinus", "Paced", "Other/Remarks"]
    meaning = {"Atrial Fib": "af", "Normal Sinus": "sinus", "Paced": "paced", "Other/Remarks": None}
    entries = [
        (int(rng.integers(1, 5)), NOON + int(rng.integers(0, 40)) * 7 * MINUTE, names[rng.integers(4)])
        for _ in range(60)
    ]
    windows = [(int(rng.integers(1, 6)), NOON + int(rng.integers(-3000, 18000)) * SECOND, 10) for _ in range(1000)]
    expected = []
    for subject, start, seconds in windows:
        times = [t for s, t, _ in entries if s == subject and t >= start + seconds * SECOND]
        said = {v for s, t, v in entries if times and s == subject and t == min(times)}
        near = bool(times) and min(times) - start <= 15 * MINUTE
        expected.append(meaning[said.pop()] if near and len(said) == 1 else None)
    found, _ = labels(entries, windows)
    assert found == expected
    assert {"af", "sinus", "paced", None} == set(expected)


def test_no_entries_and_no_windows_label_nothing():
    assert labels([], [(1, NOON, 10)])[0] == [None]
    assert labels([(1, NOON, "Paced")], [])[0] == []
