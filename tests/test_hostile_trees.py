"""Folders and names that lead astray: links in a circle, out of the folder, names that no file can have."""

from pathlib import Path

import pytest

from ecgppg.config.settings import Settings
from ecgppg.sources.find import find_patients
from ecgppg.waveform.patient import read_patient
from tests.watched_files import little_memory, unopened
from tests.wfdb_records import beats, write_master, write_segment

N = 125 * 35
RECORD = "p00/p000001/p000001-2100-01-01-00-00"


def settings(root: Path, source: str) -> Settings:
    return Settings(
        waveforms_dir=str(root), source=source, channels=["ECG", "PPG"], required_channels=["ECG"],
        min_segments_per_patient=1,
    )  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    write_segment(root / "p00/p000001", "a", beats(N))
    write_master(root / "p00/p000001", RECORD.rpartition("/")[2], [("a", N)])
    return root


@pytest.mark.parametrize("source", ["mimic3", "wfdb"])
def test_links_in_a_circle_stop_nothing(tree: Path, source: str) -> None:
    (tree / "p01").symlink_to(tree / "p01")
    (tree / "p02").symlink_to(tree / "p03")
    (tree / "p03").symlink_to(tree / "p02")
    (tree / "p04").symlink_to(tree)
    (tree / "p00/p000002").symlink_to(tree / "p00/p000002")
    (tree / "p00/p000003").symlink_to("nowhere")
    (tree / "p00/p000001/up").symlink_to("..")
    found = find_patients(settings(tree, source))
    assert [p.records for p in found if p.records] == [(RECORD,)]


@pytest.mark.parametrize("source", ["mimic3", "wfdb"])
def test_a_list_in_a_circle_or_of_impossible_names(tree: Path, source: str) -> None:
    (tree / "RECORDS-waveforms").symlink_to("RECORDS-waveforms")
    listed = [RECORD, "../up", "/etc/passwd", "p00/p000001/\0", "p00/../../p000009/x", "x" * 4000, "p00/p000001/../a"]
    (tree / "RECORDS").write_text("\n".join(listed) + "\n")
    found = find_patients(settings(tree, source))
    assert RECORD in [record for p in found for record in p.records]
    assert not any(".." in record or record.startswith("/") for p in found for record in p.records)


@pytest.mark.parametrize(
    "name", ["../../secret", "../../../secret", "{absolute}", "link", "sub/../../../secret", "x\0y"]
)
def test_segments_named_elsewhere_are_not_read(tree: Path, name: str) -> None:
    folder = tree / "p00/p000001"
    for place in (tree, tree.parent):
        write_segment(place, "secret", beats(N, seed=9))
    secrets = [tree / "secret.dat", tree / "secret.hea", tree.parent / "secret.dat", tree.parent / "secret.hea"]
    (folder / "link.hea").symlink_to(tree.parent / "secret.hea")
    (folder / "link.dat").symlink_to(tree.parent / "secret.dat")
    (folder / "sub").mkdir()
    named = name.replace("{absolute}", str(tree.parent / "secret"))
    write_master(folder, "r", [("a", N), (named, N)])
    (folder / "s.hea").write_text((folder / "a.hea").read_text().replace("a.dat", f"{named}.dat"))
    with unopened(secrets[0]), unopened(secrets[1]), unopened(secrets[2]), unopened(secrets[3]):
        master = read_patient(tree, "p", 1, ["p00/p000001/r"], settings(tree, "mimic3"))
        segment = read_patient(tree, "p", 1, ["p00/p000001/s"], settings(tree, "mimic3"))
    assert master.counts["record:path_outside_folder"] == 1
    assert master.counts["windows_candidate"] == 3
    assert segment.counts["record:path_outside_folder"] == 1
    assert segment.counts["windows_kept"] == 0
    assert all(line.isprintable() and "path_outside_folder" in line for line in segment.damages)


@pytest.mark.parametrize(
    ("record_line", "signal", "reason"),
    [
        ("r 1 -125 4375", "a.dat 16 100/mV 16 0 0 0 0 II", "implausible_value"),
        ("r 1 1e12 4375", "a.dat 16 100/mV 16 0 0 0 0 II", "implausible_value"),
        ("r 1 125 9000000000", "a.dat 16 100/mV 16 0 0 0 0 II", "short_file"),
        ("r 1 125 9e9", "a.dat 16 100/mV 16 0 0 0 0 II", "bad_header"),
        ("r/1 1 125 4375", "r 4375", "implausible_value"),
        ("r/2 1 125 18000000000", "a 9000000000\nb 9000000000", "missing_file"),
        ("r/1000000 1 125 4375", "a 4375\n" * 1_000_000, "implausible_value"),
        ("r 1 125 90000000000", "a.dat 8 100/mV 16 0 0 0 0 II", "short_file"),
        ("r 1 125 90000000000", "a.dat 516 100/mV 16 0 0 0 0 II", "short_file"),
    ],
)
def test_values_that_cannot_be_take_no_memory(tree: Path, record_line: str, signal: str, reason: str) -> None:
    folder = tree / "p00/p000001"
    (folder / "r.hea").write_text(f"{record_line}\n{signal}\n")
    read_patient(tree, "p", 1, [RECORD], settings(tree, "mimic3"))
    with little_memory(300 * 2**20):
        windows = read_patient(tree, "p", 1, ["p00/p000001/r"], settings(tree, "mimic3"))
    assert windows.counts[f"record:{reason}"] >= 1
    assert any(reason in line for line in windows.damages)


def test_a_gain_of_nought_is_uncalibrated_and_read(tree: Path) -> None:
    header = tree / "p00/p000001/a.hea"
    header.write_text(header.read_text().replace("100(0)/mV", "0/mV"))
    windows = read_patient(tree, "p", 1, [RECORD], settings(tree, "mimic3"))
    assert windows.counts["windows_kept"] == 3
    assert (windows.columns["gain"] == 200).all()
