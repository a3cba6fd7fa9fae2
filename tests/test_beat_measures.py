"""Measures of the beats that a network predicts: against loops, planted rhythms and P waves, and what is not known."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from ecgppg.data.dataset import SegmentBatch
from ecgppg.models.beat_finder import find_beats
from ecgppg.objectives.beat_measures import RHYTHM, SHAPE, beat_measures
from ecgppg.training.beat_rows import measured_beats, n_measures
from tests.small_dataset import small_settings

FS_HZ = 125.0
NAMES = [*RHYTHM, *SHAPE]
ECG = torch.tensor([True])


def ecg(rr_s: np.ndarray, p_wave: Callable[[int], float] = lambda beat: 0.5, noise: float = 0.05) -> torch.Tensor:
    """(1, T): ten seconds of beats with P, QRS and T; the P wave of each beat is given by its number."""
    t = np.arange(1250) / FS_HZ
    z_T = noise * np.random.default_rng(1).standard_normal(len(t))
    for number, at in enumerate(0.5 + np.concatenate([[0], np.cumsum(rr_s)])):
        z_T += 5 * np.exp(-0.5 * ((t - at) / 0.015) ** 2) + np.exp(-0.5 * ((t - at - 0.3) / 0.05) ** 2)
        z_T += p_wave(number) * np.exp(-0.5 * ((t - at + 0.16) / 0.025) ** 2)
    return torch.tensor(z_T, dtype=torch.float32)[None]


def measured(z_1T: torch.Tensor, is_ecg_1: torch.Tensor = ECG) -> dict[str, float]:
    """Measures by name, no longer standardised; NaN where not known."""
    target_1S, known_1S = beat_measures(z_1T, is_ecg_1, FS_HZ)
    constants = [*RHYTHM.values(), *SHAPE.values()]
    return {
        name: float(target) * spread + centre if known else float("nan")
        for name, target, known, (centre, spread) in zip(NAMES, target_1S[0], known_1S[0], constants, strict=True)
    }


UNEVEN = np.array([0.8, 0.5, 1.0, 0.7, 0.78, 0.6, 1.1, 0.55, 0.9, 0.8])


def test_measures_of_the_rhythm_are_those_of_loops_over_the_intervals() -> None:
    z_1T = ecg(UNEVEN)
    beats = find_beats(z_1T, FS_HZ)
    rr = [float(b - a) / FS_HZ for a, b in pairwise(beats.at_NK[0][beats.there_NK[0]].tolist())]
    mean, median = sum(rr) / len(rr), sorted(rr)[(len(rr) - 1) // 2]
    change = [(b - a) / mean for a, b in pairwise(rr)]
    size = sorted(abs(c) for c in change)
    off = sorted(abs(r / median - 1) for r in rr)
    pairs = [(i, j) for j in range(len(rr) - 1) for i in range(j) if abs(rr[i] - rr[j]) / mean < 0.06]
    followed = [(i, j) for i, j in pairs if abs(rr[i + 1] - rr[j + 1]) / mean < 0.06]
    expected = {
        "log_rmssd": np.log(np.sqrt(np.mean(np.square(change))) + 0.01),
        "log_median_change": np.log(size[(len(size) - 1) // 2] + 0.01),
        "log_median_deviation": np.log(off[(len(off) - 1) // 2] + 0.01),
        "changes_over_50_ms": np.mean([abs(c) * mean > 0.05 for c in change]),
        "changes_over_10_percent": np.mean([abs(c) > 0.1 for c in change]),
        "log_longest": np.log(max(rr) / median),
        "log_shortest": np.log(min(rr) / median),
        "turning_points": np.mean([a * b < 0 for a, b in pairwise(change)]),
        "autocorrelation": sum((a - mean) * (b - mean) for a, b in pairwise(rr)) / sum((r - mean) ** 2 for r in rr),
        "log_order": np.log((len(pairs) + 1) / (len(followed) + 1)),
    }
    found = measured(z_1T)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=2e-3), name


def test_a_p_wave_that_is_always_there_is_told_from_one_that_is_not() -> None:
    even = np.full(11, 0.8)
    always, never = measured(ecg(even)), measured(ecg(even, lambda beat: 0.0))
    now_and_then = measured(ecg(even, lambda beat: 0.5 * (-1) ** beat))
    assert always["p_wave_likeness"] > 0.9 > 0.5 > never["p_wave_likeness"]
    assert always["log_p_wave"] > never["log_p_wave"] + 0.5
    assert now_and_then["p_wave_likeness"] < always["p_wave_likeness"] - 0.2
    assert now_and_then["log_rest"] > always["log_rest"] + 0.05
    assert now_and_then["log_unlikeness"] > always["log_unlikeness"] + 0.05


def test_measures_know_no_amplitude_and_no_polarity() -> None:
    z_1T = ecg(UNEVEN)
    one, other = measured(z_1T), measured(-2.5 * z_1T)
    for name in NAMES:
        assert one[name] == pytest.approx(other[name], abs=1e-3), name


@pytest.mark.parametrize("z_1T", [torch.zeros(1, 1250), torch.full((1, 1250), 2.0), ecg(np.array([1.0, 1.0]))[:, :400]])
def test_windows_with_too_few_beats_are_not_known_and_finite(z_1T: torch.Tensor) -> None:
    target_1S, known_1S = beat_measures(z_1T, ECG, FS_HZ)
    assert not known_1S[:, : len(RHYTHM)].any()
    assert not target_1S[~known_1S].any()
    assert torch.isfinite(target_1S).all()


def batch_of(x_BCT: torch.Tensor) -> SegmentBatch:
    ids = torch.arange(len(x_BCT))
    return SegmentBatch(x_BCT, ids, ids, torch.tensor([[75.0, 0.1]]).repeat(len(x_BCT), 1))


def settings_of(**changes: Any) -> Any:
    return small_settings(**{"sampling_rate_hz": FS_HZ, "objective_beats": 1.0, **changes})


@pytest.mark.parametrize(("channels", "ecg_at"), [(["ECG", "PPG"], 0), (["PPG", "ECG"], 1)])
def test_the_ecg_is_measured_and_where_there_is_none_the_rhythm_of_the_ppg(channels: list[str], ecg_at: int) -> None:
    signal_T, other_T = ecg(UNEVEN)[0], ecg(np.full(11, 0.8))[0]
    rows = torch.zeros(3, 2, 1250)
    rows[0, ecg_at], rows[0, 1 - ecg_at] = signal_T, other_T
    rows[1, ecg_at] = signal_T
    rows[2, 1 - ecg_at] = signal_T
    settings = settings_of(channels=channels, beat_targets="shape")
    target_BS, known_BS = measured_beats(batch_of(rows), rows, rows.any(2).float(), settings)
    assert target_BS.shape == (3, n_measures(settings))
    assert torch.equal(target_BS[0], target_BS[1])
    rhythm = slice(2 + len(RHYTHM))
    assert torch.equal(target_BS[0, rhythm], target_BS[2, rhythm])
    assert known_BS[:2].all()
    assert known_BS[2].tolist() == [True] * (2 + len(RHYTHM)) + [False] * len(SHAPE)


@pytest.mark.parametrize(("asked", "n"), [("rate", 2), ("rhythm", 12), ("shape", 18)])
def test_what_is_asked_for_is_measured_and_nothing_where_the_term_is_off(asked: str, n: int) -> None:
    x_BCT = ecg(UNEVEN)[None].repeat(1, 2, 1)
    on, off = settings_of(beat_targets=asked), settings_of(beat_targets=asked, objective_beats=0.0)
    target_BS, known_BS = measured_beats(batch_of(x_BCT), x_BCT, torch.ones(1, 2), on)
    assert target_BS.shape == known_BS.shape == (1, n)
    assert known_BS.all()
    assert measured_beats(batch_of(x_BCT), x_BCT, torch.ones(1, 2), off)[0].shape == (1, 0)
