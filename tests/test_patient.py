"""A patient's windows: everything counted, nothing raised, the same rows whatever was asked before."""

from pathlib import Path

import numpy as np
import pytest

from ecgppg.config.schema import READ_REASONS, SEGMENT_COLUMNS, WINDOW_REASONS
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import segment_id
from ecgppg.waveform.beats import Rhythm
from ecgppg.waveform.patient import PatientWindows, read_patient
from ecgppg.waveform.quality import Quality
from tests.wfdb_records import beats, write_master, write_segment

BAD_CODE = 7777
"""Planted as the first code of a window that the stand-in for the quality checks is to drop."""


def planted_assess(blocks, settings, describe_dropped):
    """Drops windows by their first code alone, so that these tests do not depend on quality limits."""
    bad_N = np.any([block.codes_NT[:, 0] == BAD_CODE for block in blocks], axis=0)
    n = len(bad_N)
    nothing = Rhythm(np.full(n, 72, np.float32), np.full(n, 0.1, np.float32), np.full(n, 12, np.int16))
    flags = np.full(n, len(blocks), dtype=np.uint16)
    lag_N = np.full(n, 0.5, np.float32)
    return Quality(~bad_N, np.where(bad_N, "noise", ""), flags, np.ones(n, np.float32), nothing, lag_N)


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.setattr("ecgppg.waveform.verdict.assess", planted_assess)


def read(root: Path, records: list[str], **settings) -> PatientWindows:
    return read_patient(root, "p1", 1, records, Settings(source="wfdb", **settings))


def assert_consistent(windows: PatientWindows) -> None:
    counts = windows.counts
    n = len(windows.filtered_NCT)
    dropped = sum(n for key, n in counts.items() if key.startswith("window:"))
    assert counts["windows_kept"] == n
    assert counts["windows_judged"] == n + dropped
    assert counts["windows_candidate"] == counts["windows_judged"] + counts["windows_over_limit"]
    assert {key[7:] for key in counts if key.startswith("record:")} <= set(READ_REASONS)
    assert {key[7:] for key in counts if key.startswith("window:")} <= set(WINDOW_REASONS)
    assert list(windows.columns) == [column.name for column in SEGMENT_COLUMNS]
    for column in SEGMENT_COLUMNS:
        values = windows.columns[column.name]
        assert values.shape == ((n, windows.filtered_NCT.shape[1]) if column.per_channel else (n,))
        assert values.dtype == (object if column.dtype == "str" else np.dtype(column.dtype))
    order = list(zip(windows.columns["record"], windows.columns["start_sample"], strict=True))
    assert order == sorted(order)
    assert len(set(windows.columns["segment_id"].tolist())) == n
    assert np.isfinite(windows.filtered_NCT).all()


def test_patient_reads_everything(tmp_path, planted):
    codes = beats(1250 * 10 + 77)
    codes["II"][1250 * 4] = BAD_CODE
    write_segment(tmp_path, "b", codes, when="10:00:00 01/02/2150")
    write_segment(tmp_path / "sub", "a", beats(1250 * 3, 1), fs_hz=125, gain="-50(0)/mV")
    windows = read(tmp_path, ["sub/a", "b"])
    assert_consistent(windows)
    assert windows.counts == {
        "records": 2, "records_read": 2, "windows_candidate": 13, "windows_judged": 13, "windows_kept": 12,
        "window:noise": 1,
    }  # fmt: skip
    assert windows.columns["record"].tolist() == ["b"] * 9 + ["sub/a"] * 3
    assert windows.columns["start_sample"][:5].tolist() == [0, 1250, 2500, 3750, 6250]
    assert windows.columns["segment_id"][1] == segment_id("wfdb", "b", 1250)
    np.testing.assert_allclose(windows.source_step_NC[[0, -1]], [[0.01, 0.01], [0.02, 0.02]])
    np.testing.assert_allclose(windows.columns["gain"][[0, -1]], [[100, 100], [-50, -50]])
    assert set(windows.columns["ecg_lead"]) == {"II"}
    assert windows.columns["start_time_us"][9] == -(2**63)
    assert windows.columns["start_time_us"][1] - windows.columns["start_time_us"][0] == 10_000_000


def test_patient_stops_when_enough_have_passed(tmp_path, planted):
    codes = beats(1250 * 60)
    codes["PLETH"][1250 * np.arange(0, 60, 4)] = BAD_CODE
    write_segment(tmp_path, "r", codes)
    everything = read(tmp_path, ["r"], max_segments_per_patient=None)
    assert everything.counts["windows_kept"] == 45
    before: set[int] = set()
    for limit in (1, 7, 20, 44, 45, 46):
        windows = read(tmp_path, ["r"], max_segments_per_patient=limit)
        assert_consistent(windows)
        assert windows.counts["windows_kept"] == min(limit, 45)
        kept = set(windows.columns["segment_id"].tolist())
        assert before <= kept
        before = kept
        rows = np.flatnonzero(np.isin(everything.columns["segment_id"], list(kept)))
        np.testing.assert_array_equal(everything.filtered_NCT[rows], windows.filtered_NCT)
    few = read(tmp_path, ["r"], max_segments_per_patient=20)
    thirds = np.bincount(few.columns["start_sample"] // (1250 * 20), minlength=3)
    assert thirds.min() >= 3


def test_patient_optional_channel_absent_or_bad(tmp_path, planted):
    codes = beats(1250 * 4)
    codes["PLETH"][1250] = BAD_CODE
    codes["II"][2500] = BAD_CODE
    write_segment(tmp_path, "a", codes)
    write_segment(tmp_path, "b", {"V": beats(1250 * 2)["II"]})
    windows = read(tmp_path, ["a", "b"], required_channels=["ECG"])
    assert_consistent(windows)
    assert windows.counts["window:noise"] == 1
    assert windows.columns["start_sample"].tolist() == [0, 1250, 3750, 0, 1250]
    assert windows.columns["ecg_lead"].tolist() == ["II"] * 3 + ["V"] * 2
    ppg_present = np.array([True, False, True, False, False])
    np.testing.assert_array_equal(windows.columns["gain"][:, 1] > 0, ppg_present)
    np.testing.assert_array_equal(windows.columns["fs_hz"][:, 1] > 0, ppg_present)
    np.testing.assert_array_equal(windows.source_step_NC[:, 1] > 0, ppg_present)
    np.testing.assert_array_equal(windows.filtered_NCT[:, 1].any(axis=1), ppg_present)
    assert (windows.source_step_NC[:, 0] > 0).all()
    assert windows.columns["flags"].tolist() == [2, 1, 2, 1, 1]


def test_patient_ppg_alone(tmp_path, planted):
    write_segment(tmp_path, "r", {"Pleth": beats(1250 * 2)["PLETH"]})
    windows = read(tmp_path, ["r"], required_channels=["PPG"])
    assert_consistent(windows)
    assert windows.columns["ecg_lead"].tolist() == ["", ""]
    assert not windows.filtered_NCT[:, 0].any()
    only = read(tmp_path, ["r"], channels=["PPG"], required_channels=["PPG"])
    assert_consistent(only)
    np.testing.assert_array_equal(only.filtered_NCT[:, 0], windows.filtered_NCT[:, 1])


def test_patient_loses_only_what_is_damaged(tmp_path, planted):
    write_segment(tmp_path, "good", beats(1250 * 2))
    write_segment(tmp_path, "short", beats(1300))
    write_segment(tmp_path, "tiny", beats(4))
    write_segment(tmp_path, "numerics", {"HR": np.arange(5000)})
    (tmp_path / "bad.hea").write_text("bad 1 -125 9\nbad.dat 16\n")
    (tmp_path / "self.hea").write_text("self/1 1 125 9\nself 9\n")
    (tmp_path / "out.hea").write_text("out 1 125 9\n../good.dat 16 200 16 0 0 0 0 II\n")
    (tmp_path / "odd.hea").write_text("odd 2 125 2500\nodd.dat 99 200 16 0 0 0 0 II\nodd.dat 99 200 16 0 0 0 0 PLETH\n")
    (tmp_path / "odd.dat").write_bytes(bytes(2500 * 2))
    (tmp_path / "short.dat").write_bytes((tmp_path / "short.dat").read_bytes()[:4000])
    records = ["good", "short", "tiny", "numerics", "bad", "self", "out", "odd", "gone"]
    windows = read(tmp_path, records)
    assert_consistent(windows)
    assert windows.counts == {
        "records": 9, "records_read": 5, "windows_candidate": 4, "windows_judged": 4, "windows_kept": 2,
        "window:unreadable": 2, "record:unsupported_format": 1, "record:short_file": 1, "record:too_short": 2,
        "record:no_required_channels": 1, "record:implausible_value": 2, "record:path_outside_folder": 1,
        "record:missing_file": 1,
    }  # fmt: skip


def test_patient_without_anything(tmp_path, planted):
    windows = read(tmp_path, [])
    assert_consistent(windows)
    assert windows.filtered_NCT.shape == (0, 2, 1250)
    assert windows.columns["gain"].shape == (0, 2)


def test_patient_record_cut_anywhere_never_raises(tmp_path, planted):
    rng = np.random.default_rng(0)
    write_segment(tmp_path, "s", beats(1250 * 2))
    write_master(tmp_path, "r", [("s", 2500), ("~", 5), ("s", 2500)])
    for name in ("r.hea", "s.hea", "s.dat"):
        whole = (tmp_path / name).read_bytes()
        for _ in range(40):
            damaged = bytearray(whole[: rng.integers(0, len(whole) + 1)])
            for position in rng.integers(0, max(len(damaged), 1), 3):
                if position < len(damaged):
                    damaged[position] = rng.integers(0, 256)
            (tmp_path / name).write_bytes(bytes(damaged))
            assert_consistent(read(tmp_path, ["r", "s"]))
        (tmp_path / name).write_bytes(whole)


def test_patient_matched_samples_have_one_window_of_both_channels(data_dir):
    root = data_dir / "mimic3wdb-samples" / "mimic3wdb-matched"
    records = ["p00/p000020/p000020-2183-04-28-17-47", "p00/p000878/p000878-2137-10-26-16-57"]
    windows = read(root, records)
    assert_consistent(windows)
    assert windows.counts["windows_candidate"] == windows.counts["windows_kept"] == 1
    assert windows.columns["record"].tolist() == records[1:]
    assert windows.columns["start_sample"].tolist() == [6250]
    assert str(np.datetime64(int(windows.columns["start_time_us"][0]), "us")) == "2137-10-26T16:57:59.000000"
    ecg = read(root, records, required_channels=["ECG"])
    assert_consistent(ecg)
    assert ecg.counts["windows_candidate"] == 38
    assert ecg.counts["record:missing_file"] == windows.counts["record:missing_file"] == 32


def test_patient_bidmc_is_mostly_kept(data_dir):
    records = [path.stem for path in sorted((data_dir / "bidmc").glob("*.hea"))[::6]]
    windows = read(data_dir / "bidmc", records, max_segments_per_patient=None)
    assert_consistent(windows)
    assert windows.counts["windows_kept"] >= 0.9 * windows.counts["windows_candidate"] == 0.9 * 48 * len(records)
    assert np.nanmedian(windows.columns["heart_rate_bpm"]) > 50
