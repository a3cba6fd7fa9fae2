"""Filters beside scipy, and their gaps."""

import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfiltfilt, sosfreqz

from ecgppg.waveform.filters import band_pass, bridge, finite_stretches, resample, zero_phase
from ecgppg.waveform.zero_phase import forward_backward

FS_HZ = 125.0


def noise(*shape):
    return np.random.default_rng(1).standard_normal(shape)


@pytest.mark.parametrize(("low_hz", "high_hz"), [(0.5, 40.0), (0.3, 8.0)])
def test_gapless_equals_scipy(low_hz, high_hz):
    x = noise(2, 3, 4000)
    sos = butter(2, [low_hz, high_hz], btype="bandpass", fs=FS_HZ, output="sos")
    y = zero_phase(x, low_hz, high_hz, FS_HZ)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, sosfiltfilt(sos, x, axis=-1), atol=1e-6)


@pytest.mark.parametrize("n_sections", [1, 2, 3])
@pytest.mark.parametrize("n_rows", [2, 16])
def test_any_number_of_sections_equals_scipy(n_sections, n_rows):
    sos = butter(n_sections, [0.5, 30.0], btype="bandpass", fs=FS_HZ, output="sos")
    x = noise(n_rows, 1000)
    y = np.empty(x.shape, np.float32)
    forward_backward(sos, x, 3 * (2 * n_sections + 1), y)
    np.testing.assert_allclose(y, sosfiltfilt(sos, x, axis=-1), atol=1e-6)


def test_input_is_left_alone():
    x = noise(500)
    x[100:103] = np.nan
    before = x.copy()
    zero_phase(x, 0.5, 40.0, FS_HZ)
    resample(x, 125, 300)
    np.testing.assert_array_equal(x, before)


def test_restarts_at_gaps():
    x = noise(2000)
    x[900:1100] = np.nan
    y = zero_phase(x, 0.5, 40.0, FS_HZ)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    np.testing.assert_array_equal(y[:900], zero_phase(x[:900], 0.5, 40.0, FS_HZ))
    np.testing.assert_array_equal(y[1100:], zero_phase(x[1100:], 0.5, 40.0, FS_HZ))


def test_short_gaps_are_bridged_by_a_line():
    x = np.cumsum(noise(2000))
    gapped = x.copy()
    gapped[500:512] = np.nan
    line = x.copy()
    line[499:513] = np.linspace(x[499], x[512], 14)
    np.testing.assert_allclose(zero_phase(gapped, 0.5, 40, FS_HZ), zero_phase(line, 0.5, 40, FS_HZ), atol=1e-5)


def test_gaps_at_the_ends_and_whole_rows_stay():
    x = noise(3, 600)
    x[0, :4], x[1, -4:], x[2] = np.nan, np.nan, np.nan
    np.testing.assert_array_equal(np.isnan(zero_phase(x, 0.5, 40.0, FS_HZ)), np.isnan(x))


def test_stretches_of_any_length():
    for n in range(1, 40):
        x = np.full(n + 40, np.nan)
        x[20 : 20 + n] = noise(n)
        assert np.isfinite(zero_phase(x, 0.5, 40.0, FS_HZ)[20 : 20 + n]).all()
    assert zero_phase(np.zeros((2, 0)), 0.5, 40.0, FS_HZ).shape == (2, 0)


def test_design_is_made_once():
    assert band_pass(0.5, 40.0, 125.0) is band_pass(0.5, 40.0, 125.0)


@pytest.mark.parametrize("band", [(0.0, 40.0), (40.0, 0.5), (0.5, 62.5)])
def test_impossible_band(band):
    with pytest.raises(ValueError, match="Hz"):
        zero_phase(noise(100), *band, FS_HZ)


def test_resample_equals_scipy():
    x = noise(2, 3001)
    np.testing.assert_allclose(resample(x, 300, 125), resample_poly(x, 5, 12, axis=-1, padtype="line"), atol=1e-6)


@pytest.mark.parametrize(("fs_in_hz", "n"), [(125, 1250), (250, 1250), (300, 1251), (360, 1251), (62.4725, 2502)])
def test_resample_length_and_time(fs_in_hz, n):
    """Three thousandths under ten seconds more or less; a slow sine is where it was."""
    n_in = round(10 * fs_in_hz) + (2 if fs_in_hz in (300, 360) else 0)
    n_in = 1250 if fs_in_hz == 62.4725 else n_in
    slow = np.sin(2 * np.pi * 1.1 * np.arange(n_in) / fs_in_hz)
    y = resample(slow, fs_in_hz, 125)
    assert len(y) == n
    middle = slice(100, -100)
    np.testing.assert_allclose(y[middle], np.sin(2 * np.pi * 1.1 * np.arange(n) / 125)[middle], atol=2e-3)


def test_equal_rates_change_nothing():
    x = noise(100).astype(np.float32)
    x[3] = np.nan
    np.testing.assert_array_equal(resample(x, 125, 125), x)


def test_resampled_gaps_stay_gaps():
    x = 5 + 0.1 * noise(1, 3000)
    x[0, 1000:1300], x[0, :30] = np.nan, np.nan
    y = resample(x, 300, 125)[0]
    time_s = np.arange(len(y)) / 125
    inside = (time_s > 999 / 300 + 1e-9) & (time_s < 1300 / 300 - 1e-9) | (time_s < 30 / 300 - 1e-9)
    np.testing.assert_array_equal(np.isnan(y), inside)
    assert np.abs(y[~inside] - 5).max() < 0.5
    assert np.isnan(resample(np.full(300, np.nan), 300, 125)).all()


def test_finite_stretches_and_bridges_by_hand():
    x = np.array([np.nan, 1, np.nan, 3, np.nan, np.nan, np.nan, 7])
    missing = np.isnan(x)
    assert finite_stretches(missing).tolist() == [[1, 2], [3, 4], [7, 8]]
    np.testing.assert_array_equal(bridge(x, missing, 1), [np.nan, 1, 2, 3, np.nan, np.nan, np.nan, 7])
    np.testing.assert_array_equal(bridge(x, missing, 3, ends=True), [1, 1, 2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize(
    ("low_hz", "high_hz", "fs_hz"), [(0.5, 40, 125), (0.3, 8, 125), (0.05, 100, 500), (20, 30, 100), (0.5, 62, 125)]
)
def test_band_pass_is_that_of_scipy(low_hz, high_hz, fs_hz):
    reference = butter(2, [low_hz, high_hz], btype="bandpass", fs=fs_hz, output="sos")
    _, expected = sosfreqz(reference, 2000, fs=fs_hz)
    _, response = sosfreqz(band_pass(low_hz, high_hz, fs_hz), 2000, fs=fs_hz)
    np.testing.assert_allclose(response, expected, atol=1e-9)
