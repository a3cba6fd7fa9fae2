"""The MIMIC-III tables: any spelling, dates that do not wrap, rows left out and counted, errors in one line."""

import csv
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.demographics import age_years, ages_at, old_enough, patients_at_first_admission
from ecgppg.clinical.tables import read_tables
from ecgppg.clinical.times import to_us
from ecgppg.config.errors import InputError
from ecgppg.config.schema import UNKNOWN_TIME_US
from tests.clinical_folder import ADMISSIONS, DIAGNOSES, ICUSTAYS, PATIENTS, ROWS, write_folder, write_table


def us(text):
    return int((datetime.fromisoformat(text) - datetime(1970, 1, 1)).total_seconds()) * 10**6


def same(a, b):
    for name in ("patients", "admissions", "diagnoses_icd", "icustays", "prescriptions"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), check_categorical=False)


def test_tables_read_alike_in_any_case_and_compression(tmp_path):
    plain = read_tables(write_folder(tmp_path / "plain"))
    (tmp_path / "upper gz").mkdir()
    for name in ROWS:
        write_table(tmp_path / "upper gz" / f"{name.lower()}.csv.gz", name, upper=True)
    same(plain, read_tables(tmp_path / "upper gz"))
    (tmp_path / "parquet").mkdir()
    for name in ROWS:
        text = pd.read_csv(tmp_path / "plain" / f"{name}.csv", dtype={"icd9_code": str})
        text.columns = text.columns.str.upper()
        text.to_parquet(tmp_path / "parquet" / f"{name}.parquet")
    same(plain, read_tables(str(tmp_path / "parquet")))


def test_dates_keep_their_century_and_codes_their_zeros(tmp_path):
    tables = read_tables(write_folder(tmp_path))
    assert tables.patients["dob"].dtype == np.dtype("datetime64[us]")
    assert to_us(tables.patients["dob"])[1] == us("1825-01-01")
    assert to_us(tables.patients["dod"])[0] == UNKNOWN_TIME_US
    lived_us = to_us(tables.patients["dod"])[1] - to_us(tables.patients["dob"])[1]
    assert lived_us == (datetime(2125, 3, 2) - datetime(1825, 1, 1)).days * 86400 * 10**6
    assert "0389" in set(tables.diagnoses_icd["icd9_code"])


def test_a_table_of_two_centuries_is_read_exactly(tmp_path):
    dates = [f"{year}-07-04 01:02:03" for year in range(1800, 2251, 10)]
    people = [(1000 + i, "M", date, "") for i, date in enumerate(dates)]
    tables = read_tables(write_folder(tmp_path, PATIENTS=people + PATIENTS))
    assert to_us(tables.patients["dob"])[: len(dates)].tolist() == [us(date) for date in dates]


def test_ages_are_capped_at_ninety_and_counted_from_birthdays(tmp_path):
    tables = read_tables(write_folder(tmp_path))
    people = patients_at_first_admission(tables).set_index("subject_id")
    assert people.loc[2, "age_years"] == 90
    assert people.loc[2, "age_over_89"]
    assert people["age_over_89"].sum() == 1
    # From the 49th birthday, 2119-05-05, 250 days of a year of 366.
    assert people.loc[1, "age_years"] == pytest.approx(49 + 250 / 366)
    assert people["male"].tolist() == [True, False, False, True]
    assert old_enough(tables, 50).tolist() == [2, 4]
    strangers = ages_at(tables, np.array([1, 999]), np.array([UNKNOWN_TIME_US, us("2120-01-01")]))
    assert np.isnan(strangers).all()


@pytest.mark.parametrize(
    ("born", "at", "age"),
    [
        ("2065-07-02", "2140-07-01 23:59:59", 74 + 365 / 366),
        ("2065-07-02", "2140-07-02 00:00:00", 75),  # 27,393 days: 74.9995 years of 365.2425
        ("2075-03-01", "2140-02-29 12:00:00", 64 + 365 / 366),
        ("2075-03-01", "2140-03-01", 65),
        ("2080-02-29", "2145-02-28", 64 + 365 / 366),  # born on a leap day: a year more from March 1 on
        ("2080-02-29", "2145-03-01", 65),
        ("2080-02-29", "2148-02-29", 68),
        ("2035-12-31", "2100-12-31", 65),  # 2100 is no leap year
        ("2100-01-01", "2100-01-01 10:00:00", 0),
        ("2100-01-02", "2100-01-01", np.nan),  # not born yet
        ("2050-05-05", "2140-05-04", 89 + 365 / 366),
        ("2050-05-05", "2140-05-05", 90),
        ("1840-05-05", "2140-05-05", 90),  # three centuries: withheld
        ("1969-12-31", "2034-12-31", 65),  # before the beginning of time
        ("2065-07-02", "", np.nan),
    ],
)
def test_a_year_more_from_the_birthday_on(born, at, age):
    """What CHA2DS2-VASc and the least age ask: from 65, from 75, from 18."""
    at_us = us(at) if at else UNKNOWN_TIME_US
    np.testing.assert_allclose(age_years(np.array([us(born)]), np.array([at_us])), [age], rtol=0, atol=1e-12)


def test_absent_optional_tables_are_said(tmp_path):
    folder = write_folder(tmp_path)
    for name in ("ICUSTAYS", "PRESCRIPTIONS"):
        (folder / f"{name}.csv").unlink()
    tables = read_tables(folder)
    assert tables.missing == ("ICUSTAYS", "PRESCRIPTIONS", "D_ICD_DIAGNOSES", "CHARTEVENTS")
    assert tables.icustays.empty
    assert tables.icustays["intime"].dtype == np.dtype("datetime64[us]")
    assert any(line.startswith("PRESCRIPTIONS is absent: no medication") for line in tables.notices())
    assert [line for line in tables.notices() if "CHARTEVENTS" in line] == [
        "CHARTEVENTS is absent: no charted rhythm as a label of windows"
    ]


@pytest.mark.parametrize("name", ["PATIENTS", "ADMISSIONS", "DIAGNOSES_ICD"])
def test_an_absent_mandatory_table_is_an_input_error(tmp_path, name):
    (write_folder(tmp_path) / f"{name}.csv").unlink()
    with pytest.raises(InputError, match=rf"no table {name} .*needed for") as caught:
        read_tables(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_absent_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        read_tables(tmp_path / "nowhere")


def test_an_absent_column_is_named_with_its_table_and_purpose(tmp_path):
    folder = write_folder(tmp_path)
    text = (folder / "ADMISSIONS.csv").read_text().replace("dischtime", "left", 1)
    (folder / "ADMISSIONS.csv").write_text(text)
    with pytest.raises(InputError, match=r"ADMISSIONS has no column dischtime, needed for linking a recording"):
        read_tables(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("PATIENTS", "2070-05-05 00:00:00", "fifth of May", "column dob holds a value that is no date or time"),
        ("ADMISSIONS", ",11,", ",eleven,", "column hadm_id holds a value that is no whole number"),
        ("ADMISSIONS", ",URGENT,1", ",URGENT", "a row has more or fewer fields than the header"),
    ],
)
def test_a_wrong_value_is_told_without_repeating_it(tmp_path, name, old, new, message):
    path = write_folder(tmp_path) / f"{name}.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_tables(tmp_path)
    assert message in str(caught.value)
    assert "fifth" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_named_twice_is_refused(tmp_path):
    path = write_folder(tmp_path) / "PATIENTS.csv"
    path.write_text(path.read_text().replace("row_id", "DOB", 1))
    with pytest.raises(InputError, match="has column dob twice"):
        read_tables(tmp_path)


def test_byte_order_mark_line_ends_and_quoted_breaks_do_no_harm(tmp_path):
    plain = read_tables(write_folder(tmp_path / "plain"))
    path = write_folder(tmp_path / "odd") / "ADMISSIONS.csv"
    header, *rows = path.read_text().splitlines()
    text = "\r\n".join([header + ",diagnosis", *(row + ',"two\nlines, one cell"' for row in rows), ""])
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    same(plain, read_tables(tmp_path / "odd"))


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b\x08rest", b"PK\x03\x04", b"\xff\xfe\x00\x01"])
def test_a_damaged_file_is_an_input_error(tmp_path, damage):
    folder = write_folder(tmp_path)
    (folder / "PATIENTS.csv").unlink()
    (folder / "PATIENTS.csv.gz").write_bytes(damage)
    with pytest.raises(InputError, match=r"PATIENTS\.csv\.gz"):
        read_tables(folder)
    (folder / "PATIENTS.csv.gz").unlink()
    (folder / "PATIENTS.parquet").write_bytes(damage)
    with pytest.raises(InputError, match=r"PATIENTS\.parquet"):
        read_tables(folder)


def test_a_table_without_rows_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no usable rows"):
        read_tables(write_folder(tmp_path, DIAGNOSES_ICD=[]))


def test_duplicates_and_orphans_are_left_out_and_counted(tmp_path):
    tables = read_tables(
        write_folder(
            tmp_path,
            PATIENTS=[*PATIENTS, PATIENTS[0]],
            ADMISSIONS=[
                *ADMISSIONS,
                ADMISSIONS[0],
                (9, 91, "2130-01-01", "2130-01-02", "", "EMERGENCY", 0),
                (4, 42, "2151-01-01", "", "", "EMERGENCY", 0),
                (4, 43, "2152-01-02", "2152-01-01", "", "EMERGENCY", ""),
            ],
            DIAGNOSES_ICD=[*DIAGNOSES, (4, 41, 1, ""), (1, 21, 1, "4280"), (9, 91, 1, "4280"), DIAGNOSES[0]],
            ICUSTAYS=[*ICUSTAYS, ("", 11, 105, "carevue", "CCU", "2120-01-10", "")],
        )
    )
    odd = {key: n for key, n in tables.counts.items() if not key.endswith(":rows")}
    assert odd == {
        "patients:duplicates": 1,
        "admissions:duplicates": 1,
        "admissions:orphans": 1,
        "admissions:without_times": 1,
        "admissions:reversed": 1,
        "diagnoses_icd:duplicates": 1,
        "diagnoses_icd:orphans": 2,
        "diagnoses_icd:without_code": 1,
        "icustays:without_id": 1,
    }
    assert len(tables.admissions) == len(ADMISSIONS) + 1
    assert tables.admissions["hospital_expire_flag"].tolist()[-1] == -1
    assert len(tables.diagnoses_icd) == len(DIAGNOSES)
    assert "DIAGNOSES_ICD: 2 rows whose patient or admission is in no table, left out" in tables.notices()


def test_the_demo_tables_are_read_whole(data_dir):
    folder = data_dir / "mimic3-demo-1.4"
    tables = read_tables(folder)
    assert tables.missing == ("CHARTEVENTS",)
    assert not [key for key in tables.counts if not key.endswith(":rows")]

    def rows(name):
        with open(folder / f"{name}.csv", newline="") as f:
            return list(csv.DictReader(f))

    people = {int(r["subject_id"]): r for r in rows("PATIENTS")}
    assert len(people) == len(tables.patients) == 100
    assert len(tables.admissions) == 129
    assert tables.patients["dod"].notna().all()
    for subject, dob, dod in zip(
        tables.patients["subject_id"], to_us(tables.patients["dob"]), to_us(tables.patients["dod"]), strict=True
    ):
        assert (dob, dod) == (us(people[subject]["dob"]), us(people[subject]["dod"]))
    assert sorted(tables.diagnoses_icd["icd9_code"]) == sorted(r["icd9_code"] for r in rows("DIAGNOSES_ICD"))
    assert len(tables.prescriptions) == len(rows("PRESCRIPTIONS"))
    assert patients_at_first_admission(tables)["age_years"].between(15, 90).all()
