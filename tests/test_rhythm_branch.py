"""The encoder's look at what repeats: the autocorrelation against loops, planted rhythms, channels without signal."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ecgppg.models.registry import build_encoder
from ecgppg.models.rhythm import LAGS, STRIDE, WIDTH, autocorrelation

FS_HZ = 125.0


def spikes(times_s: np.ndarray, seconds: float = 10.0) -> torch.Tensor:
    t = np.arange(round(seconds * FS_HZ)) / FS_HZ
    beats = sum(np.exp(-0.5 * ((t - at) / 0.02) ** 2) for at in times_s)
    return torch.tensor(np.asarray(beats), dtype=torch.float32)[None, None]


def by_loops(z_T: np.ndarray) -> np.ndarray:
    slope = [abs(float(after) - float(before)) for before, after in pairwise(z_T)]
    places = [sum(slope[i : i + WIDTH]) / WIDTH for i in range(0, len(slope) - WIDTH + 1, STRIDE)]
    mean = sum(places) / len(places)
    centred = [p - mean for p in places]
    energy = sum(p * p for p in centred) + 1e-6 * len(places)
    return np.array(
        [sum(a * b for a, b in zip(centred, centred[lag:], strict=False)) / energy for lag in range(1, LAGS + 1)]
    )


@pytest.mark.parametrize("samples", [65, 1000, 1250])
def test_autocorrelation_is_the_sum_over_pairs_of_places(samples: int) -> None:
    z_BCT = torch.randn(2, 3, samples, generator=torch.Generator().manual_seed(0))
    found_BCL = autocorrelation(z_BCT)
    assert found_BCL.shape == (2, 3, LAGS)
    for b, c in np.ndindex(2, 3):
        np.testing.assert_allclose(found_BCL[b, c], by_loops(z_BCT[b, c].numpy()), atol=2e-5)


@pytest.mark.parametrize("rr_s", [0.5, 0.8, 1.2])
def test_an_even_rhythm_is_like_itself_one_beat_later_and_an_uneven_one_is_not(rr_s: float) -> None:
    rng = np.random.default_rng(0)
    even = np.arange(0.3, 9.7, rr_s)
    uneven = 0.3 + np.concatenate([[0], np.cumsum(rr_s * rng.uniform(0.6, 1.4, 40))])
    even_L, uneven_L = (autocorrelation(spikes(times[times < 9.7]))[0, 0] for times in (even, uneven))
    first = slice(5, None)  # nearer than 0.19 s a beat is like itself
    beats_later = (int(even_L[first].argmax()) + 6) * STRIDE / FS_HZ / rr_s
    assert beats_later == pytest.approx(round(beats_later), abs=0.05)
    assert even_L[first].max() > 0.75
    assert uneven_L[first].max() < 0.5


def test_channels_without_signal_are_zeros_and_give_no_gradient_that_is_not_finite() -> None:
    z_BCT = torch.randn(3, 2, 1000, requires_grad=True)
    silent_BCT = z_BCT * torch.tensor([1.0, 0.0])[None, :, None]
    found_BCL = autocorrelation(silent_BCT)
    found_BCL.square().sum().backward()
    assert not found_BCL[:, 1].any()
    assert z_BCT.grad is not None
    assert torch.isfinite(z_BCT.grad).all()


@pytest.mark.parametrize("name", ["resnet1d", "two_towers"])
def test_every_weight_of_an_encoder_with_it_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    described = {"name": name, "n_channels": 2, "hidden_dims": [8, 12], "embedding_dim": 10}
    plain, network = build_encoder(described), build_encoder({**described, "rhythm": True})
    network(torch.randn(8, 2, 1000), torch.ones(8, 2)).square().mean().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert set(plain.state_dict()) < set(network.state_dict())
