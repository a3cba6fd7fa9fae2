"""Hand-made features against neurokit2, plain loops and planted rhythms."""

import math
from itertools import pairwise

import numpy as np
import pytest

from ecgppg.evaluation.hand_made import hand_made
from ecgppg.evaluation.hand_made_rhythm import ENTROPY_EDGES, TOLERANCES_S, rhythm_measures
from ecgppg.evaluation.hand_made_shape import ECG_BANDS_HZ, beat_measures, spectral_measures
from tests.labelled_dataset import beats_of
from tests.small_dataset import FS_HZ, T

RNG = np.random.default_rng(5)


def padded(trains: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Positions as the detector gives them, and their counts."""
    count_N = np.array([len(train) for train in trains], np.int16)
    position_NB = np.full((len(trains), max(count_N.max(), 1)), -1, np.int32)
    for row, train in enumerate(trains):
        position_NB[row, : len(train)] = train
    return position_NB, count_N


def trains(n: int = 12) -> list[np.ndarray]:
    """Samples of beats of regular, irregular and ectopic rhythms, of different lengths."""
    found = []
    for i in range(n):
        beat_s = beats_of("ANO"[i % 3], RNG)
        found.append(np.round(beat_s[(beat_s > 0) & (beat_s < 10 - i / 4)] * FS_HZ).astype(int))
    return found


def test_variability_is_what_neurokit_gives() -> None:
    import neurokit2 as nk

    held = trains()
    found = rhythm_measures(*padded(held), FS_HZ)
    for row, train in enumerate(held):
        rr_ms = np.diff(train) / FS_HZ * 1000
        wanted = nk.hrv_time({"RRI": rr_ms, "RRI_Time": np.cumsum(rr_ms) / 1000}, sampling_rate=1000).iloc[0]
        mean_ms = wanted["HRV_MeanNN"]
        assert found["rr_mean_s"][row] == pytest.approx(mean_ms / 1000)
        assert found["rmssd"][row] == pytest.approx(wanted["HRV_RMSSD"] / mean_ms)
        assert found["rr_sd_s"][row] * np.sqrt(len(rr_ms) / (len(rr_ms) - 1)) == pytest.approx(
            wanted["HRV_SDNN"] / 1000
        )
        over_50 = wanted["HRV_pNN50"] / 100 * len(rr_ms) / (len(rr_ms) - 1)
        assert found["change_over_50_ms"][row] == pytest.approx(over_50)
        assert found["heart_rate_bpm"][row] == pytest.approx(60_000 / wanted["HRV_MedianNN"])


def entropy_by_loops(rr_s: np.ndarray) -> float:
    """Coefficient of sample entropy, pair by pair."""
    tolerances = TOLERANCES_S.tolist()
    for tolerance in tolerances:
        one = two = 0
        for i in range(len(rr_s) - 1):
            for j in range(i + 1, len(rr_s) - 1):
                if abs(rr_s[i] - rr_s[j]) <= tolerance:
                    one += 1
                    two += abs(rr_s[i + 1] - rr_s[j + 1]) <= tolerance
        if two >= 5 or tolerance == tolerances[-1]:
            break
    return math.log(max(one, 1) / max(two, 1)) - math.log(2 * tolerance) - math.log(rr_s.mean())


def test_succession_is_what_loops_give() -> None:
    held = trains()
    found = rhythm_measures(*padded(held), FS_HZ)
    for row, train in enumerate(held):
        rr_s = np.diff(train) / FS_HZ
        change = np.diff(train, n=2) / FS_HZ / rr_s.mean()
        turns = sum(a * b < 0 for a, b in pairwise(change)) / (len(change) - 1)
        early = sum(a < 0.85 * np.median(rr_s) and b > 1.1 * np.median(rr_s) for a, b in pairwise(rr_s)) / len(change)
        count = np.array([((change >= a) & (change < b)).sum() for a, b in pairwise(ENTROPY_EDGES)])
        share = count[count > 0] / len(change)
        entropy = -(share * np.log(share)).sum() / np.log(min(len(change), len(count)))
        assert found["turning_points"][row] == pytest.approx(turns)
        assert found["early_beats"][row] == pytest.approx(early)
        assert found["change_entropy"][row] == pytest.approx(entropy)
        assert found["sample_entropy"][row] == pytest.approx(entropy_by_loops(rr_s))
        sums = (rr_s[1:] + rr_s[:-1]) / rr_s.mean()
        assert found["poincare_sd1"][row] == pytest.approx(change.std() / math.sqrt(2))
        assert found["poincare_sd2"][row] == pytest.approx(sums.std() / math.sqrt(2))


def test_too_few_beats_are_missing_and_not_zero() -> None:
    found = rhythm_measures(*padded([np.array([5, 130, 260]), np.empty(0, int), trains(1)[0]]), FS_HZ)
    assert found["n_beats"].tolist()[:2] == [3, 0]
    for name, values in found.items():
        assert name == "n_beats" or np.isnan(values[:2]).all(), name
        assert np.isfinite(values[2]), name


def test_power_lies_in_the_band_of_a_sine() -> None:
    time_s = np.arange(T) / FS_HZ
    x_NT = np.stack([np.sin(2 * np.pi * hz * time_s) for hz in (2, 6, 10, 20)] + [np.zeros(T)])
    found = spectral_measures(x_NT, FS_HZ, ECG_BANDS_HZ)
    shares = np.stack([found[f"power_{low:g}_{high:g}_hz"] for low, high in ECG_BANDS_HZ], axis=1)
    assert (shares[:4].argmax(axis=1) == np.arange(4)).all()
    assert (shares[:4].max(axis=1) > 0.99).all()
    assert found["spectral_centre_hz"][:4] == pytest.approx([2, 6, 10, 20], abs=0.1)
    assert np.isnan(shares[4]).all()
    assert np.isnan(found["spectral_centre_hz"][4])
    assert (found["spectral_entropy"][:4] < 0.3).all()


def window(p_wave: float, atrial: float) -> tuple[np.ndarray, np.ndarray]:
    """A regular ECG with a P wave of a height, and waves of fibrillating atria of another."""
    time_s = np.arange(T) / FS_HZ
    beat_s = np.arange(0.5, 10, 0.8)
    qrs = np.exp(-(((time_s - beat_s[:, None]) / 0.02) ** 2)).sum(0)
    p = p_wave * np.exp(-(((time_s - beat_s[:, None] + 0.16) / 0.03) ** 2)).sum(0)
    waves = atrial * np.sin(2 * np.pi * 6.3 * time_s)
    return qrs + p + waves + RNG.normal(0, 0.01, T), np.round(beat_s * FS_HZ).astype(int)


def test_p_waves_and_fibrillation_are_seen_in_the_shape_of_the_beat() -> None:
    (with_p, beats), (without, _), (fibrillating, _) = window(0.2, 0), window(0, 0), window(0, 0.15)
    found = beat_measures(np.stack([with_p, without, fibrillating]), *padded([beats] * 3), FS_HZ)
    assert found["p_wave_size"][0] == pytest.approx(0.2, abs=0.05)
    assert found["p_wave_size"][0] > 3 * found["p_wave_size"][1]
    assert found["p_wave_likeness"][0] > 0.9
    assert found["residual_atrial_power"][2] > 0.5 > found["residual_atrial_power"][0]
    assert found["beat_likeness"][0] > 0.95


def test_unit_and_polarity_of_the_recorder_change_nothing_that_matters() -> None:
    x_NCT = np.stack([window(0.2, 0)[0] for _ in range(3)])[:, None].astype(np.float32)
    quality_N = np.full(3, 0.8)
    one, other = (hand_made(gain * x_NCT, ("ECG",), FS_HZ, quality_N) for gain in (1.0, 300.0))
    assert one.names == other.names
    assert other.values_ND == pytest.approx(one.values_ND, rel=1e-3, abs=1e-3)
    assert one.names[-1] == "quality"


def test_an_absent_channel_is_missing_and_the_other_is_not() -> None:
    x_NCT = np.zeros((2, 2, T), np.float32)
    x_NCT[:, 0] = window(0.2, 0)[0]
    found = hand_made(x_NCT, ("ECG", "PPG"), FS_HZ, np.ones(2))
    is_ppg = np.array([name.startswith("ppg_") for name in found.names])
    assert np.isnan(found.values_ND[:, is_ppg]).all()
    assert np.isfinite(found.values_ND[:, ~is_ppg]).all()
    assert len(set(found.names)) == len(found.names)
    assert found.of_beat_shape.sum() == 7
