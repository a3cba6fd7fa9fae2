"""Planted faults are dropped for their own reason; hearts never are."""

from itertools import pairwise

import numpy as np
import pytest

from ecgppg.config.schema import FLAGS, WINDOW_REASONS
from ecgppg.config.settings import Settings
from ecgppg.waveform.codes import MISSING
from ecgppg.waveform.filters import zero_phase
from ecgppg.waveform.quality import ChannelBlock, Quality, assess
from tests.measured import clipped, code_step, longest_constant_s, longest_flat_s, noise_power
from tests.planted_beats import FS_HZ, af_times, ecg_of, ppg_of, sinus_times, with_noise

T = 1250
GAIN = 26.0
BASELINE = -60
LIMITS = (-127, 127)
"""Eight bits over -2.6 to 7.2 mV: a quantum of 0.04 mV, as MIMIC has it, with room for tall beats."""


def ecg_block(mv_NT: np.ndarray, calibrated: bool = True, faults=None) -> ChannelBlock:
    """Eight-bit codes of ECG windows, with `faults(codes)` done to them by the recorder."""
    mv_NT = np.atleast_2d(mv_NT)
    codes_NT = np.clip(np.round(mv_NT * GAIN) + BASELINE, *LIMITS).astype(np.int32)
    if faults:
        faults(codes_NT)
    raw_NT = np.where(codes_NT == MISSING, np.nan, (codes_NT - BASELINE) / GAIN).astype(np.float32)
    filtered_NT = zero_phase(raw_NT, 0.5, 40.0, FS_HZ)
    return ChannelBlock("ECG", codes_NT, FS_HZ, LIMITS, raw_NT, filtered_NT, calibrated, 1 / GAIN)


def ppg_block(x_NT: np.ndarray, faults=None) -> ChannelBlock:
    x_NT = np.atleast_2d(x_NT)
    codes_NT = np.clip(np.round(x_NT * 100) - 50, *LIMITS).astype(np.int32)
    if faults:
        faults(codes_NT)
    raw_NT = np.where(codes_NT == MISSING, np.nan, (codes_NT + 50) / 100).astype(np.float32)
    return ChannelBlock("PPG", codes_NT, FS_HZ, LIMITS, raw_NT, zero_phase(raw_NT, 0.3, 8.0, FS_HZ), True, 0.01)


def judged(*blocks: ChannelBlock, **settings) -> Quality:
    return assess(blocks, Settings(source="wfdb", **({"required_channels": ["ECG"]} | settings)))


def flagged(quality: Quality, flag: str) -> list[bool]:
    return (quality.flags_N >> FLAGS.index(flag) & 1).astype(bool).tolist()


def sinus(rate_bpm=75, seed=0, **shape):
    return ecg_of(sinus_times(rate_bpm, np.random.default_rng(seed)), **shape)


def make_missing(codes_NT):
    codes_NT[:, 300:400] = MISSING


def make_constant(codes_NT):
    codes_NT[:, 200:900] = 5


def saturate(codes_NT):
    """The amplifier sits at the upper limit for a third of every beat."""
    for start in range(0, T, 100):
        codes_NT[:, start : start + 33] = 127


def make_noisy(codes_NT):
    rng = np.random.default_rng(0)
    codes_NT += np.round(GAIN * 0.7 * rng.standard_normal(codes_NT.shape)).astype(np.int32)
    np.clip(codes_NT, -120, 120, out=codes_NT)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(make_missing, "missing"), (make_constant, "constant"), (saturate, "clipping"), (make_noisy, "noise")],
)
def test_planted_fault_gets_its_reason(fault, reason):
    clean = judged(ecg_block(np.stack([sinus(seed=i) for i in range(4)])))
    assert clean.keep_N.all()
    assert (clean.reason_N == "").all()
    quality = judged(ecg_block(np.stack([sinus(seed=i) for i in range(4)]), faults=fault))
    assert quality.reason_N.tolist() == [reason] * 4
    assert not quality.keep_N.any()
    assert reason in WINDOW_REASONS


@pytest.mark.parametrize(
    ("fault", "reason"), [(make_missing, "missing"), (make_constant, "constant"), (saturate, "clipping")]
)
def test_fault_of_the_pulse_gets_its_reason(fault, reason):
    times_s = sinus_times(75, np.random.default_rng(0))
    ecg, ppg = ecg_block(ecg_of(times_s)), ppg_of(times_s)
    assert judged(ecg, ppg_block(ppg)).keep_N.all()
    assert judged(ecg, ppg_block(ppg, faults=fault)).reason_N.tolist() == [reason]


def test_noise_of_the_pulse():
    times_s = sinus_times(75, np.random.default_rng(0))
    noise = 2.0 * np.random.default_rng(1).standard_normal(T)
    raw = (np.round(100 * (0.3 * ppg_of(times_s) + noise)) / 100).astype(np.float32)[None]
    codes = np.round(raw * 100).astype(np.int32)
    block = ChannelBlock("PPG", codes, FS_HZ, (-32767, 32767), raw, zero_phase(raw, 0.3, 8.0, FS_HZ), True, 0.01)
    assert judged(ecg_block(ecg_of(times_s)), block).reason_N.tolist() == ["noise"]


def test_amplitude_only_in_calibrated_ecg():
    rng = np.random.default_rng(0)
    raw = (40 * sinus()[None]).astype(np.float32) + 0.01 * rng.standard_normal((1, T)).astype(np.float32)
    codes = np.round(raw * 200).astype(np.int32)
    parts = (codes, FS_HZ, (-32767, 32767), raw, zero_phase(raw, 0.5, 40.0, FS_HZ))
    assert judged(ChannelBlock("ECG", *parts, True, 0.005)).reason_N.tolist() == ["amplitude"]
    unknown = judged(ChannelBlock("ECG", *parts, False, 0.005))
    assert unknown.keep_N.all()
    assert flagged(unknown, "uncalibrated_ecg") == [True]
    assert judged(ecg_block(sinus()), ChannelBlock("PPG", *parts, True, 0.005)).keep_N.all()


def hearts() -> dict[str, np.ndarray]:
    """Rhythms that must stay, mV."""
    rng = np.random.default_rng(4)
    t = np.arange(T) / FS_HZ
    live = 0.03 * rng.standard_normal(T)
    bigeminy = np.cumsum(np.tile([0.5, 0.95], 12)) - 1
    return {
        "slow": ecg_of(np.arange(0.5, 10, 2.0)),
        "fast": ecg_of(np.arange(-0.5, 10.5, 0.3), t_wave=0.1, p_wave=0),
        "af": ecg_of(af_times(110, rng), p_wave=0),
        "bigeminy": ecg_of(bigeminy, ectopic=np.arange(24) % 2 == 1),
        "tall_ectopics": 1.2 * ecg_of(np.arange(0.2, 10, 0.9), ectopic=np.arange(11) % 3 == 0),
        "ventricular_tachycardia": ecg_of(np.arange(-0.5, 10.5, 0.37), ectopic=np.ones(30, bool)),
        "flutter_fib": 0.6 * np.sin(2 * np.pi * 4.7 * t + 2 * np.sin(2 * np.pi * 0.4 * t)),
        "asystole": live,
        "pause": ecg_of(np.array([0.6, 1.4, 2.2, 7.5, 8.4, 9.3])) + 0.3 * live,
        "low_voltage": 0.15 * sinus(),
        "wander": sinus() + 0.8 * np.sin(2 * np.pi * 0.25 * t),
    }


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("rhythm", list(hearts()))
def test_no_heart_is_dropped(rhythm, calibrated):
    quality = judged(ecg_block(hearts()[rhythm], calibrated))
    assert quality.reason_N.tolist() == [""]


def test_retention_is_equal_at_equal_noise():
    """The same noise, in mV, on sinus rhythm, AF and ectopy: kept alike, and less and less of all of them."""
    rng = np.random.default_rng(8)
    makers = {
        "sinus": lambda: ecg_of(sinus_times(75, rng)),
        "af": lambda: ecg_of(af_times(95, rng), p_wave=0),
        "ectopy": lambda: ecg_of(np.cumsum(np.full(24, 0.75)) - 1, ectopic=np.arange(24) % 4 == 3),
    }
    kept = {}
    for name, make in makers.items():
        for noise_mv in (0.05, 0.15, 0.6):
            windows = np.stack([make() + noise_mv * rng.standard_normal(T) for _ in range(20)])
            kept[name, noise_mv] = judged(ecg_block(windows)).keep_N.mean()
    for name in makers:
        assert kept[name, 0.05] == kept[name, 0.15] == 1
    assert abs(kept["sinus", 0.6] - kept["af", 0.6]) <= 0.1
    assert max(kept["sinus", 0.6], kept["af", 0.6]) <= 0.1


def test_score_falls_with_noise_and_sway():
    rng = np.random.default_rng(2)
    windows = [sinus()] + [with_noise(sinus(), snr_db, rng) for snr_db in (5, 0, -3)]
    scores = judged(ecg_block(np.stack(windows))).quality_N
    assert (np.diff(scores) < 0).all()
    assert scores[0] > 0.9
    sway = sinus() + 1.5 * np.exp(-(((np.arange(T) / FS_HZ - 5) / 0.4) ** 2))
    assert judged(ecg_block(sway)).quality_N[0] < scores[0] - 0.05


def test_clipped_tops_are_a_flag():
    top = ecg_block(np.minimum(sinus(), 0.4))
    quality = judged(top)
    assert quality.keep_N.all()
    assert flagged(quality, "clipped_some") == [True]
    assert flagged(judged(ecg_block(sinus())), "clipped_some") == [False]


def test_flags_of_a_stopped_heart():
    quality = judged(ecg_block(np.stack([hearts()["asystole"], hearts()["pause"], sinus()])))
    assert flagged(quality, "flat_stretch") == [True, True, False]
    assert flagged(judged(ecg_block(np.zeros((1, T)))), "no_beats") == [True]


def test_flags_of_channels():
    times_s = sinus_times(75, np.random.default_rng(0))
    ecg, ppg = ecg_block(ecg_of(times_s)), ppg_block(ppg_of(times_s))
    assert flagged(judged(ecg), "ppg_absent") == [True]
    assert flagged(judged(ecg), "ecg_absent") == [False]
    assert flagged(judged(ppg, required_channels=["PPG"]), "ecg_absent") == [True]
    assert flagged(judged(ecg, ppg), "ppg_absent") == [False]
    assert flagged(judged(ecg, channels=["ECG"]), "ppg_absent") == [False]
    assert flagged(judged(ecg, ppg), "rates_disagree") == [False]
    other = ppg_block(ppg_of(np.arange(0, 10, 0.55)))
    assert flagged(judged(ecg, other), "rates_disagree") == [True]
    few = judged(ecg_block(sinus(), faults=lambda codes: codes.__setitem__((0, slice(600, 606)), MISSING)))
    assert few.keep_N.all()
    assert flagged(few, "missing_some") == [True]


def test_template_mismatch():
    rng = np.random.default_rng(6)
    motion = zero_phase(rng.standard_normal((6, T)), 1.0, 10.0, FS_HZ)
    quality = judged(ecg_block(np.concatenate([2 * motion, np.stack([sinus(seed=i) for i in range(6)])])))
    assert sum(flagged(quality, "template_mismatch")[:6]) >= 4
    assert not any(flagged(quality, "template_mismatch")[6:])


def test_rhythm_is_that_of_the_ecg():
    times_s = np.arange(0.3, 10, 0.8)
    slower = ppg_block(ppg_of(np.arange(0.3, 10, 1.0)))
    assert judged(ecg_block(ecg_of(times_s)), slower).rhythm.heart_rate_bpm_N[0] == pytest.approx(75, abs=1)
    alone = judged(slower, required_channels=["PPG"])
    assert alone.rhythm.heart_rate_bpm_N[0] == pytest.approx(60, abs=1)


def test_reasons_come_in_the_order_of_the_schema():
    def all_of_it(codes_NT):
        make_constant(codes_NT)
        make_missing(codes_NT)

    assert judged(ecg_block(sinus(), faults=all_of_it)).reason_N.tolist() == ["missing"]


def test_missing_everything():
    quality = judged(ecg_block(sinus(), faults=lambda codes: codes.fill(MISSING)))
    assert quality.reason_N.tolist() == ["missing"]
    assert quality.rhythm.n_beats_N.tolist() == [0]


def test_no_windows():
    quality = judged(ecg_block(np.zeros((0, T))))
    assert len(quality.keep_N) == len(quality.reason_N) == 0


def slow_longest_run(row):
    best = run = 0
    for a, b in pairwise(row):
        run = run + 1 if a == b != MISSING else 0
        best = max(best, run)
    return best + 1 if (row != MISSING).any() else 0


def test_longest_constant_beside_a_loop():
    rng = np.random.default_rng(0)
    codes_NT = rng.integers(0, 2, (50, 200)).astype(np.int32)
    codes_NT[rng.random(codes_NT.shape) < 0.1] = MISSING
    codes_NT[7] = MISSING
    expected = [slow_longest_run(row) / 125 for row in codes_NT]
    np.testing.assert_allclose(longest_constant_s(codes_NT, 125.0), expected)


def test_coarse_codes_are_not_clipped():
    """Round tops of eight-bit pulses rest at one code for a while; cut ones are entered by a jump."""
    t = np.arange(T) / FS_HZ
    pulse = 20 * np.sin(2 * np.pi * 1.2 * t)
    round_NT = np.round(pulse).astype(np.int32)[None]
    assert clipped(round_NT, FS_HZ, LIMITS)[0][0] == 0
    cut_NT = np.minimum(round_NT, 5)[:, :]
    cut_NT = np.where(round_NT > 5, 9, cut_NT).astype(np.int32)
    share, spread = clipped(cut_NT, FS_HZ, LIMITS)
    assert share[0] == pytest.approx((round_NT > 5).mean(), abs=0.01)
    assert spread[0] == 1
    share, spread = clipped(np.where(t < 1, 127, round_NT).astype(np.int32), FS_HZ, LIMITS)
    assert share[0] == pytest.approx(0.1, abs=0.001)
    assert spread[0] == pytest.approx(0.1)


def test_code_step_of_rescaled_codes():
    codes_NT = 40 * np.random.default_rng(0).integers(-50, 50, (3, T)).astype(np.int32)
    codes_NT[1] = 7
    codes_NT[2, ::5] = MISSING
    assert code_step(codes_NT).tolist() == [40, 1, 40]


def test_noise_power_of_white_noise():
    rng = np.random.default_rng(0)
    noise_NT = 0.2 * rng.standard_normal((200, T))
    within = zero_phase(noise_NT, 0.5, 40.0, FS_HZ)
    assert noise_power(within, FS_HZ, (0.5, 40.0)).mean() == pytest.approx(within.var(), rel=0.1)
    beats_NT = within + zero_phase(sinus(), 0.5, 40.0, FS_HZ)
    assert noise_power(beats_NT, FS_HZ, (0.5, 40.0)).mean() == pytest.approx(within.var(), rel=0.15)
    assert noise_power(noise_NT.astype(np.float32), FS_HZ, None).mean() == pytest.approx(0.04, rel=0.1)


def test_longest_flat_by_hand():
    x_NT = np.zeros((1, 1000), np.float32)
    x_NT[0, [0, 300, 999]] = 1
    # 698 samples of nothing, less what the average over 10 of them takes from each end
    assert longest_flat_s(x_NT, 100.0, np.array([0.0])).tolist() == [6.89]
