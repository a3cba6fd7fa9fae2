"""Windows cut from a filtered span: the right samples, at the right time, whatever the rates."""

import itertools

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from ecgppg.config.schema import UNKNOWN_TIME_US
from ecgppg.config.settings import Settings
from ecgppg.waveform.plan import Run, plan_patient
from ecgppg.waveform.reader import MISSING
from ecgppg.waveform.record import open_record
from ecgppg.waveform.windows import read_run
from tests.wfdb_records import beats, write_master, write_segment

SETTINGS = Settings()
BOTH = ("ECG", "PPG")


def open_both(folder, required=BOTH):
    return open_record(folder, "r", BOTH, required)


def test_windows_are_cut_from_the_filtered_span(tmp_path):
    codes = beats(1250 * 20)
    write_segment(tmp_path, "r", codes, when="10:00:00 01/02/2150")
    record = open_both(tmp_path)
    windows = read_run(record, Run(0, 0, 6, 6), SETTINGS)
    assert windows.filtered_NCT.shape == (6, 2, 1250)
    assert windows.filtered_NCT.dtype == np.float32
    assert windows.start_sample_N.tolist() == [1250 * k for k in range(6, 12)]
    assert np.diff(windows.start_time_us_N).tolist() == [10_000_000] * 5
    assert windows.start_time_us_N[0] == record.start_time_us + 60_000_000
    for c, (channel, name, band) in enumerate((("ECG", "II", (0.5, 40)), ("PPG", "PLETH", (0.3, 8)))):
        np.testing.assert_array_equal(windows.blocks[channel].codes_NT.ravel(), codes[name][7500:15000])
        np.testing.assert_allclose(windows.blocks[channel].raw_NT.ravel(), codes[name][7500:15000] / 100, rtol=1e-6)
        # The whole recording filtered at once is the truth; five seconds of context come close to it.
        whole = sosfiltfilt(butter(2, band, "bandpass", fs=125, output="sos"), codes[name] / 100)[7500:15000]
        # Largest at the first and last sample of the run, where the slow edge of the band still rings.
        error = np.abs(windows.filtered_NCT[:, c].ravel() - whole)
        assert error.max() < 0.05 * whole.std()
        assert np.median(error) < 1e-3 * whole.std()


def test_windows_across_segments_are_those_of_one_file(tmp_path):
    codes = beats(1250 * 9)
    write_segment(tmp_path / "one", "r", codes)
    cuts = [0, 1300, 4444, 4450, 1250 * 9]
    for i, (start, stop) in enumerate(itertools.pairwise(cuts)):
        part = {name: values[start:stop] for name, values in codes.items()}
        write_segment(tmp_path / "many", f"s{i}", dict(reversed(part.items())) if i % 2 else part)
    write_master(tmp_path / "many", "r", [(f"s{i}", b - a) for i, (a, b) in enumerate(itertools.pairwise(cuts))])
    one, many = open_both(tmp_path / "one"), open_both(tmp_path / "many")
    assert len(many.stretches) == 1
    for run in plan_patient([one], SETTINGS).runs:
        a, b = read_run(one, run, SETTINGS), read_run(many, run, SETTINGS)
        np.testing.assert_array_equal(a.filtered_NCT, b.filtered_NCT)
        np.testing.assert_array_equal(a.blocks["ECG"].codes_NT, b.blocks["ECG"].codes_NT)


def test_windows_context_stops_at_the_stretch(tmp_path):
    codes = beats(1250 * 6)
    write_segment(tmp_path, "a", codes)
    write_segment(tmp_path, "b", {name: np.full(5000, 3000) for name in codes})
    write_master(tmp_path, "with_b", [("a", 7500), ("~", 1), ("b", 5000)])
    write_master(tmp_path, "without", [("a", 7500)])
    run = Run(0, 0, 0, 6)
    both = (open_record(tmp_path, name, BOTH, BOTH) for name in ("with_b", "without"))
    a, b = (read_run(record, run, SETTINGS).filtered_NCT for record in both)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("fs_hz", [100.0, 250.0, 300.0, 500.0, 249.89, 62.4725])
def test_windows_of_any_rate_keep_time(tmp_path, fs_hz):
    n = int(95 * fs_hz)
    t = np.arange(n) / fs_hz
    tone = np.rint(1000 * np.sin(2 * np.pi * 3.0 * t)).astype(np.int64)
    write_segment(tmp_path, "r", {"II": tone, "PLETH": tone})
    text = (tmp_path / "r.hea").read_text().replace(" 125 ", f" {fs_hz:.6f} ")
    (tmp_path / "r.hea").write_text(text)
    record = open_both(tmp_path)
    plan = plan_patient([record], SETTINGS)
    assert plan.n_candidates == 9
    for run in plan.runs:
        windows = read_run(record, run, SETTINGS)
        for row, start in zip(windows.filtered_NCT, windows.start_sample_N, strict=True):
            expected = 10 * np.sin(2 * np.pi * 3.0 * (start / fs_hz + np.arange(1250) / 125))
            # A window begins within half a sample of its time; a ratio of rates that is rounded to a fraction of
            # small numbers (249.89 -> 125 Hz is 1/2) shifts its end by less than another half.
            inner = slice(125, -125)
            shift_s = (0.5 if fs_hz % 10 == 0 else 1.0) / 125
            assert np.abs(row[0, inner] - expected[inner]).max() < 10 * 2 * np.pi * 3.0 * shift_s + 0.1


def test_windows_ecg_faster_than_ppg(tmp_path):
    n = 1250 * 3
    t_ecg, t_ppg = np.arange(4 * n) / 500, np.arange(n) / 125
    ecg = np.rint(100 * np.sin(2 * np.pi * 5 * t_ecg)).astype("<i2").reshape(n, 4)
    ppg = np.rint(100 * np.sin(2 * np.pi * 2 * t_ppg)).astype("<i2").reshape(n, 1)
    (tmp_path / "r.dat").write_bytes(np.hstack([ecg, ppg]).tobytes())
    lines = "r.dat 16x4 100/mV 16 0 0 0 0 II\nr.dat 16 100/NU 16 0 0 0 0 PLETH\n"
    (tmp_path / "r.hea").write_text(f"r 2 125 {n}\n{lines}")
    windows = read_run(open_both(tmp_path), Run(0, 0, 0, 3), SETTINGS)
    assert (windows.blocks["ECG"].fs_hz, windows.blocks["PPG"].fs_hz) == (500.0, 125.0)
    assert windows.blocks["ECG"].codes_NT.shape == (3, 5000)
    middle = windows.filtered_NCT[1]
    t = 10 + np.arange(1250) / 125
    np.testing.assert_allclose(middle[0], np.sin(2 * np.pi * 5 * t), atol=0.03)
    np.testing.assert_allclose(middle[1], np.sin(2 * np.pi * 2 * t), atol=0.03)


def test_windows_absent_channel_is_zero(tmp_path):
    for name in ("II", "PLETH"):
        write_segment(tmp_path / name, "r", {name: beats(1250 * 2)[name]})
    ecg = read_run(open_both(tmp_path / "II", ("ECG",)), Run(0, 0, 0, 2), SETTINGS)
    ppg = read_run(open_both(tmp_path / "PLETH", ("PPG",)), Run(0, 0, 0, 2), SETTINGS)
    assert (set(ecg.blocks), set(ppg.blocks)) == ({"ECG"}, {"PPG"})
    assert not ecg.filtered_NCT[:, 1].any()
    assert ecg.filtered_NCT[:, 0].any()
    assert not ppg.filtered_NCT[:, 0].any()
    assert ecg.start_time_us_N.tolist() == [UNKNOWN_TIME_US] * 2


def test_windows_missing_samples(tmp_path):
    codes = beats(1250 * 3)
    codes["II"][1250 + 500 : 1250 + 700] = -32768
    write_segment(tmp_path, "r", codes)
    windows = read_run(open_both(tmp_path), Run(0, 0, 0, 3), SETTINGS)
    ecg = windows.blocks["ECG"]
    assert (ecg.codes_NT == MISSING).sum(axis=1).tolist() == [0, 200, 0]
    assert np.isnan(ecg.raw_NT).sum(axis=1).tolist() == [0, 200, 0]
    assert np.isfinite(windows.filtered_NCT).all()
    assert not windows.filtered_NCT[1, 0, 500:700].any()


@pytest.mark.parametrize(
    ("resolution", "zero", "top", "expected"),
    [(16, 0, 900, (-32767, 32767)), (0, 0, 900, (-32767, 32767)), (11, 0, 900, (-1024, 1023)),
     (12, 2048, 4000, (0, 4095)), (11, 0, 2000, (-32767, 32767))],
)  # fmt: skip
def test_windows_code_limits(tmp_path, resolution, zero, top, expected):
    codes = np.tile(np.arange(0, top), 5)[:2500]
    write_segment(tmp_path, "r", {"II": codes, "PLETH": codes})
    text = (tmp_path / "r.hea").read_text().replace("16 0 0 0 0", f"{resolution} {zero} 0 0 0")
    (tmp_path / "r.hea").write_text(text)
    windows = read_run(open_both(tmp_path), Run(0, 0, 0, 1), SETTINGS)
    assert windows.blocks["ECG"].code_limits.tolist() == [list(expected)]
