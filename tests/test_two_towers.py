"""Two towers: each sees its own channel, and the mean is over those that are there."""

import pytest
import torch

from ecgppg.models.registry import build_encoder
from ecgppg.models.two_towers import TwoTowers


@pytest.fixture
def network() -> TwoTowers:
    torch.manual_seed(0)
    return TwoTowers(2, [8, 8], 6)


def test_an_embedding_is_the_mean_of_the_towers_of_its_channels(network: TwoTowers) -> None:
    z_BCT, present_BC = torch.randn(4, 2, 300), torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    ecg_BD, ppg_BD = (
        tower(z_BCT[:, channel : channel + 1], torch.ones(4, 1)) for channel, tower in enumerate(network.towers)
    )
    expected = torch.stack([(ecg_BD[0] + ppg_BD[0]) / 2, ecg_BD[1], ppg_BD[2], torch.zeros(6)])
    torch.testing.assert_close(network(z_BCT, present_BC), expected, atol=1e-5, rtol=1e-5)


def test_what_stands_in_an_absent_channel_is_not_looked_at(network: TwoTowers) -> None:
    z_BCT, present_BC = torch.randn(3, 2, 300), torch.tensor([[1.0, 0.0]]).expand(3, 2)
    other_BCT = z_BCT.clone()
    other_BCT[:, 1] = float("nan")
    assert torch.equal(network(z_BCT, present_BC), network(other_BCT, present_BC))


def test_a_tower_without_a_row_does_not_run_and_has_gradients_of_zero(network: TwoTowers) -> None:
    ran = []
    network.towers[1].register_forward_hook(lambda *_: ran.append(1))
    network(torch.randn(3, 2, 300), torch.tensor([[1.0, 0.0]]).expand(3, 2)).square().sum().backward()
    assert not ran
    assert all(p.grad is not None and not p.grad.any() for p in network.towers[1].parameters())
    assert all(p.grad is not None and p.grad.any() for p in network.towers[0].parameters())


def test_registry_builds_it() -> None:
    built = build_encoder({"name": "two_towers", "n_channels": 2, "hidden_dims": [4], "embedding_dim": 3})
    assert built(torch.randn(2, 2, 500), torch.ones(2, 2)).shape == (2, 3)
