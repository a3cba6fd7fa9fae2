"""The encoder's own look at beats: against planted beats and loops, blanked stretches, channels without signal."""

import numpy as np
import pytest
import torch

from ecgppg.models.beat_branch import Beats, average_beat, interval_rows
from ecgppg.models.beat_finder import FoundBeats, find_beats
from ecgppg.models.registry import build_encoder

FS_HZ = 125.0
WITH_BEATS = {"n_channels": 2, "hidden_dims": [8, 12], "embedding_dim": 10, "beats_hz": FS_HZ}


def beats_at(times_s: np.ndarray, seconds: float = 10.0, t_wave: float = 0.0, noise: float = 0.02) -> torch.Tensor:
    """(1, T): a QRS at each time, and a slow wave after it."""
    t = np.arange(round(seconds * FS_HZ)) / FS_HZ
    z_T = noise * np.random.default_rng(0).standard_normal(len(t))
    for at in times_s:
        z_T += 4 * np.exp(-0.5 * ((t - at) / 0.015) ** 2) + t_wave * np.exp(-0.5 * ((t - at - 0.28) / 0.04) ** 2)
    return torch.tensor(z_T, dtype=torch.float32)[None]


def found_s(beats: FoundBeats, row: int = 0) -> np.ndarray:
    return beats.at_NK[row][beats.there_NK[row]].numpy() / FS_HZ


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("rr_s", [0.35, 0.6, 0.96, 1.6])
def test_planted_beats_are_found_on_their_peaks_and_no_t_wave_is(rr_s: float, sign: float) -> None:
    times = np.arange(0.4, 9.5, rr_s)
    beats = find_beats(sign * beats_at(times, t_wave=2.0), FS_HZ)
    np.testing.assert_allclose(found_s(beats), times, atol=0.0081)
    assert float(beats.sign_N1) == sign


def test_an_interval_over_a_blanked_stretch_is_not_known_and_its_edges_are_no_beats() -> None:
    times = np.arange(0.5, 9.5, 0.8)
    z_1T = beats_at(times)
    z_1T[:, 500:640] = 0.0  # hides the beats at 4.5 s
    beats = find_beats(z_1T + 0.0, FS_HZ)
    kept = np.delete(times, 5)
    np.testing.assert_allclose(found_s(beats), kept, atol=0.0081)
    assert beats.unbroken_NI[0, : len(kept) - 1].tolist() == [i != 4 for i in range(len(kept) - 1)]
    assert not beats.unbroken_NI[0, len(kept) - 1 :].any()


def test_beats_of_some_windows_are_those_found_in_them_alone() -> None:
    z_NT = torch.cat([beats_at(np.arange(0.4, 9.5, rr_s)) for rr_s in (0.35, 0.6, 0.96, 1.6)] + [torch.zeros(1, 1250)])
    together = find_beats(z_NT, FS_HZ)
    for rows in (slice(0, 2), slice(2, 4), slice(4, 5)):
        alone, part = find_beats(z_NT[rows], FS_HZ), together.of(rows)
        assert all(torch.equal(a, b) for a, b in zip(vars(alone).values(), vars(part).values(), strict=True))


def test_intervals_are_those_of_the_beats_by_a_loop() -> None:
    times = np.array([0.4, 1.2, 2.0, 2.5, 3.7, 4.5])
    beats = find_beats(beats_at(times, 6.0), FS_HZ)
    rows_BI5, known_BI1 = interval_rows(beats, FS_HZ)
    log_I = np.log(np.diff(found_s(beats)))
    middle = np.sort(log_I)[2]
    for i, value in enumerate(log_I):
        before = log_I[i - 1] if i else value
        expected = [(value - np.log(0.8)) / 0.3, (value - middle) / 0.2, (value - before) / 0.2, 1.0, float(i > 0)]
        np.testing.assert_allclose(rows_BI5[0, i], np.clip(expected, -5, 5), atol=1e-4)
    assert not rows_BI5[0, 5:].any()
    assert known_BI1[0, :, 0].tolist() == [1.0] * 5 + [0.0] * (known_BI1.shape[1] - 5)


def test_the_average_beat_holds_what_every_beat_has_and_sheds_noise() -> None:
    times = np.arange(0.6, 29.0, 0.9)
    z_1T = beats_at(times, 30.0, t_wave=1.0, noise=0.3)
    mean_L, deviation_L = average_beat(z_1T, find_beats(z_1T, FS_HZ), FS_HZ)[0]
    assert int(mean_L.argmax()) == round(0.25 * FS_HZ)
    after_peak = (np.arange(len(mean_L)) - round(0.25 * FS_HZ)) / FS_HZ
    t_wave, rest = (after_peak > 0.26) & (after_peak < 0.3), (after_peak > -0.2) & (after_peak < -0.1)
    assert 0.4 < float(mean_L[t_wave].mean() - mean_L[rest].mean()) < 1.0
    assert float(mean_L[rest].std()) < 0.12
    assert float(deviation_L[rest].mean()) == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("samples", [250, 311, 1000, 1250, 7500])
def test_signals_of_any_length_and_kind_give_finite_features(samples: int) -> None:
    torch.manual_seed(0)
    branch = Beats(1, FS_HZ)
    noise_1T = torch.randn(1, samples)
    step_1T = torch.zeros(1, samples)
    step_1T[:, samples // 2 :] = 20.0
    kinds = [
        noise_1T,
        torch.zeros(1, samples),
        torch.full((1, samples), 3.0),
        step_1T,
        beats_at(np.arange(0.5, 2), samples / FS_HZ),
    ]
    features_BR = branch(torch.stack(kinds), torch.ones(len(kinds), 1))
    assert features_BR.shape == (len(kinds), branch.features)
    assert torch.isfinite(features_BR).all()


def test_an_absent_channel_gives_zeros_and_changes_nothing_in_the_other() -> None:
    torch.manual_seed(0)
    branch, z_BCT = Beats(2, FS_HZ), torch.randn(4, 2, 1000)
    both, one = branch(z_BCT, torch.ones(4, 2)), branch(z_BCT, torch.tensor([[1.0, 0.0]]).expand(4, 2))
    half = branch.features // 2
    assert torch.equal(both[:, :half], one[:, :half])
    assert both[:, half:].any()
    assert not one[:, half:].any()


def test_features_do_not_depend_on_the_rest_of_the_batch_nor_on_autocast_but_by_rounding() -> None:
    torch.manual_seed(0)
    branch, z_BCT = Beats(1, FS_HZ), torch.stack([beats_at(np.arange(0.3, 9.5, rr)) for rr in (0.5, 0.8, 1.1)])
    together = branch(z_BCT, torch.ones(3, 1))
    alone = torch.cat([branch(z_BCT[i : i + 1], torch.ones(1, 1)) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        coarse = branch(z_BCT, torch.ones(3, 1))
    torch.testing.assert_close(coarse.float(), together, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("name", ["resnet1d", "two_towers"])
def test_every_weight_of_an_encoder_with_it_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    network = build_encoder({"name": name, **WITH_BEATS})
    network(torch.randn(8, 2, 1250), torch.ones(8, 2)).square().mean().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_without_any_beat_no_gradient_is_missing_and_none_is_not_finite() -> None:
    network = build_encoder({"name": "resnet1d", **WITH_BEATS})
    network(torch.zeros(3, 2, 1000), torch.zeros(3, 2)).square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_a_description_made_before_there_was_such_a_branch_builds_the_encoder_without() -> None:
    old = {"name": "resnet1d", "n_channels": 1, "hidden_dims": [8], "embedding_dim": 4, "rhythm": True}
    new = build_encoder({**old, "beats_hz": None})
    assert list(build_encoder(old).state_dict()) == list(new.state_dict())
