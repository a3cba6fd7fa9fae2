"""NT-Xent beside three plain loops."""

import math

import pytest
import torch

from ecgppg.objectives.contrastive import NTXent, alignment, uniformity


def by_loops(a: list[list[float]], b: list[list[float]], temperature: float, group: list[int] | None = None) -> float:
    z = a + b
    patient = None if group is None else group + group
    n, total = len(a), 0.0
    norm = [max(math.sqrt(sum(v * v for v in row)), 1e-12) for row in z]
    for i in range(2 * n):
        positive, denominator, numerator = (i + n) % (2 * n), 0.0, 0.0
        for j in range(2 * n):
            if j == i or (patient is not None and patient[i] == patient[j] and j != positive):
                continue
            similarity = 0.0
            for k in range(len(z[i])):
                similarity += z[i][k] / norm[i] * z[j][k] / norm[j]
            denominator += math.exp(similarity / temperature)
            if j == positive:
                numerator = similarity / temperature
        total += math.log(denominator) - numerator
    return total / (2 * n)


def pair(n: int = 7, p: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, p, generator=generator), torch.randn(n, p, generator=generator)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("group", [None, [0, 0, 1, 2, 2, 2, 3]])
def test_loss_is_that_of_three_loops(temperature: float, group: list[int] | None) -> None:
    a_BP, b_BP = pair()
    group_B = None if group is None else torch.tensor(group)
    ours = NTXent(temperature)(a_BP, b_BP, group_B)
    assert float(ours) == pytest.approx(by_loops(a_BP.tolist(), b_BP.tolist(), temperature, group), rel=1e-5)


def test_identical_views_far_from_all_others_cost_nothing() -> None:
    eye = torch.eye(6)
    assert float(NTXent(0.1)(eye, eye)) == pytest.approx(math.log(1 + 10 * math.exp(-10)), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-30, 1e30])
def test_equal_and_zero_vectors_give_finite_loss_and_gradient(value: float) -> None:
    a_BP = torch.full((4, 3), value, requires_grad=True)
    loss = NTXent(0.01)(a_BP, a_BP * 1.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(a_BP.grad).all()


def test_a_batch_of_one_patient_has_no_negatives_and_no_loss() -> None:
    a_BP, b_BP = pair()
    loss = NTXent(0.1)(a_BP, b_BP, torch.zeros(7, dtype=torch.int64))
    assert float(loss) == 0


def test_logits_are_float32_under_autocast() -> None:
    a_BP, b_BP = pair(32, 64)
    exact = NTXent(0.05)(a_BP, b_BP)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = NTXent(0.05)(a_BP, b_BP)
    assert under.dtype == torch.float32
    assert float(under) == float(exact)


def test_loss_does_not_depend_on_the_order_of_the_batch() -> None:
    a_BP, b_BP = pair()
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    assert float(NTXent(0.1)(a_BP[order], b_BP[order])) == pytest.approx(float(NTXent(0.1)(a_BP, b_BP)), rel=1e-6)


def test_alignment_and_uniformity_at_their_ends() -> None:
    a_BP, b_BP = pair(2000, 64)
    assert float(alignment(a_BP, a_BP)) == 0
    assert float(alignment(a_BP, b_BP)) == pytest.approx(2, abs=0.05)
    assert float(uniformity(torch.ones(10, 4))) == pytest.approx(0, abs=1e-5)
    assert -4 < float(uniformity(a_BP)) < -3.5
