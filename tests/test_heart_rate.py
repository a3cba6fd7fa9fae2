"""neurokit2 as judge of heart rates: of windows, of whole recordings, upside down, and as a panel."""

import numpy as np
import pytest
import wfdb

from ecgppg.config.errors import InputError
from ecgppg.evaluation.neurokit_rates import (
    Judge,
    agreed_rate_bpm,
    median_rate_bpm,
    neurokit_beats,
    read_recording,
    recording_rates_bpm,
)

FS_HZ = 250.0


def recording(rate_bpm: float, seconds: float = 40.0) -> np.ndarray:
    """Beats as regular as a clock, (T,) mV."""
    t = np.arange(round(seconds * FS_HZ)) / FS_HZ
    lag_s = (t + 0.3) % (60 / rate_bpm) - 0.3
    qrs = np.exp(-0.5 * (lag_s / 0.011) ** 2) - 0.2 * np.exp(-0.5 * ((lag_s - 0.03) / 0.011) ** 2)
    return qrs + 0.2 * np.exp(-0.5 * ((lag_s - 0.25) / 0.045) ** 2)


def test_rates_of_windows_of_a_whole_recording():
    x = np.concatenate([recording(60), recording(96)])
    start_N = np.array([0, 5000, 10000, 15000])
    rates = recording_rates_bpm(x, FS_HZ, start_N, 10.0, Judge("kalidas2017"))
    np.testing.assert_allclose(rates, [60, 60, 96, 96], atol=1)


def test_upright_judge_hears_an_inverted_recording_as_the_upright_one():
    x = recording(75)
    upright, inverted = (neurokit_beats(sign * x, FS_HZ, Judge(upright=True)) for sign in (1, -1))
    assert upright.tolist() == inverted.tolist()
    assert median_rate_bpm(upright, FS_HZ) == pytest.approx(75, abs=1)


def test_panel_needs_four_of_one_mind():
    assert agreed_rate_bpm(np.array([70, 71, 69, 72, 140])) == 71
    assert np.isnan(agreed_rate_bpm(np.array([70, 71, 69, 130, 140])))
    assert np.isnan(agreed_rate_bpm(np.array([70, 71, 69, np.nan, np.nan])))
    assert np.isnan(agreed_rate_bpm(np.full(5, np.nan)))


def test_silence_has_no_rate():
    assert np.isnan(median_rate_bpm(neurokit_beats(np.zeros(1250), 125.0, Judge()), 125.0))


def test_recording_is_read_by_lead_and_gaps_are_bridged(tmp_path):
    x = np.stack([recording(60), recording(96)], axis=1)
    x[1000:1100, 1] = np.nan
    wfdb.wrsamp("r1", FS_HZ, ["mV", "mV"], ["V", "II"], x, fmt=["16", "16"], write_dir=str(tmp_path))
    ecg_T, fs_hz = read_recording(tmp_path, "r1", "II")
    assert fs_hz == FS_HZ
    assert np.isfinite(ecg_T).all()
    np.testing.assert_allclose(ecg_T[2000:], x[2000:, 1], atol=1e-3)
    with pytest.raises(InputError, match="has no lead III"):
        read_recording(tmp_path, "r1", "III")
    with pytest.raises(InputError, match="r2: not a readable WFDB record"):
        read_recording(tmp_path, "r2", "II")
