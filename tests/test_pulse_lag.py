"""The lag of the pulse after its R wave: found where it is planted, and NaN where nothing tells it from another."""

from pathlib import Path

import numpy as np
import pytest

from ecgppg.config.settings import Settings
from ecgppg.synthetic import ecg, ppg
from ecgppg.waveform.beats import detect_beats
from ecgppg.waveform.patient import read_patient
from ecgppg.waveform.pulse_lag import LAG_RANGE_S, pulse_lag

FS_HZ = 125.0
T = 1250
SHAPE = ppg.PulseShape(arrival_s=0.25, dicrotic=0.3, dicrotic_s=0.4)


def window(rr_s: np.ndarray, shift_s: float, seed: int = 0) -> np.ndarray:
    """(2, T): ECG and PPG of beats that begin before the window and end after it."""
    beats_s = np.cumsum(rr_s) - 2.0
    types = np.zeros(len(beats_s), np.uint8)
    lead = ecg.draw_morphology(np.random.default_rng(seed))
    ecg_T = ecg.render(beats_s, types, FS_HZ, lead, T, seed)
    ppg_T, _ = ppg.render(beats_s, types, FS_HZ, SHAPE, T, shift_s)
    return np.stack([ecg_T, ppg_T]).astype(np.float32)


def lags(x_NCT: np.ndarray) -> np.ndarray:
    ecg_NT, ppg_NT = x_NCT[:, 0], x_NCT[:, 1]
    return pulse_lag(ecg_NT, ppg_NT, detect_beats(ecg_NT, FS_HZ, "ecg"), detect_beats(ppg_NT, FS_HZ, "ppg"), FS_HZ)


def varied(n: int, mean_s: float, share: float, seed: int) -> np.ndarray:
    return mean_s * (1 + share * np.random.default_rng(seed).standard_normal(n))


def test_a_planted_lag_is_found_wherever_it_lies() -> None:
    shifts_s = np.arange(-0.75, 1.05, 0.05)
    x_NCT = np.stack([window(varied(40, 0.75, 0.08, i), shift) for i, shift in enumerate(shifts_s)])
    found_N = lags(x_NCT)
    assert np.isfinite(found_N).mean() > 0.8
    # From foot to steepest rise: the same for all, up to what the rate does to the shape.
    rise_N = found_N - SHAPE.arrival_s - shifts_s
    assert np.nanmax(np.abs(rise_N - np.nanmedian(rise_N))) < 0.015
    assert 0.0 < np.nanmedian(rise_N) < ppg.SYSTOLIC_S


def test_in_a_regular_rhythm_nothing_tells_a_lag_from_one_a_beat_later() -> None:
    x_NCT = np.stack([window(np.full(40, rr), 0.2) for rr in (0.5, 0.7, 0.9, 1.0)])
    assert np.isnan(lags(x_NCT)).all()


def test_a_regular_rhythm_slower_than_the_range_of_lags_leaves_no_doubt() -> None:
    span_s = LAG_RANGE_S[1] - LAG_RANGE_S[0]
    assert lags(window(np.full(16, span_s + 0.1), 0.2)[None])[0] == pytest.approx(0.53, abs=0.05)


def test_pulses_that_follow_no_beat_have_no_lag() -> None:
    of_others = [np.stack([window(varied(40, 0.8, 0.15, i), 0.2)[0], window(varied(40, 0.8, 0.15, 99 + i), 0.2)[1]])
                 for i in range(50)]  # fmt: skip
    assert np.isnan(lags(np.stack(of_others))).all()


def test_too_few_beats_silence_and_missing_samples_give_none() -> None:
    sound = window(varied(40, 0.75, 0.08, 1), 0.2)
    assert np.isfinite(lags(sound[None])).all()
    silent_ecg, silent_ppg, missing, short = (sound.copy() for _ in range(4))
    silent_ecg[0], silent_ppg[1], missing[1], short[:, 400:] = 0, 0, np.nan, 0
    assert np.isnan(lags(np.stack([silent_ecg, silent_ppg, missing, short]))).all()


def test_a_window_has_the_same_lag_whatever_stands_beside_it() -> None:
    x_NCT = np.stack([window(varied(40, 0.75, 0.08, i), 0.1 * (i % 5)) for i in range(12)])
    alone = np.concatenate([lags(x_CT[None]) for x_CT in x_NCT])
    np.testing.assert_array_equal(lags(x_NCT), alone)


def test_shifted_real_recordings_have_their_lags_shifted_alike(data_dir: Path) -> None:
    root, n_both, n_trusted, wrong = data_dir / "bidmc", 0, 0, 0
    for name in ("bidmc08", "bidmc11", "bidmc17", "bidmc34", "bidmc36", "bidmc43", "bidmc45", "bidmc48"):
        kept = read_patient(root, name, 1, [name], Settings(source="wfdb", max_segments_per_patient=None))
        assert (np.diff(kept.columns["start_sample"]) == T).all(), "windows follow each other, so they can be joined"
        whole_CT = np.concatenate(kept.filtered_NCT, axis=1)
        before_N = kept.columns["ppg_lag_s"]
        for shift in (-120, -75, -20, 31, 60):
            moved_CT = np.stack([whole_CT[0], np.roll(whole_CT[1], shift)])
            after_N = lags(moved_CT.reshape(2, -1, T).transpose(1, 0, 2).copy())[1:-1]
            off_N = after_N - before_N[1:-1] - shift / FS_HZ
            n_both += np.isfinite(off_N).sum()
            n_trusted += np.isfinite(after_N).sum()
            wrong += (np.abs(off_N) > 0.04).sum()
    assert n_trusted > 700
    assert n_both > 500
    assert wrong <= 0.01 * n_both


def test_without_a_ppg_there_is_no_lag(data_dir: Path) -> None:
    alone = Settings(source="wfdb", channels=["ECG"], required_channels=["ECG"], max_segments_per_patient=60)
    kept = read_patient(data_dir / "bidmc", "bidmc36", 1, ["bidmc36"], alone)
    assert len(kept)
    assert np.isnan(kept.columns["ppg_lag_s"]).all()
