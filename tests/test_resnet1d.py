"""The encoder: shapes, absent channels, independence of the batch, descriptions."""

import pytest
import torch

from ecgppg.config.errors import ConfigError
from ecgppg.models.projector import Projector
from ecgppg.models.registry import build_encoder
from ecgppg.models.resnet1d import ResNet1d
from tests.resnet1d_reference import plain


def encoder(hidden_dims: list[int] | None = None) -> ResNet1d:
    torch.manual_seed(0)
    return ResNet1d(2, hidden_dims or [8, 12, 16], 10).eval()


@pytest.mark.parametrize("hidden_dims", [[8], [7, 5], [64, 128, 256, 512]])
@pytest.mark.parametrize("samples", [1250, 1000, 911, 65])
def test_windows_of_any_length_give_one_vector_each(hidden_dims: list[int], samples: int) -> None:
    embedding = encoder(hidden_dims)(torch.randn(3, 2, samples), torch.ones(3, 2))
    assert embedding.shape == (3, 10)
    assert torch.isfinite(embedding).all()


@pytest.mark.parametrize("hidden_dims", [[8, 16], [7, 5, 12]])
@pytest.mark.parametrize("samples", [1000, 911])
def test_embeddings_and_gradients_are_those_of_the_network_written_plainly(
    hidden_dims: list[int], samples: int
) -> None:
    network = encoder(hidden_dims)
    z_BCT, present_BC = torch.randn(5, 2, samples), torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1, 1], [1, 1]])
    results = []
    for embed in (network, lambda *rows: plain(network, *rows)):
        network.zero_grad()
        embedding_BD = embed(z_BCT, present_BC)
        embedding_BD.square().sum().backward()
        results.append([embedding_BD.detach(), *(p.grad.clone() for p in network.parameters())])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-4)


def test_an_embedding_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    network, z_BCT = encoder().train(), torch.randn(6, 2, 1000)
    together = network(z_BCT, torch.ones(6, 2))
    alone = torch.cat([network(z_BCT[i : i + 1], torch.ones(1, 2)) for i in range(6)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_absent_is_told_apart_from_flat() -> None:
    network, z_BCT = encoder(), torch.randn(1, 2, 1000)
    z_BCT[:, 1] = 0
    flat, absent = network(z_BCT, torch.ones(1, 2)), network(z_BCT, torch.tensor([[1.0, 0.0]]))
    assert (flat - absent).abs().max() > 1e-3


def test_every_weight_gets_a_gradient() -> None:
    network = encoder()
    network(torch.randn(4, 2, 1000), torch.ones(4, 2)).square().mean().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_constant_input_gives_finite_gradients() -> None:
    network = encoder()
    network(torch.zeros(2, 2, 1000), torch.zeros(2, 2)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_registry_builds_from_a_description_and_refuses_others() -> None:
    built = build_encoder({"name": "resnet1d", "n_channels": 1, "hidden_dims": [4], "embedding_dim": 3})
    assert built(torch.randn(2, 1, 500), torch.ones(2, 1)).shape == (2, 3)
    with pytest.raises(ConfigError, match=r"vgg.*known: resnet1d"):
        build_encoder({"name": "vgg"})
    with pytest.raises(ConfigError, match="depth"):
        build_encoder({"name": "resnet1d", "n_channels": 1, "hidden_dims": [4], "embedding_dim": 3, "depth": 9})


def test_projector_maps_embedding_to_projection() -> None:
    assert Projector(10, 4)(torch.randn(3, 10)).shape == (3, 4)
