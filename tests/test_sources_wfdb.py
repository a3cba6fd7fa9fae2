"""Any WFDB folder: lists, masters and their segments, tables of subjects and labels."""

from pathlib import Path

import pytest

from ecgppg.config.errors import InputError
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import subject_id_of
from ecgppg.sources.find import Patient, find_patients
from ecgppg.sources.sidecar import read_sidecar


def put(root: Path, *names: str, text: str | None = None) -> None:
    for name in names:
        path = root / f"{name}.hea"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or f"{path.stem} 1 125 1250\n")


def find(root: Path, **settings: object) -> dict[str, Patient]:
    patients = find_patients(Settings(source="wfdb", waveforms_dir=str(root), **settings))
    assert [p.subject_id for p in patients] == sorted(p.subject_id for p in patients)
    return {p.subject: p for p in patients}


def test_without_list_or_table_every_header_is_its_own_subject(tmp_path: Path) -> None:
    put(tmp_path, "a", "100", "deep/er/b")
    patients = find(tmp_path)
    assert {p.records for p in patients.values()} == {("a",), ("100",), ("deep/er/b",)}
    # A record called 100 is not patient 100.
    assert patients["100"].subject_id == subject_id_of("100")


def test_segments_of_a_master_are_not_records(tmp_path: Path) -> None:
    put(tmp_path, "m", text="m/4 1 125 3000\nm_layout 0\n~ 500\nm_1 1250\nm_2 1250\n# note\n")
    put(tmp_path, "m_layout", "m_1", "m_2", "other", "s25047-2704-05-04-10-44n")
    assert set(find(tmp_path)) == {"m", "other"}
    (tmp_path / "RECORDS").write_text("m\nm_1\nm_2\nm_3\nother\n")
    patients = find(tmp_path)
    assert {r for p in patients.values() for r in p.records} == {"m", "other"}
    assert patients["m_3"].missing == ("m_3",)


def test_lists_may_nest_and_name_folders(tmp_path: Path) -> None:
    put(tmp_path, "waves/p1/x", "waves/p2/y", "waves/p2/unlisted", "waves/p3/z")
    (tmp_path / "waves/p2/RECORDS").write_text("y.hea\n")
    assert {r for p in find(tmp_path).values() for r in p.records} == {"waves/p1/x", "waves/p2/y", "waves/p3/z"}
    (tmp_path / "RECORDS").write_text("waves/p1/x\nwaves/p2/\n./\n")
    assert {r for p in find(tmp_path).values() for r in p.records} == {"waves/p1/x", "waves/p2/y"}


def test_paths_that_leave_the_folder_are_refused_and_kept_for_counting(tmp_path: Path) -> None:
    put(tmp_path, "in/a", "secret")
    (tmp_path / "in/RECORDS").write_text("a\n../secret\n/etc/hosts\nb/../../secret\n")
    patients = find(tmp_path / "in")
    assert {r for p in patients.values() for r in p.records} == {"a"}
    assert {r for p in patients.values() for r in p.refused} == {"../secret", "/etc/hosts", "b/../../secret"}


def test_table_beside_the_records_gives_subjects_and_labels(tmp_path: Path) -> None:
    put(tmp_path, "a", "b", "c", "alone")
    (tmp_path / "RECORDS").write_text("a\nb\nc\nalone\n")
    (tmp_path / "subjects.csv").write_text(
        "Record,Patient_ID,age,Sex\na,17,90+,F\nb,17.0,90+,F\nc,s08,44,\ngone,17,90+,F\n"
    )
    patients = find(tmp_path)
    assert patients["17"].records == ("a", "b")
    assert patients["17"].missing == ("gone",)
    assert patients["17"].subject_id == 17
    assert patients["17"].labels["b"] == {"label_age": "90+", "label_sex": "F"}
    assert patients["s08"].subject_id == subject_id_of("s08")
    assert patients["s08"].labels["c"] == {"label_age": "44", "label_sex": ""}
    assert patients["alone"].labels["alone"] == {}


def test_table_one_level_up_and_two_columns_without_header(tmp_path: Path) -> None:
    put(tmp_path, "training/A1", "training/A2")
    (tmp_path / "training/RECORDS").write_text("A1\nA2\n")
    (tmp_path / "records.csv").write_text("A1,N\nA2,A\nA3,~\n")
    for root, prefix in ((tmp_path, "training/"), (tmp_path / "training", "")):
        patients = find(root)
        assert patients[f"{prefix}A1"].labels == {f"{prefix}A1": {"label_records": "N"}}
        assert patients["A3"].missing == ("A3",)


def test_named_table_is_used_and_must_serve(tmp_path: Path) -> None:
    put(tmp_path, "w/r1", "w/r2")
    table = tmp_path / "REFERENCE.csv"
    table.write_text("\ufeffr1.mat,A\nw/r2,N\n", encoding="utf-8")
    patients = find(tmp_path / "w", records_csv=str(table))
    assert [p.labels[p.records[0]]["label_reference"] for p in (patients["r1"], patients["r2"])] == ["A", "N"]
    for text, message in (("", "is empty"), ("x,y,z\n1,2,3\n", "no column named"), ("a\n", "no column named")):
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            find(tmp_path / "w", records_csv=str(table))
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a readable"):
        find(tmp_path / "w", records_csv=str(table))
    with pytest.raises(InputError, match="no such file"):
        find(tmp_path / "w", records_csv="absent.csv")


def test_each_table_speaks_of_its_own_folder(tmp_path: Path) -> None:
    put(tmp_path, "one/r", "two/r")
    for folder in ("one", "two"):
        (tmp_path / folder / "RECORDS").write_text("r\n")
        (tmp_path / folder / "records.csv").write_text(f"record,subject,rhythm\nr,{folder},{folder}-rhythm\n")
    patients = find(tmp_path)
    assert patients["one"].labels == {"one/r": {"label_rhythm": "one-rhythm"}}
    assert patients["two"].labels == {"two/r": {"label_rhythm": "two-rhythm"}}


def test_table_of_subjects_alone_labels_their_records(tmp_path: Path) -> None:
    put(tmp_path, "a", "b")
    (tmp_path / "records.csv").write_text("record,subject,rhythm\na,s1,AF\nb,s1,N\n")
    (tmp_path / "subjects.csv").write_text("subject,sex\ns1,F\n")
    assert find(tmp_path)["s1"].labels == {
        "a": {"label_rhythm": "AF", "label_sex": "F"},
        "b": {"label_rhythm": "N", "label_sex": "F"},
    }


def test_identifiers_and_free_text_are_not_labels(tmp_path: Path) -> None:
    rows = [f"r{i},{i},{i % 60},{i % 3},note {i}" for i in range(120)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["record,subject,weight,class/kind,report", *rows]))
    sidecar = read_sidecar(table)
    assert sidecar.labels["r4"] == {"label_class_kind": "1"}
    table.write_text("record,id\n" + "".join(f"r{i},x{i}\n" for i in range(30)))
    assert read_sidecar(table).labels["r0"] == {}


def test_empty_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no RECORDS file and no \.hea"):
        find(tmp_path)


def test_patients_file_goes_by_subject(tmp_path: Path) -> None:
    put(tmp_path, "a", "b")
    (tmp_path / "only.txt").write_text("b\n")
    assert list(find(tmp_path, patients_file=str(tmp_path / "only.txt"))) == ["b"]


@pytest.mark.parametrize(
    ("folder", "table", "n_subjects", "n_records", "label"),
    [
        ("bidmc", None, 33, 37, "label_gender"),
        ("challenge2015", None, 36, 36, "label_alarm"),
        ("challenge2015/training", None, 36, 36, "label_alarm"),
        ("cinc2017", "cinc2017/REFERENCE.csv", 400, 400, "label_reference"),
        ("ptbxl-fold10", "ptbxl-fold10/labels_subset.csv", 230, 244, "label_rhythm"),
        ("mimic4wdb-samples/waves", None, 1, 1, None),
        ("mimic3wdb-samples", None, 9, 9, None),
    ],
)
def test_real_folders(
    data_dir: Path, folder: str, table: str | None, n_subjects: int, n_records: int, label: str | None
) -> None:
    settings = {"records_csv": str(data_dir / table)} if table else {}
    patients = find(data_dir / folder, **settings).values()
    with_records = [p for p in patients if p.records]
    assert (len(with_records), sum(len(p.records) for p in with_records)) == (n_subjects, n_records)
    assert all((data_dir / folder / f"{r}.hea").is_file() for p in with_records for r in p.records)
    if label:
        assert all(p.labels[r][label] for p in with_records for r in p.records)
