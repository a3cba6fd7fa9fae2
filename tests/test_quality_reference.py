"""The batched quality checks beside slow references of each, on 2,000 real windows and on made ones.

A check and its reference may differ by the rounding of float32. Where a check decides (is this a beat, is this flat) a
window counts as undecided if a change of a ten-thousandth of a percent of its greatest value changes the reference's
own answer: nothing is asked of the check there, and few windows may be so.
"""

from pathlib import Path

import numpy as np
import pytest

from ecgppg.waveform.beats import Beats, detect_beats, rhythm
from ecgppg.waveform.filters import zero_phase
from ecgppg.waveform.regularity import template_correlation
from tests import beats_reference, quality_windows
from tests import measured as checks
from tests import quality_reference as reference
from tests.quality_windows import FS_HZ, Windows

BAND_HZ = {"ECG": (0.5, 40.0), "PPG": (0.3, 8.0)}
BEAT_S = {"ECG": (0.2, 0.3), "PPG": (0.3, 0.4)}
UNDECIDED_SHARE = 0.01
UNDERFLOW = 1e-36
"""Squares under this are lost in float32: what a filter's decay leaves of a constant code."""


@pytest.fixture(scope="module", params=["made", "real"])
def groups(request: pytest.FixtureRequest) -> list[Windows]:
    if request.param == "made":
        return quality_windows.made_windows()
    n, groups = quality_windows.real_windows(request.getfixturevalue("data_dir"))
    assert n >= 2000
    return groups


@pytest.fixture(scope="module")
def found(groups: list[Windows]) -> list[Beats]:
    return [detect_beats(w.filtered_NT, FS_HZ, w.method) for w in groups]


def rows(check, values_NT: np.ndarray, *args) -> np.ndarray:
    return np.array([check(row_T, *args) for row_T in values_NT])


def test_missing_constant_and_step(groups: list[Windows]) -> None:
    for w in groups:
        np.testing.assert_allclose(checks.missing_share(w.codes_NT), rows(reference.missing_share, w.codes_NT))
        expected = rows(reference.longest_constant_s, w.codes_NT, w.fs_hz)
        np.testing.assert_allclose(checks.longest_constant_s(w.codes_NT, w.fs_hz), expected)
        np.testing.assert_array_equal(checks.code_step(w.codes_NT), rows(reference.code_step, w.codes_NT))


def test_clipped(groups: list[Windows]) -> None:
    seen = 0
    for w in groups:
        # Few recordings reach what their format can hold: every other window is given half of its range.
        halved_N1 = 1 + np.arange(len(w.codes_NT))[:, None] % 2
        limits_N2 = np.ascontiguousarray(w.limits_N2 // halved_N1)
        expected = np.array(
            [
                reference.clipped(codes_T, w.fs_hz, limits)
                for codes_T, limits in zip(w.codes_NT, limits_N2.tolist(), strict=True)
            ]
        )
        for ours_N, expected_N in zip(checks.clipped(w.codes_NT, w.fs_hz, limits_N2), expected.T, strict=True):
            np.testing.assert_allclose(ours_N, expected_N)
        seen += (expected[:, 0] > 0).sum()
    assert seen >= 20


def test_noise_power(groups: list[Windows]) -> None:
    for w in groups:
        # Within its band in a filtered ECG, over all frequencies in an unfiltered pulse.
        x_NT, band_hz = (w.filtered_NT, BAND_HZ["ECG"]) if w.kind == "ECG" else (w.raw_NT, None)
        x_NT = np.nan_to_num(x_NT)
        expected = rows(reference.noise_power, x_NT, FS_HZ, band_hz)
        # A second difference of float32 is as good as the signal's last bit allows.
        last_bit = (np.abs(x_NT).max(axis=1) * 2e-7) ** 2
        error_N = np.abs(checks.noise_power(x_NT, FS_HZ, band_hz) - expected)
        assert (error_N <= 3e-3 * expected + 1e-2 * np.sqrt(expected * last_bit) + 10 * last_bit + UNDERFLOW).all()


def test_height_steadiness_and_implausible_share(groups: list[Windows]) -> None:
    for w in groups:
        x_NT = np.nan_to_num(w.filtered_NT)
        expected = rows(reference.typical_height, x_NT, FS_HZ)
        np.testing.assert_allclose(checks.typical_height(x_NT, FS_HZ), expected, rtol=1e-6)
        live_NT = x_NT[np.square(x_NT).max(axis=1) > UNDERFLOW]
        expected = rows(reference.steadiness, live_NT, FS_HZ, w.kind)
        np.testing.assert_allclose(checks.steadiness(live_NT, FS_HZ, w.kind), expected, rtol=1e-4)
        # Of uncalibrated recordings the values have no unit; in units of their own height some windows exceed ten.
        for mv_NT in (x_NT, 8 * x_NT / np.maximum(checks.typical_height(x_NT, FS_HZ)[:, None], 1e-6)):
            expected = rows(reference.implausible_share, mv_NT)
            np.testing.assert_allclose(checks.implausible_share(mv_NT), expected, rtol=1e-6)


def test_longest_flat(groups: list[Windows]) -> None:
    n_flat = 0
    for w in groups:
        x_NT = np.nan_to_num(w.filtered_NT)
        floor_N = np.where(np.arange(len(x_NT)) % 2, 0.05, 0.15) * np.median(np.abs(x_NT).max(axis=1))
        ours_N = checks.longest_flat_s(x_NT, FS_HZ, floor_N)
        for x_T, floor, ours in zip(x_NT, floor_N.tolist(), ours_N.tolist(), strict=True):
            scale = 1e-6 * np.abs(x_T).max()
            less, more = (reference.longest_flat_s(x_T, FS_HZ, floor * k - s) for k, s in ((1, scale), (1, -scale)))
            expected = reference.longest_flat_s(x_T, FS_HZ, floor)
            assert ours == pytest.approx(expected) or less <= ours <= more
            n_flat += ours >= 3.0
    assert n_flat >= 5


def test_beats(groups: list[Windows], found: list[Beats]) -> None:
    n = n_apart = n_undecided = 0
    for w, beats in zip(groups, found, strict=True):
        for i, x_T in enumerate(w.filtered_NT):
            n += 1
            expected = beats_reference.detect_beats(x_T, FS_HZ, w.method)
            if beats.of(i).tolist() == expected:
                continue
            if _undecided(x_T, w.method, expected):
                n_undecided += 1
            else:
                n_apart += 1
    assert n_apart == 0
    assert n_undecided <= UNDECIDED_SHARE * n


def _undecided(x_T: np.ndarray, method: str, expected: list[int]) -> bool:
    rng = np.random.default_rng(0)
    tiny = 1e-6 * np.nanmax(np.abs(x_T), initial=0)
    nudged = (x_T + tiny * rng.standard_normal(len(x_T)) for _ in range(10))
    return any(beats_reference.detect_beats(near_T, FS_HZ, method) != expected for near_T in nudged)


def test_beats_are_padded_alike(groups: list[Windows], found: list[Beats]) -> None:
    for w, beats in zip(groups, found, strict=True):
        assert len(beats.position_NB) == len(beats.count_N) == len(w.filtered_NT)
        assert beats.position_NB.dtype == np.int32
        assert beats.count_N.dtype == np.int16
        is_beat_NB = np.arange(beats.position_NB.shape[1]) < beats.count_N[:, None]
        assert (beats.position_NB[~is_beat_NB] == -1).all()
        assert (beats.position_NB[is_beat_NB] >= 0).all()


def test_rhythm(groups: list[Windows], found: list[Beats]) -> None:
    for beats in found:
        ours = rhythm(beats, FS_HZ)
        expected = np.array([beats_reference.rhythm(beats.of(i).tolist(), FS_HZ) for i in range(len(beats.count_N))])
        np.testing.assert_allclose(ours.heart_rate_bpm_N, expected[:, 0], rtol=1e-5)
        np.testing.assert_allclose(ours.rr_cv_N, expected[:, 1], rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(ours.n_beats_N, expected[:, 2])


def test_template_correlation(groups: list[Windows], found: list[Beats]) -> None:
    for w, beats in zip(groups, found, strict=True):
        x_NT = np.nan_to_num(w.filtered_NT)
        ours_N = template_correlation(x_NT, beats, FS_HZ, *BEAT_S[w.kind])
        expected = [
            reference.template_correlation(x_T, beats.of(i).tolist(), FS_HZ, *BEAT_S[w.kind])
            for i, x_T in enumerate(x_NT)
        ]
        np.testing.assert_allclose(ours_N, expected, atol=2e-4)


def test_filter(groups: list[Windows]) -> None:
    """The windows of a run end to end are a span of a minute; every third is given gaps, short and long."""
    for w in groups:
        n = len(w.raw_NT) // 6 * 6
        spans = w.raw_NT[:n].reshape(-1, 6 * w.raw_NT.shape[1])
        for k, x_T in enumerate([*spans, *w.raw_NT[n:]]):
            x_T = x_T.copy()
            if k % 3 == 0:
                x_T[100:105], x_T[300:312], x_T[500:520], x_T[-3:], x_T[700:704:2] = (np.nan,) * 5
            expected = reference.zero_phase(x_T, *BAND_HZ[w.kind], FS_HZ)
            ours = zero_phase(x_T, *BAND_HZ[w.kind], FS_HZ)
            assert ours.dtype == np.float32
            scale = np.nanmax(np.abs(x_T), initial=1e-6)
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6 * scale)


def test_filter_is_that_of_neurokit(groups: list[Windows]) -> None:
    import neurokit2 as nk

    for w in groups:
        for x_T in w.raw_NT[np.isfinite(w.raw_NT).all(axis=1)][:20].astype(np.float64):
            low_hz, high_hz = BAND_HZ[w.kind]
            expected = nk.signal_filter(x_T, FS_HZ, low_hz, high_hz, method="butterworth", order=2)
            scale = np.abs(x_T).max() + 1e-6
            np.testing.assert_allclose(zero_phase(x_T, low_hz, high_hz, FS_HZ), expected, atol=1e-6 * scale)


def test_rates_are_those_of_neurokit_on_most_recordings(data_dir: Path) -> None:
    """A bound from outside: neurokit2's own detector is no truth, but it knows nothing of ours."""
    from ecgppg.evaluation.neurokit_rates import neurokit_rate_bpm

    _, groups = quality_windows.real_windows(data_dir)
    near = []
    for w in groups:
        if w.kind == "ECG":
            x_NT = np.nan_to_num(w.filtered_NT[:60])
            ours_N = rhythm(detect_beats(x_NT, FS_HZ), FS_HZ).heart_rate_bpm_N
            judge_N = rows(neurokit_rate_bpm, x_NT, FS_HZ)
            near.append(np.abs(ours_N - judge_N)[np.isfinite(judge_N)] <= 5)
    assert np.concatenate(near).mean() >= 0.85
