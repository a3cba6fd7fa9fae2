"""Beats beside planted truth, and rates beside neurokit2 on real recordings."""

import numpy as np
import pytest

from ecgppg.waveform.beats import Beats, detect_beats, rhythm
from ecgppg.waveform.filters import resample, zero_phase
from tests.planted_beats import FS_HZ, af_times, count_beats, ecg_of, f1, ppg_of, sinus_times, with_noise

RATES_BPM = (40, 60, 80, 110, 150, 200)


def ecg_filter(x):
    return zero_phase(x, 0.5, 40.0, FS_HZ)


def score(windows: list[np.ndarray], times: list[np.ndarray]) -> float:
    beats = detect_beats(ecg_filter(np.stack(windows)), FS_HZ)
    return f1(sum(count_beats(beats.of(k) / FS_HZ, t) for k, t in enumerate(times)))


def ectopic_times(rng):
    """Every fourth beat a ventricular one, early and with a pause after it."""
    times_s = sinus_times(70, rng)
    ectopic = np.arange(len(times_s)) % 4 == 2
    times_s[ectopic] -= 0.3
    return times_s, ectopic


def planted(kind: str, n: int = 20):
    rng = np.random.default_rng(7)
    windows, times = [], []
    for i in range(n):
        if kind == "ectopic":
            t, wide = ectopic_times(rng)
            x = ecg_of(t, ectopic=wide)
        elif kind == "af":
            t = af_times(rng.uniform(70, 130), rng)
            f_waves = 0.06 * np.sin(2 * np.pi * 6.1 * np.arange(1250) / FS_HZ + rng.uniform(0, 6))
            x = ecg_of(t, p_wave=0) + f_waves
        else:
            t = sinus_times(RATES_BPM[i % len(RATES_BPM)], rng)
            x = ecg_of(t, t_wave=0.6 if kind == "tall_t" else 0.25)
        if kind == "noise_10db":
            x = with_noise(x, 10, rng)
        if kind == "inverted":
            x = -x
        if kind == "tiny":
            x = 0.1 * x
        if kind == "eight_bits":
            x = np.round(26 * x) / 26
        if kind == "clipped":
            x = np.clip(x, -0.1, 0.5)
        if kind == "wander":
            x = x + 1.5 * np.sin(2 * np.pi * 0.2 * np.arange(1250) / FS_HZ + i)
        windows.append(x)
        times.append(t)
    return windows, times


KINDS = ("sinus", "af", "ectopic", "noise_10db", "inverted", "tiny", "eight_bits", "clipped", "wander", "tall_t")


@pytest.mark.parametrize("kind", KINDS)
def test_planted_beats_are_found(kind):
    assert score(*planted(kind)) >= 0.99


def test_t_waves_taller_than_their_beats_are_none():
    """As steep as the QRS before them, but not as sharp."""
    rng = np.random.default_rng(2)
    times = [sinus_times(rate, rng) for rate in (45, 60, 75, 90) for _ in range(5)]
    windows = [with_noise(ecg_of(t, t_wave=2.0), 20, rng) for t in times]
    beats = detect_beats(ecg_filter(np.stack(windows)), FS_HZ)
    rates_bpm = rhythm(beats, FS_HZ).heart_rate_bpm_N
    assert np.abs(rates_bpm - np.repeat([45, 60, 75, 90], 5)).max() <= 5
    assert score(windows, times) >= 0.99


@pytest.mark.parametrize("kind", ["af", "ectopic"])
def test_irregular_beats_are_found_in_noise(kind):
    rng = np.random.default_rng(3)
    windows, times = planted(kind)
    assert score([with_noise(x, 10, rng) for x in windows], times) >= 0.99


def test_beat_is_the_r_peak():
    times_s = np.arange(0.5, 9.6, 0.8)
    for sign in (1, -1):
        beats = detect_beats(ecg_filter(sign * ecg_of(times_s))[None], FS_HZ)
        assert np.abs(beats.of(0) / FS_HZ - times_s).max() <= 1 / FS_HZ


def test_windows_do_not_touch_each_other():
    windows, _ = planted("noise_10db")
    x_NT = ecg_filter(np.stack(windows))
    together = detect_beats(x_NT, FS_HZ)
    for k in range(len(x_NT)):
        assert detect_beats(x_NT[k : k + 1], FS_HZ).of(0).tolist() == together.of(k).tolist()


def test_amplitude_does_not_matter():
    x_NT = ecg_filter(np.stack(planted("af")[0]))
    a, b = detect_beats(x_NT, FS_HZ), detect_beats(4096 * x_NT, FS_HZ)
    assert np.array_equal(a.position_NB, b.position_NB)


def test_silence_and_gaps_hold_no_beats():
    x_NT = np.zeros((3, 1250), np.float32)
    x_NT[1] = np.nan
    x_NT[2] = ecg_filter(ecg_of(sinus_times(75, np.random.default_rng(0))))
    x_NT[2, 400:700] = np.nan
    beats = detect_beats(x_NT, FS_HZ)
    assert beats.count_N[:2].tolist() == [0, 0]
    assert beats.count_N[2] >= 7
    assert not ((beats.of(2) > 400) & (beats.of(2) < 700)).any()


def test_no_windows():
    beats = detect_beats(np.zeros((0, 1250), np.float32), FS_HZ)
    assert len(beats.count_N) == 0
    assert len(rhythm(beats, FS_HZ).heart_rate_bpm_N) == 0


def test_pause_is_not_filled():
    """Six seconds without a beat, with the noise of a live recorder: nothing is found in them."""
    rng = np.random.default_rng(5)
    times_s = np.array([0.6, 1.4, 2.2, 8.3, 9.1])
    x_NT = np.stack([ecg_filter(ecg_of(times_s) + 0.01 * rng.standard_normal(1250)) for _ in range(10)])
    assert (detect_beats(x_NT, FS_HZ).count_N == len(times_s)).all()


def test_pulses_are_found():
    rng = np.random.default_rng(11)
    times = [sinus_times(rate, rng) for rate in RATES_BPM[:-1] for _ in range(4)] + [
        af_times(90, rng) for _ in range(4)
    ]
    x_NT = zero_phase(np.stack([with_noise(ppg_of(t), 15, rng) for t in times]), 0.3, 8.0, FS_HZ)
    beats = detect_beats(x_NT, FS_HZ, kind="ppg")
    assert f1(sum(count_beats(beats.of(k) / FS_HZ, t + 0.25) for k, t in enumerate(times))) >= 0.99


def test_rhythm_by_hand():
    position_NB = np.array([[0, 100, 200, 300, 425], [10, 135, -1, -1, -1], [-1, -1, -1, -1, -1]], dtype=np.int32)
    found = rhythm(Beats(position_NB, np.array([5, 2, 0], np.int16)), 125.0)
    rr_s = np.array([0.8, 0.8, 0.8, 1.0])
    assert found.heart_rate_bpm_N[0] == pytest.approx(75)
    assert found.rr_cv_N[0] == pytest.approx(rr_s.std() / rr_s.mean())
    assert np.isnan(found.heart_rate_bpm_N[1:]).all()
    assert np.isnan(found.rr_cv_N[1:]).all()
    assert found.n_beats_N.tolist() == [5, 2, 0]
    assert found.heart_rate_bpm_N.dtype == np.float32


def test_bidmc_rates_agree_with_neurokit(data_dir):
    """Two windows in every recording; all of them give 99.5 %."""
    from ecgppg.evaluation.neurokit_rates import neurokit_rate_bpm

    ours, judge = [], []
    for raw in bidmc_leads(data_dir):
        ecg_NT = ecg_filter(raw)[: 48 * 1250].reshape(48, 1250)[10:40:20]
        ours += rhythm(detect_beats(ecg_NT, FS_HZ), FS_HZ).heart_rate_bpm_N.tolist()
        judge += [neurokit_rate_bpm(x, FS_HZ) for x in raw[: 48 * 1250].reshape(48, 1250)[10:40:20]]
    assert (np.abs(np.array(ours) - judge) <= 5).mean() >= 0.98


def bidmc_leads(data_dir):
    import wfdb

    for header in sorted((data_dir / "bidmc").glob("*.hea")):
        record = wfdb.rdrecord(str(header.with_suffix("")))
        yield record.p_signal[:, [name.strip(",") for name in record.sig_name].index("II")]


@pytest.mark.slow
def test_cinc_rates_agree_with_clear_panels(data_dir):
    """Where neurokit2's detectors are of one mind we are with them, in AF as in sinus rhythm."""
    import csv

    import wfdb

    from ecgppg.evaluation.neurokit_rates import panel_rate_bpm

    folder = data_dir / "cinc2017"
    for label in "AN":
        ours, panel = [], []
        for name in [n for n, kind in csv.reader((folder / "REFERENCE.csv").open()) if kind == label]:
            raw = resample(wfdb.rdrecord(str(folder / "training2017" / name)).p_signal[:, 0], 300, FS_HZ)
            n = len(raw) // 1250
            raw_NT, ecg_NT = (x[: n * 1250].reshape(n, 1250) for x in (raw, ecg_filter(raw)))
            ours += rhythm(detect_beats(ecg_NT, FS_HZ), FS_HZ).heart_rate_bpm_N.tolist()
            panel += [panel_rate_bpm(x, FS_HZ) for x in raw_NT]
        clear = np.isfinite(panel)
        assert clear.mean() > 0.7
        assert (np.abs(np.array(ours) - panel)[clear] <= 5).mean() >= 0.98
