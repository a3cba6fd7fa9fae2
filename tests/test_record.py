"""Stretches of records whose segments change, lack files or lie."""

from collections import Counter

import numpy as np
import pytest

from ecgppg.config.errors import DamagedRecord
from ecgppg.config.schema import UNKNOWN_TIME_US
from ecgppg.waveform.record import open_record
from tests.wfdb_records import beats, write_master, write_segment

BOTH = ("ECG", "PPG")


def spans(plan):
    return [(s.start, s.n, tuple(s.specs)) for s in plan.stretches]


def test_record_of_one_segment(tmp_path):
    write_segment(tmp_path / "p00", "r", beats(3000), when="01:02:03.5 04/05/2150")
    plan = open_record(tmp_path, "p00/r", BOTH, BOTH)
    assert (plan.record, plan.fs_hz, plan.n_samples) == ("p00/r", 125.0, 3000)
    assert spans(plan) == [(0, 3000, ("ECG", "PPG"))]
    assert plan.problems == Counter()
    assert plan.start_time_us > 0


def test_record_segments_join_until_something_changes(tmp_path):
    ecg_ppg = beats(1000)
    swapped = dict(reversed(beats(500, 1).items()))
    write_segment(tmp_path, "a", ecg_ppg, when="31:25.894")
    write_segment(tmp_path, "b", swapped)
    write_segment(tmp_path, "c", beats(400, 2), gain="50(0)/mV")
    write_segment(tmp_path, "d", {"V": ecg_ppg["II"][:300], "PLETH": ecg_ppg["PLETH"][:300]})
    write_segment(tmp_path, "e", {"II": ecg_ppg["II"][:200]})
    write_segment(tmp_path, "f", {"II": ecg_ppg["II"][:200]})
    (tmp_path / "r_layout.hea").write_text("r_layout 2 125 0\n~ 0 100/mV 8 0 0 0 0 II\n~ 0 100/NU 8 0 0 0 0 PLETH\n")
    segments = [("a", 1000), ("b", 500), ("c", 400), ("d", 300), ("e", 200), ("~", 10), ("f", 200)]
    write_master(tmp_path, "r", [("r_layout", 0), ("~", 70), *segments])
    plan = open_record(tmp_path, "r", BOTH, ("ECG",))
    # a and b follow each other with the same two signals in another order; every other change begins a stretch.
    assert spans(plan) == [
        (70, 1500, BOTH), (1570, 400, BOTH), (1970, 300, BOTH), (2270, 200, ("ECG",)), (2480, 200, ("ECG",)),
    ]  # fmt: skip
    assert plan.n_samples == 2680
    assert [piece.signals for piece in plan.stretches[0].pieces] == [{"ECG": 0, "PPG": 1}, {"ECG": 1, "PPG": 0}]
    assert plan.problems == Counter()
    needs_both = open_record(tmp_path, "r", BOTH, BOTH)
    assert spans(needs_both) == spans(plan)[:3]
    assert needs_both.problems == Counter(no_required_channels=2)


def test_record_counts_what_is_missing_short_or_wrong(tmp_path):
    for name in "abcdefgh":
        write_segment(tmp_path, name, beats(1000))
    (tmp_path / "b.dat").unlink()
    (tmp_path / "c.hea").unlink()
    whole = (tmp_path / "d.dat").read_bytes()
    (tmp_path / "d.dat").write_bytes(whole[: len(whole) // 2 + 1])
    (tmp_path / "e.hea").write_text("garbage")
    write_segment(tmp_path, "f", beats(1000), fs_hz=250)
    write_segment(tmp_path, "g", beats(1000), n_samples=900)
    write_master(tmp_path, "r", [(name, 1000) for name in "abcdefgh"])
    plan = open_record(tmp_path, "r", BOTH, BOTH)
    assert spans(plan) == [(0, 1000, BOTH), (3000, 500, BOTH), (6000, 900, BOTH), (7000, 1000, BOTH)]
    assert plan.problems == Counter(missing_file=2, short_file=1, bad_header=1, other_rate=1)
    assert plan.n_samples == 8000


def test_record_trusts_the_smaller_count(tmp_path):
    write_segment(tmp_path, "a", beats(1000))
    write_segment(tmp_path, "b", beats(1000))
    write_master(tmp_path, "r", [("a", 600), ("b", 1500)])
    assert spans(open_record(tmp_path, "r", BOTH, BOTH)) == [(0, 1600, BOTH)]


def test_record_files_of_unequal_length(tmp_path):
    codes = beats(1000)
    for name, sig_name, n in (("e", "II", 1000), ("p", "PLETH", 400)):
        (tmp_path / f"{name}.dat").write_bytes(codes[sig_name][:n].astype("<i2").tobytes())
    lines = "e.dat 16 100/mV 16 0 0 0 0 II\np.dat 16 100/NU 16 0 0 0 0 PLETH\n"
    (tmp_path / "r.hea").write_text(f"r 2 125 1000\n{lines}")
    plan = open_record(tmp_path, "r", BOTH, ("ECG",))
    assert spans(plan) == [(0, 400, BOTH), (400, 600, ("ECG",))]
    assert plan.problems == Counter(short_file=1)
    assert spans(open_record(tmp_path, "r", BOTH, BOTH)) == [(0, 400, BOTH)]
    (tmp_path / "p.dat").unlink()
    lacking = open_record(tmp_path, "r", BOTH, ("ECG",))
    assert (spans(lacking), lacking.problems) == ([(0, 1000, ("ECG",))], Counter(missing_file=1))
    assert spans(open_record(tmp_path, "r", BOTH, BOTH)) == []


def test_record_length_from_file_size(tmp_path):
    write_segment(tmp_path, "r", beats(777))
    text = (tmp_path / "r.hea").read_text().replace("r 2 125 777", "r 2 125")
    (tmp_path / "r.hea").write_text(text)
    plan = open_record(tmp_path, "r", BOTH, BOTH)
    assert (plan.n_samples, spans(plan), plan.start_time_us) == (777, [(0, 777, BOTH)], UNKNOWN_TIME_US)


def test_record_absurd_lengths_allocate_nothing(tmp_path):
    write_segment(tmp_path, "a", beats(1000), n_samples=9_000_000_000)
    write_master(tmp_path, "r", [("a", 9_000_000_000), ("gone", 90_000_000_000)])
    plan = open_record(tmp_path, "r", BOTH, BOTH)
    assert spans(plan) == [(0, 1000, BOTH)]
    assert plan.problems == Counter(short_file=1, missing_file=1)


def test_record_too_slow_for_a_waveform(tmp_path):
    write_segment(tmp_path, "r", beats(1000), fs_hz=1)
    plan = open_record(tmp_path, "r", BOTH, BOTH)
    assert (spans(plan), plan.problems) == ([], Counter(other_rate=1))


def test_record_outside_the_folder(tmp_path):
    (tmp_path / "root").mkdir()
    write_segment(tmp_path / "elsewhere", "r", beats(100))
    for record in ("../elsewhere/r", "a/../../elsewhere/r", "/etc/passwd", str(tmp_path / "elsewhere" / "r"), "a\0/r"):
        with pytest.raises(DamagedRecord, match="path_outside_folder"):
            open_record(tmp_path / "root", record, BOTH, BOTH)


def test_record_in_a_linked_folder(tmp_path):
    (tmp_path / "root").mkdir()
    write_segment(tmp_path / "other_disk", "r", beats(1300))
    (tmp_path / "root" / "p00").symlink_to(tmp_path / "other_disk")
    assert spans(open_record(tmp_path / "root", "p00/r", BOTH, BOTH)) == [(0, 1300, BOTH)]


def test_record_segment_with_segments(tmp_path):
    write_segment(tmp_path, "a", beats(100))
    write_master(tmp_path, "inner", [("a", 100)])
    write_master(tmp_path, "r", [("inner", 100), ("a", 100)])
    plan = open_record(tmp_path, "r", BOTH, BOTH)
    assert (spans(plan), plan.problems) == ([(100, 100, BOTH)], Counter(bad_header=1))


def test_record_real_masters(data_dir):
    matched = data_dir / "mimic3wdb-samples" / "mimic3wdb-matched"
    plan = open_record(matched, "p00/p000878/p000878-2137-10-26-16-57", BOTH, BOTH)
    assert spans(plan) == [(5750, 1750, BOTH)]
    assert plan.n_samples == 52725000
    assert plan.problems == Counter(missing_file=30, no_required_channels=1)
    plan = open_record(matched, "p00/p000020/p000020-2183-04-28-17-47", BOTH, ("ECG",))
    assert sum(s.n for s in plan.stretches) == 3811 + 124 + 8 + 380 + 15000 + 30000
    assert plan.problems == Counter(missing_file=2)
    old = data_dir / "mimic3wdb-samples" / "mimic2wdb-matched"
    plan = open_record(old, "s25047/s25047-2704-05-04-10-44", BOTH, ("ECG",))
    assert np.datetime64(plan.start_time_us, "us") == np.datetime64("2704-05-04T10:44:18.529")
    assert plan.problems == Counter()
