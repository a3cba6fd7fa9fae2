"""The matched layout: lists, folders and trees of the kinds that are met."""

from pathlib import Path

import pytest

from ecgppg.config.errors import ConfigError, InputError
from ecgppg.config.settings import Settings
from ecgppg.sources.find import find_patients

RECORD = "p000020-2183-04-28-17-47"
OTHER = "p000878-2137-10-26-16-57"


def make_tree(root: Path) -> None:
    """Two patients with masters, numerics, layouts and segments."""
    for folder, record, segment in (("p00/p000020", RECORD, "3544749"), ("p00/p000878", OTHER, "3269321")):
        for name in (record, f"{record}n", f"{segment}_layout", f"{segment}_0001"):
            path = root / folder / f"{name}.hea"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} 1 125 1250\n")


def found(root: Path, **settings: object) -> dict[int, tuple[tuple[str, ...], tuple[str, ...]]]:
    patients = find_patients(Settings(waveforms_dir=str(root), **settings))
    return {p.subject_id: (p.records, p.missing) for p in patients}


BOTH = {20: ((f"p00/p000020/{RECORD}",), ()), 878: ((f"p00/p000878/{OTHER}",), ())}


def test_tree_without_lists_is_walked_and_holds_masters_only(tmp_path: Path) -> None:
    make_tree(tmp_path)
    assert found(tmp_path) == BOTH
    assert [p.subject for p in find_patients(Settings(waveforms_dir=str(tmp_path)))] == ["p000020", "p000878"]


@pytest.mark.parametrize("name", ["RECORDS", "RECORDS-waveforms", "RECORDS-waveform"])
@pytest.mark.parametrize(
    "lines",
    [
        [f"p00/p000020/{RECORD}", f"p00/p000020/{RECORD}n", f"p00/p000878/{OTHER}"],
        ["p00/p000020/", "p00/p000878/"],
        ["p00/p000020", "p00/p000878"],
        ["p00/"],
        ["p00/p000020/3544749_0001", "p00/p000020/3544749_layout", f"p00/p000020/{RECORD}", "p00/p000878/"],
        ["p00/p000020/3544749_0001"],
    ],
    ids=["records", "folders", "folders without slash", "groups", "segments too", "segments only"],
)
def test_every_kind_of_list_gives_the_same_patients(tmp_path: Path, name: str, lines: list[str]) -> None:
    make_tree(tmp_path)
    (tmp_path / name).write_text("\n".join([*lines, "", "# a comment"]) + "\n")
    assert found(tmp_path) == BOTH


def test_a_list_rules_over_the_tree_and_names_what_is_missing(tmp_path: Path) -> None:
    make_tree(tmp_path)
    lost = "p00/p000020/p000020-2190-01-01-00-00"
    (tmp_path / "RECORDS-waveforms").write_text(f"p00/p000020/{RECORD}\n{lost}\np01/p010000/\n")
    assert found(tmp_path) == {20: ((f"p00/p000020/{RECORD}",), (lost,)), 10000: ((), ("p01/p010000",))}


def test_a_list_in_a_patients_folder(tmp_path: Path) -> None:
    make_tree(tmp_path)
    (tmp_path / "p00/p000020/RECORDS").write_text(f"{RECORD}\n{RECORD}n\n3544749_0001\np000020-2190-01-01-00-00\n")
    assert found(tmp_path)[20] == ((f"p00/p000020/{RECORD}",), ("p00/p000020/p000020-2190-01-01-00-00",))


def test_entries_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    make_tree(tmp_path)
    (tmp_path / "RECORDS").write_text(f"p00/p000020/\n../p00/p000020/{RECORD}\n/etc/passwd\np00/../../x\n")
    (patient,) = find_patients(Settings(waveforms_dir=str(tmp_path)))
    assert patient.records == (f"p00/p000020/{RECORD}",)
    assert patient.refused == (f"../p00/p000020/{RECORD}",)


def test_the_folder_above_the_tree_serves_too(tmp_path: Path) -> None:
    make_tree(tmp_path / "mimic3wdb-matched")
    (tmp_path / "mimic3wdb-matched" / "RECORDS").write_text("p00/p000020/\np00/p000878/\n")
    assert list(found(tmp_path)) == [20, 878]
    assert found(tmp_path)[20][0] == (f"mimic3wdb-matched/p00/p000020/{RECORD}",)
    make_tree(tmp_path / "copy")
    with pytest.raises(InputError, match="several matched trees"):
        found(tmp_path)


def test_patients_file_chooses_by_name_or_number(tmp_path: Path) -> None:
    make_tree(tmp_path)
    chosen = tmp_path / "chosen.txt"
    for line in ("p000878", "878", "000878"):
        chosen.write_text(f"# wanted\n{line}\n")
        assert list(found(tmp_path, patients_file=str(chosen))) == [878]
    chosen.write_text("p000878\np000999\nx\n")
    with pytest.raises(InputError, match=r"p000999 is not in"):
        found(tmp_path, patients_file=str(chosen))
    chosen.write_text("\n")
    with pytest.raises(InputError, match="names no patient"):
        found(tmp_path, patients_file=str(chosen))


def test_bad_folders_and_settings_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        found(tmp_path / "absent")
    with pytest.raises(InputError, match=r"no patients found.*--source wfdb"):
        found(tmp_path)
    with pytest.raises(ConfigError, match="waveforms_dir"):
        find_patients(Settings())
    make_tree(tmp_path)
    with pytest.raises(ConfigError, match="records_csv"):
        found(tmp_path, records_csv="x.csv")


def test_real_matched_samples(data_dir: Path) -> None:
    samples = found(data_dir / "mimic3wdb-samples" / "mimic3wdb-matched")
    assert samples == BOTH
    assert list(found(data_dir / "mimic3wdb-samples")) == [20, 878]
