"""Simulated beats and signals have the properties they are meant to have."""

import numpy as np
import pytest

from ecgppg.synthetic import ecg, ppg
from ecgppg.synthetic.artefacts import PER_MINUTE, RAIL, Artefact, plan_artefacts, spoil
from ecgppg.synthetic.rhythm import AF, NORMAL, PAC, PVC, RHYTHMS, SHORTEST_RR_S, add_ectopy, make_beats
from ecgppg.synthetic.waves import add_waves, pink_noise

FS_HZ = 125.0


def test_add_waves_equals_the_formula() -> None:
    x_T = np.zeros(250)
    add_waves(x_T, np.array([0.5031, 1.99]), np.array([1.0, -2.0]), 0.02, np.array([0.05, 0.01]), FS_HZ)
    t = np.arange(250) / FS_HZ
    expected = np.zeros(250)
    for center, height, left, right in ((0.5031, 1.0, 0.02, 0.05), (1.99, -2.0, 0.02, 0.01)):
        expected += height * np.exp(-0.5 * ((t - center) / np.where(t < center, left, right)) ** 2)
    np.testing.assert_allclose(x_T, expected, atol=1e-3)


def test_pink_noise_has_a_slope_of_minus_one() -> None:
    power = np.abs(np.fft.rfft(pink_noise(2**16, np.random.default_rng(0)))) ** 2
    frequency = np.arange(1, 2**13)
    slope = np.polyfit(np.log(frequency), np.log(power[1 : 2**13]), 1)[0]
    assert abs(slope + 1) < 0.05


@pytest.mark.parametrize("kind", RHYTHMS)
def test_every_rhythm_is_physiological(kind: str) -> None:
    rate = {"sinus": 75, "af": 105, "ectopy": 75, "tachycardia": 130, "pauses": 50}[kind]
    series = make_beats(kind, 1800, rate, 0.25, np.random.default_rng(1), False)
    rr_s = np.diff(series.times_s)
    assert rr_s.min() >= SHORTEST_RR_S - 1e-9
    assert series.times_s[0] >= 0
    assert series.times_s[-1] < 1800
    assert abs(60 / np.median(rr_s) / rate - 1) < 0.12
    cv = rr_s.std() / rr_s.mean()
    if kind == "af":
        assert 0.15 < cv < 0.35
        assert np.mean(series.types == AF) > 0.98
        # Independent intervals: no memory from beat to beat beyond the slow drift of the rate.
        assert abs(np.corrcoef(rr_s[:-1], rr_s[1:])[0, 1]) < 0.15
    elif kind in ("sinus", "tachycardia"):
        assert cv < 0.09
    elif kind == "pauses":
        assert (rr_s > 2).sum() > 15
    else:
        assert np.mean(series.types == PVC) > 0.04


def test_ventricular_ectopics_leave_a_full_pause() -> None:
    rr_s, types = add_ectopy(np.full(2000, 0.8), 0.1, 0.05, np.random.default_rng(2))
    at = np.flatnonzero(types == PVC)
    assert len(at) > 100
    assert (rr_s[at] < 0.65).all()
    np.testing.assert_allclose(rr_s[at] + rr_s[at + 1], 1.6)
    at = np.flatnonzero(types == PAC)
    assert (rr_s[at] + rr_s[at + 1] < 1.6).all()


def test_paroxysmal_fibrillation_matches_its_episodes() -> None:
    series = make_beats("af", 1800, 110, 0.25, np.random.default_rng(3), True)
    assert {e.rhythm for e in series.episodes} == {"af", "sinus"}
    assert series.episodes[0].start_s == 0
    assert series.episodes[-1].end_s == 1800
    for episode in series.episodes:
        inside = (series.times_s >= episode.start_s) & (series.times_s < episode.end_s)
        share_af = np.mean(series.types[inside] == AF)
        assert share_af > 0.9 if episode.rhythm == "af" else share_af == 0
    assert np.diff(series.times_s).min() >= SHORTEST_RR_S - 1e-9


def test_r_peaks_lie_where_the_beats_are() -> None:
    beats_s = np.cumsum(np.full(30, 0.83))
    types = np.full(30, NORMAL)
    types[10], types[20] = PVC, PAC
    mv_T = ecg.render(beats_s, types, FS_HZ, ecg.TEXTBOOK_II)
    for beat in np.rint(beats_s * FS_HZ).astype(int):
        near = mv_T[max(0, beat - 25) : beat + 25]
        assert abs(int(np.argmax(np.abs(near))) - min(25, beat)) <= 1
    assert 0.9 < mv_T.max() < 1.6


def test_p_wave_is_absent_in_fibrillation_and_f_waves_are_there() -> None:
    beats_s = np.cumsum(np.full(60, 1.0))
    before = (np.rint(beats_s[:, None] * FS_HZ) + np.arange(-25, -13)).astype(int)
    sinus = ecg.render(beats_s, np.full(60, NORMAL), FS_HZ, ecg.TEXTBOOK_II)
    af = ecg.render(beats_s, np.full(60, AF), FS_HZ, ecg.TEXTBOOK_II)
    assert sinus[before].mean(0).max() > 0.1
    assert np.abs(af[before].mean(0)).max() < 0.05
    quiet = (np.rint(beats_s[:-1, None] * FS_HZ) + np.arange(65, 95)).astype(int)
    assert af[quiet].std() > 5 * sinus[quiet].std()
    power = np.abs(np.fft.rfft(ecg.fibrillatory_waves(7500, FS_HZ, ecg.TEXTBOOK_II, np.random.default_rng(0)))) ** 2
    assert 4 < np.fft.rfftfreq(7500, 1 / FS_HZ)[power.argmax()] < 9


def test_ectopic_beats_are_wide_with_opposite_t() -> None:
    beats_s, t = np.array([1.0]), np.arange(375) / FS_HZ
    normal = ecg.render(beats_s, np.array([NORMAL]), FS_HZ, ecg.TEXTBOOK_II, 375)
    wide = ecg.render(beats_s, np.array([PVC]), FS_HZ, ecg.TEXTBOOK_II, 375)
    near = np.abs(t - 1) < 0.15
    assert (wide[near] > 0.3).sum() > 3 * (normal[near] > 0.3).sum()
    later = (t > 1.2) & (t < 1.5)
    assert normal[later].max() > 0.2
    assert wide[later].min() < -0.3


def test_render_is_a_pure_function_and_takes_no_beats() -> None:
    beats_s, types = np.array([0.5, 1.2, 1.7]), np.array([AF, AF, PVC])
    first, again = (ecg.render(beats_s, types, 250.0, ecg.TEXTBOOK_II, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(first) == 675
    assert len(ecg.render(np.array([]), np.array([]), FS_HZ, ecg.TEXTBOOK_II)) == 0
    assert not ecg.render(np.array([]), np.array([]), FS_HZ, ecg.TEXTBOOK_II, 100).any()


def test_pulse_follows_the_beat_and_is_small_after_a_short_interval() -> None:
    beats_s = np.cumsum(np.array([0.8] * 10 + [0.45, 1.15] + [0.8] * 5))
    types = np.full(17, NORMAL)
    types[10] = PVC
    shape = ppg.PulseShape(0.25, 0.3, 0.4)
    x_T, peaks = ppg.render(beats_s, types, FS_HZ, shape, 2000)
    delay_s = peaks / FS_HZ - beats_s
    assert ((delay_s > 0.25) & (delay_s < 0.5)).all()
    assert x_T[peaks[10]] < 0.6 * x_T[peaks[5]]
    assert x_T[peaks[11]] > 1.1 * x_T[peaks[5]]
    _, shifted = ppg.render(beats_s, types, FS_HZ, shape, 2000, 0.4)
    np.testing.assert_allclose(shifted - peaks, 50, atol=1)


def test_each_artefact_does_what_its_name_says() -> None:
    rng = np.random.default_rng(5)
    base = np.sin(np.arange(5000) / 20) * 0.2 + 0.5
    for kind in PER_MINUTE:
        signals = {"II": base.copy(), "PLETH": base.copy()}
        channel = "PLETH" if kind in ("probe_off", "ppg_motion", "ppg_clipping") else "II"
        spoil(signals, [Artefact(kind, (channel,), 1000, 2500, 0.9)], FS_HZ, rng)
        inside, other = signals[channel][1000:2500], signals["II" if channel == "PLETH" else "PLETH"]
        np.testing.assert_array_equal(other, base)
        np.testing.assert_array_equal(signals[channel][:1000], base[:1000])
        np.testing.assert_array_equal(signals[channel][2500:], base[2500:])
        assert not np.array_equal(inside, base[1000:2500])
        assert np.isnan(inside).all() == (kind == "missing")
        assert (np.ptp(inside) == 0) == (kind in ("electrode_off", "probe_off"))
        assert (np.abs(inside) == RAIL).all() == (kind in ("electrode_off", "probe_off", "saturation"))


def test_artefacts_come_as_often_as_their_rates_say() -> None:
    planned = plan_artefacts(100 * 7500, FS_HZ, ("PLETH", "V", "II"), np.random.default_rng(6))
    assert abs(len(planned) / 100 - sum(PER_MINUTE.values())) < 0.25
    assert {a.kind for a in planned} == set(PER_MINUTE)
    assert all(0 <= a.start < a.stop <= 100 * 7500 for a in planned)
