"""The temperature: fixed, learnt, and never at its floor."""

import pytest
import torch

from ecgppg.objectives.contrastive import nt_xent
from ecgppg.objectives.temperature import Temperature


def test_a_fixed_temperature_is_a_number_without_weights() -> None:
    temperature = Temperature(0.2)
    assert temperature() == 0.2
    assert not list(temperature.parameters())


def test_a_learnt_one_starts_where_it_was_told() -> None:
    assert float(Temperature(0.2, True, 0.05)().detach()) == pytest.approx(0.2, rel=1e-6)
    with pytest.raises(ValueError, match=r"above its floor 0\.1"):
        Temperature(0.1, True, 0.1)


def test_the_floor_holds_after_many_steps_of_an_objective_that_wants_none() -> None:
    """Pairs that agree wholly are told apart the better the smaller the temperature: nothing but the floor stops it."""
    temperature = Temperature(0.2, True, 0.05)
    optimizer = torch.optim.AdamW(temperature.parameters(), lr=0.3)
    rows_NP = torch.eye(8) + 0.5
    seen = []
    for _ in range(300):
        optimizer.zero_grad()
        nt_xent(rows_NP, rows_NP, temperature()).backward()
        optimizer.step()
        seen.append(float(temperature().detach()))
    assert min(seen) >= 0.05
    assert seen[-1] < 0.06
    assert all(torch.isfinite(p).all() and torch.isfinite(p.grad).all() for p in temperature.parameters())


def test_a_temperature_that_had_sunk_rises_where_the_pairs_disagree() -> None:
    temperature = Temperature(0.0501, True, 0.05)
    optimizer = torch.optim.AdamW(temperature.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(0)
    a_NP, b_NP = torch.randn(16, 8, generator=generator), torch.randn(16, 8, generator=generator)
    for _ in range(200):
        optimizer.zero_grad()
        nt_xent(a_NP, b_NP, temperature()).backward()
        optimizer.step()
    assert float(temperature().detach()) > 0.5
