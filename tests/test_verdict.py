"""Judging runs in blocks changes no verdict."""

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.waveform.plan import plan_patient
from ecgppg.waveform.record import open_record
from ecgppg.waveform.verdict import judge
from ecgppg.waveform.windows import read_run
from tests.wfdb_records import beats, write_segment

SETTINGS = Settings(required_channels=["ECG"])


def runs_of(tmp_path):
    rng = np.random.default_rng(0)
    windows = []
    for i in range(4):
        codes = beats(1250 * 14, seed=i)
        codes["II"][3000:5000] += rng.normal(0, 150, 2000).astype(int)
        codes["PLETH"][9000:12000] = 17
        codes["II"][12500:12900] = -32768
        if i == 3:
            del codes["PLETH"]
        write_segment(tmp_path, f"r{i}", codes, fs_hz=250 if i == 2 else 125)
        record = open_record(tmp_path, f"r{i}", ("ECG", "PPG"), ("ECG",))
        windows += [read_run(record, run, SETTINGS) for run in plan_patient([record], SETTINGS).runs]
    return windows


def test_verdict_is_the_same_in_any_company(tmp_path):
    runs = runs_of(tmp_path)
    together = judge(runs, SETTINGS)
    assert len(together) == len(runs)
    assert any(not verdict.keep_N.all() for verdict in together)
    assert any(verdict.keep_N.any() for verdict in together)
    for windows, verdict in zip(runs, together, strict=True):
        (alone,) = judge([windows], SETTINGS)
        for name, values in vars(alone).items():
            np.testing.assert_array_equal(getattr(verdict, name), values, err_msg=name)


def test_verdict_optional_channel_that_fails_is_left_out(tmp_path):
    runs = runs_of(tmp_path)
    strict = Settings(required_channels=["ECG", "PPG"])
    lenient = [v for w, v in zip(runs, judge(runs, SETTINGS), strict=True) if len(w.blocks) == 2]
    dropped = judge([w for w in runs if len(w.blocks) == 2], strict)
    left_out = np.concatenate([v.keep_N & ~v.present_NC[:, 1] for v in lenient])
    constant = np.concatenate([v.reason_N == "constant" for v in dropped])
    assert constant.sum() >= 2
    np.testing.assert_array_equal(left_out[constant], True)


def test_verdict_of_nothing():
    assert judge([], SETTINGS) == []
