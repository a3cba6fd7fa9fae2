"""Random views and the generator below them: pure functions of their keys."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import ndtri

from ecgppg.data.augment import Augmentation
from ecgppg.data.counter_rng import CounterRandom, hash_ints, mix64, mix64_by_operations
from ecgppg.data.normalise import LIMIT, robust_zscore

MASK = (1 << 64) - 1


def splitmix_finaliser(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def windows(n: int = 12) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x_BCT = torch.randn(n, 2, 1250, generator=generator)
    x_BCT[2, 1] = 0
    z_BCT, present_BC = robust_zscore(x_BCT)
    return z_BCT, present_BC, torch.randint(0, 2**62, (n,), generator=generator)


@pytest.mark.parametrize("ours", [mix64, mix64_by_operations])
def test_mix64_is_splitmix64_in_whole_numbers(ours: Callable[[torch.Tensor], torch.Tensor]) -> None:
    values = [0, 1, -1, 2**63 - 1, -(2**63), 0x123456789ABCDEF0]
    expected = [splitmix_finaliser(v & MASK) for v in values]
    assert [v & MASK for v in ours(torch.tensor(values, dtype=torch.int64)).tolist()] == expected
    every_other = torch.tensor(values, dtype=torch.int64)[:, None].expand(-1, 4)[:, ::2]
    assert [v & MASK for v in ours(every_other)[:, 1].tolist()] == expected
    assert every_other[:, 0].tolist() == values
    assert int(ours(torch.tensor(1, dtype=torch.int64))) & MASK == expected[1]


def test_draws_follow_their_distributions() -> None:
    random = CounterRandom(hash_ints(torch.arange(50), 7))
    uniform, normal = random.uniform(1, 4001), random.normal(2, 4001)
    assert uniform.shape == normal.shape == (50, 4001)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.003
    assert abs(uniform.var() - 1 / 12) < 0.001
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    assert abs((normal.abs() > 1.959964).float().mean() - 0.05) < 0.003
    correlation = np.corrcoef(normal.numpy())
    assert np.abs(correlation - np.eye(50)).max() < 0.08


@pytest.mark.parametrize("n", [0, 1, 2014, 2016])
def test_normal_draws_are_the_quantiles_that_the_bits_choose(n: int) -> None:
    random = CounterRandom(hash_ints(torch.arange(-20, 20), 7))
    step_Bn = random.bits(2, (n + 3) // 4).numpy().astype("<i8").view("<u2")[:, :n]
    expected_Bn = ndtri((step_Bn + 0.5) / 65536).astype(np.float32)
    np.testing.assert_allclose(random.normal(2, n).numpy(), expected_Bn, rtol=1e-6)


def test_order_of_key_parts_counts() -> None:
    keys = {int(hash_ints(a, b)) for a in range(20) for b in range(20)}
    assert len(keys) == 400


@pytest.mark.parametrize("crop", [1000, 911])
def test_a_view_does_not_depend_on_the_batch_it_is_made_in(crop: int) -> None:
    z_BCT, present_BC, id_B = windows()
    augmentation = Augmentation(crop, 125.0)
    together = augmentation.view(z_BCT, present_BC, id_B, seed=1, epoch=4, view=1)
    order = torch.tensor([5, 2, 9])
    some = augmentation.view(z_BCT[order], present_BC[order], id_B[order], seed=1, epoch=4, view=1)
    assert torch.equal(some, together[order])
    for i in range(len(z_BCT)):
        one = slice(i, i + 1)
        alone = augmentation.view(z_BCT[one], present_BC[one], id_B[one], seed=1, epoch=4, view=1)
        assert torch.equal(alone, together[one])


@pytest.mark.parametrize("change", [{"seed": 2}, {"epoch": 5}, {"view": 0}])
def test_every_part_of_the_key_changes_the_view(change: dict[str, int]) -> None:
    z_BCT, present_BC, id_B = windows()
    augmentation, key = Augmentation(1000, 125.0), {"seed": 1, "epoch": 4, "view": 1}
    before = augmentation.view(z_BCT, present_BC, id_B, **key)
    after = augmentation.view(z_BCT, present_BC, id_B, **(key | change))
    changed = (before != after).any(-1)
    assert changed[present_BC > 0].all()


def test_a_view_is_finite_and_an_absent_channel_stays_silent() -> None:
    z_BCT, present_BC, id_B = windows()
    view = Augmentation(1000, 125.0).view(z_BCT, present_BC, id_B, seed=0, epoch=0, view=0)
    assert view.shape == (12, 2, 1000)
    assert torch.isfinite(view).all()
    assert (view[2, 1] == 0).all()
    assert (view[2, 0] != 0).any()


def test_without_distortion_both_channels_are_cut_at_one_place_and_time_is_not_stretched() -> None:
    ramp_T = torch.arange(1250, dtype=torch.float32)
    z_BCT = torch.stack([ramp_T, ramp_T]).expand(40, 2, -1)
    plain = Augmentation(1000, 125.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    view = plain.view(z_BCT, torch.ones(40, 2), torch.arange(40), seed=0, epoch=0, view=0)
    start_B = view[:, 0, 0].round()
    assert start_B.min() >= 0
    assert start_B.max() <= 250
    assert len(start_B.unique()) > 25
    expected = start_B[:, None] + torch.arange(1000)
    torch.testing.assert_close(view, expected[:, None].expand(-1, 2, -1), atol=1e-3, rtol=0)


def test_each_distortion_keeps_to_its_limit() -> None:
    ones_BCT, present_BC, id_B = torch.ones(200, 2, 1000), torch.ones(200, 2), torch.arange(200)
    key = {"seed": 0, "epoch": 0, "view": 0}
    masked = Augmentation(1000, 125.0, 1.0, 0.0, 0.0, 0.0, 0.15).view(ones_BCT, present_BC, id_B, **key)
    blank_BC = (masked == 0).float().mean(-1)
    assert blank_BC.max() <= 0.15
    assert blank_BC.mean() > 0.05
    assert (torch.diff((masked == 0).int(), dim=-1) == 1).sum(-1).max() <= 1
    scaled = Augmentation(1000, 125.0, 1.5, 0.0, 0.0, 0.0, 0.0).view(ones_BCT, present_BC, id_B, **key)
    assert scaled.min() >= 1 / 1.5 - 1e-5
    assert scaled.max() <= 1.5 + 1e-5
    wander = Augmentation(1000, 125.0, 1.0, 0.0, 0.3, 0.0, 0.0).view(ones_BCT, present_BC, id_B, **key) - 1
    assert wander.abs().max() <= 0.9 + 1e-5
    power_F = torch.fft.rfft(wander * torch.hann_window(1000)).abs().square().mean((0, 1))
    assert power_F[: math.ceil(1.0 * 8)].sum() / power_F.sum() > 0.99


@pytest.mark.parametrize(("strength", "share"), [(0.0, 0.0), (1.0, 0.15), (2.0, 0.3), (5.0, 0.5)])
def test_strength_makes_every_distortion_so_many_times_as_strong(strength: float, share: float) -> None:
    scaled = Augmentation.of_strength(1000, 125.0, strength)
    usual = Augmentation(1000, 125.0)
    for name in ("max_noise", "max_wander", "spectral_jitter"):
        assert getattr(scaled, name) == pytest.approx(strength * getattr(usual, name))
    assert math.log(scaled.max_gain) == pytest.approx(strength * math.log(usual.max_gain))
    assert scaled.max_masked_share == pytest.approx(share)
    assert (scaled == usual) == (strength == 1.0)
    z_BCT, present_BC, id_B = windows()
    view = scaled.view(z_BCT, present_BC, id_B, seed=0, epoch=0, view=0)
    assert torch.isfinite(view).all()


def test_spectral_jitter_changes_bands_by_about_its_size() -> None:
    generator = torch.Generator().manual_seed(0)
    z_BCT = torch.randn(64, 2, 1000, generator=generator)
    jittered = Augmentation(1000, 125.0, 1.0, 0.0, 0.0, 0.2, 0.0).view(
        z_BCT, torch.ones(64, 2), torch.arange(64), seed=0, epoch=0, view=0
    )
    log_gain = (torch.fft.rfft(jittered).abs() / torch.fft.rfft(z_BCT).abs())[..., 1:-1].log()
    assert abs(log_gain.mean()) < 0.05
    assert 0.12 < log_gain.std() < 0.25


def test_robust_zscore_gives_noise_unit_variance_and_resists_an_artefact() -> None:
    generator = torch.Generator().manual_seed(1)
    x_BCT = 0.2 * torch.randn(8, 2, 1250, generator=generator) + 5
    z_BCT, present_BC = robust_zscore(x_BCT)
    assert present_BC.all()
    assert ((z_BCT.std(-1) - 1).abs() < 0.1).all()
    spiked_BCT = x_BCT.clone()
    spiked_BCT[:, 0, 100:110] += 1000
    y_BCT, _ = robust_zscore(spiked_BCT)
    assert y_BCT.max() == LIMIT
    assert (y_BCT[:, 0, 200:] - z_BCT[:, 0, 200:]).abs().max() < 0.3
    torch.testing.assert_close(robust_zscore(3 * x_BCT)[0], z_BCT, atol=1e-4, rtol=1e-4)


def test_robust_zscore_of_absent_and_constant_channels_is_zero_and_marked() -> None:
    x_BCT = torch.zeros(2, 2, 100)
    x_BCT[0, 0], x_BCT[1, 1] = torch.arange(100.0), 3.0
    z_BCT, present_BC = robust_zscore(x_BCT)
    assert present_BC.tolist() == [[1, 0], [0, 0]]
    assert (z_BCT[0, 1] == 0).all()
    assert (z_BCT[1] == 0).all()


def view_by_hand(z_CT: np.ndarray, key: torch.Tensor, augmentation: Augmentation) -> np.ndarray:
    """The view of one window with the same draws, written out plainly in float64."""
    C, n, fs_hz = len(z_CT), augmentation.crop_samples, augmentation.fs_hz
    random = CounterRandom(key[None])
    uniform = random.uniform(0, 1 + 13 * C)[0].double().numpy()
    normal = random.normal(1, C * (8 + n))[0].double().numpy()
    start = int(uniform[0] * (z_CT.shape[1] - n + 1))
    out_CT = np.empty((C, n))
    time_s = np.arange(n) / fs_hz
    for c in range(C):
        scale, level, masked, place, *wander = uniform[1 + 13 * c : 14 + 13 * c]
        amplitude, frequency, phase = np.reshape(wander, (3, 3))
        octave_F = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / fs_hz), 0.5)) + 1
        gain_F = np.exp(np.interp(octave_F, np.arange(8), augmentation.spectral_jitter * normal[8 * c : 8 * c + 8]))
        x_T = np.fft.irfft(np.fft.rfft(z_CT[c, start : start + n]) * gain_F, n)
        x_T *= augmentation.max_gain ** (2 * scale - 1)
        for k in range(3):
            turns = (0.05 + 0.45 * frequency[k]) * time_s + phase[k]
            x_T += augmentation.max_wander * amplitude[k] * np.sin(2 * np.pi * turns)
        x_T += augmentation.max_noise * level * normal[8 * C + c * n : 8 * C + (c + 1) * n]
        length = int(masked * augmentation.max_masked_share * n)
        begin = int(place * (n - length + 1))
        x_T[begin : begin + length] = 0
        out_CT[c] = x_T if z_CT[c].any() else 0
    return out_CT


@pytest.mark.parametrize("crop", [1000, 911])
def test_a_view_is_what_its_draws_say(crop: int) -> None:
    z_BCT, present_BC, id_B = windows()
    augmentation = Augmentation(crop, 125.0)
    ours = augmentation.view(z_BCT, present_BC, id_B, seed=5, epoch=2, view=1)
    for i, segment_id in enumerate(id_B):
        expected_CT = view_by_hand(z_BCT[i].double().numpy(), hash_ints(5, 2, 1, segment_id), augmentation)
        np.testing.assert_allclose(ours[i].numpy(), expected_CT, atol=2e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_view_on_a_gpu_is_that_of_the_processor_within_rounding() -> None:
    z_BCT, present_BC, id_B = windows(64)
    augmentation, key = Augmentation(1000, 125.0), {"seed": 1, "epoch": 4, "view": 1}
    here = augmentation.view(z_BCT, present_BC, id_B, **key)
    there = augmentation.view(z_BCT.cuda(), present_BC.cuda(), id_B.cuda(), **key)
    torch.testing.assert_close(there.cpu(), here, atol=2e-4, rtol=0)
    torch.testing.assert_close(robust_zscore(z_BCT.cuda())[0].cpu(), robust_zscore(z_BCT)[0], atol=1e-5, rtol=0)


def test_hashes_of_numbers_and_of_tensors_are_the_same() -> None:
    numbers = [3, -(2**63), 2**63 - 1, -1, 0]
    assert int(hash_ints(*numbers)) == int(hash_ints(*(torch.tensor(n) for n in numbers)))
    assert int(hash_ints(7, torch.tensor(5), 2)) == int(hash_ints(7, 5, 2))
    expected = 0
    for number in (7, 5):
        expected = splitmix_finaliser(((expected ^ number) + 0x9E3779B97F4A7C15) & MASK)
    assert int(hash_ints(7, 5)) & MASK == expected


def test_robust_zscore_takes_exact_order_statistics() -> None:
    generator = torch.Generator().manual_seed(2)
    x_BCT = torch.randn(5, 3, 1250, generator=generator).round(decimals=1)
    centre = x_BCT.sort(-1).values[..., 624:625]
    deviation = x_BCT - centre
    width = deviation.abs().sort(-1).values[..., 1187:1188] / 1.96
    assert torch.equal(robust_zscore(x_BCT)[0], (deviation / width).clamp(-LIMIT, LIMIT))
    # Sorted by torch where a gradient is asked for, and on a GPU.
    assert torch.equal(robust_zscore(x_BCT.clone().requires_grad_())[0], robust_zscore(x_BCT)[0])
