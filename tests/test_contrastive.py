"""The contrastive terms beside plain loops, and at their edges."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ecgppg.objectives.contrastive import cross_modal, nt_xent
from ecgppg.objectives.measures import alignment, uniformity
from tests.contrastive_reference import cross_modal_by_loops, nt_xent_by_loops, rows_of

TERMS = [nt_xent, cross_modal]
REFERENCES = {nt_xent: nt_xent_by_loops, cross_modal: cross_modal_by_loops}
Term = Callable[..., Tensor]


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("group", [None, [0, 0, 1, 2, 2, 2, 3], [0, 1, 2, 3, 4, 5, 6]])
def test_loss_is_that_of_plain_loops(term: Term, temperature: float, group: list[int] | None) -> None:
    a_NP, b_NP = rows_of()
    group_N = None if group is None else torch.tensor(group)
    expected = REFERENCES[term](a_NP.tolist(), b_NP.tolist(), temperature, group)
    assert float(term(a_NP, b_NP, temperature, group_N)) == pytest.approx(expected, rel=1e-5)


def test_partners_have_groups_of_their_own() -> None:
    a_NP, b_NP = rows_of()
    ids_a, ids_b = [0, 1, 2, 3, 4, 5, 6], [1, 0, 9, 2, 8, 7, 7]
    ours = nt_xent(a_NP, b_NP, 0.1, torch.tensor(ids_a), torch.tensor(ids_b))
    assert float(ours) == pytest.approx(nt_xent_by_loops(a_NP.tolist(), b_NP.tolist(), 0.1, ids_a, ids_b), rel=1e-5)


@pytest.mark.parametrize("term", TERMS)
def test_gradient_is_that_of_finite_differences(term: Term) -> None:
    a_NP, b_NP = rows_of(4, 3)
    a_NP.requires_grad_()
    group = [0, 0, 1, 2]
    term(a_NP, b_NP, 0.5, torch.tensor(group)).backward()
    assert a_NP.grad is not None
    rows, step = a_NP.detach().double().tolist(), 1e-5
    for i in range(4):
        for k in range(3):
            at = []
            for moved in (step, -step):
                rows[i][k] += moved
                at.append(REFERENCES[term](rows, b_NP.double().tolist(), 0.5, group))
                rows[i][k] -= moved
            assert float(a_NP.grad[i, k]) == pytest.approx((at[0] - at[1]) / (2 * step), abs=1e-5)


def test_identical_views_far_from_all_others_cost_nothing() -> None:
    eye = torch.eye(6)
    assert float(nt_xent(eye, eye, 0.1)) == pytest.approx(math.log(1 + 10 * math.exp(-10)), abs=1e-6)
    assert float(cross_modal(eye, eye, 0.1)) == pytest.approx(math.log(1 + 5 * math.exp(-10)), abs=1e-6)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("value", [0.0, 1.0, 1e-30, 1e30])
def test_equal_and_zero_vectors_give_finite_loss_and_gradient(term: Term, value: float) -> None:
    a_NP = torch.full((4, 3), value, requires_grad=True)
    loss = term(a_NP, a_NP * 1.0, 0.01)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(a_NP.grad).all()


@pytest.mark.parametrize("term", TERMS)
def test_one_zero_vector_among_others_does_not_outweigh_the_batch(term: Term) -> None:
    a_NP, b_NP = rows_of()
    a_NP[2] = 0
    a_NP.requires_grad_()
    term(a_NP, b_NP, 0.1).backward()
    assert float(a_NP.grad.abs().max()) < 1e8


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("n", [0, 1, 7])
def test_rows_without_negatives_cost_nothing_and_have_a_gradient_of_zero(term: Term, n: int) -> None:
    a_NP, b_NP = rows_of(n)
    a_NP.requires_grad_()
    loss = term(a_NP, b_NP, 0.1, torch.zeros(n, dtype=torch.int64))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not a_NP.grad.any()


@pytest.mark.parametrize("term", TERMS)
def test_a_row_whose_strangers_are_none_takes_nothing_from_the_others(term: Term) -> None:
    """Two patients: with one window each they are told apart; a third window of the first changes who is averaged."""
    a_NP, b_NP = rows_of(3)
    loss = term(a_NP, b_NP, 0.1, torch.tensor([0, 0, 1]))
    expected = REFERENCES[term](a_NP.tolist(), b_NP.tolist(), 0.1, [0, 0, 1])
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("term", TERMS)
def test_logits_are_float32_under_autocast(term: Term) -> None:
    a_NP, b_NP = rows_of(32, 64)
    exact = term(a_NP, b_NP, 0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = term(a_NP, b_NP, 0.05)
    assert under.dtype == torch.float32
    assert float(under) == float(exact)


@pytest.mark.parametrize("term", TERMS)
def test_loss_does_not_depend_on_the_order_of_the_batch(term: Term) -> None:
    a_NP, b_NP = rows_of()
    order, group_N = torch.tensor([3, 0, 6, 1, 5, 2, 4]), torch.tensor([0, 0, 1, 2, 2, 2, 3])
    shuffled = term(a_NP[order], b_NP[order], 0.1, group_N[order])
    assert float(shuffled) == pytest.approx(float(term(a_NP, b_NP, 0.1, group_N)), rel=1e-6)


@pytest.mark.parametrize("term", TERMS)
def test_loss_does_not_depend_on_the_length_of_vectors_nor_on_which_side_is_which(term: Term) -> None:
    a_NP, b_NP = rows_of()
    loss = float(term(a_NP, b_NP, 0.1))
    assert float(term(1000 * a_NP, 0.01 * b_NP, 0.1)) == pytest.approx(loss, rel=1e-5)
    assert float(term(b_NP, a_NP, 0.1)) == pytest.approx(loss, rel=1e-6)


def test_alignment_and_uniformity_at_their_ends() -> None:
    a_NP, b_NP = rows_of(2000, 64)
    assert float(alignment(a_NP, a_NP)) == 0
    assert float(alignment(a_NP, b_NP)) == pytest.approx(2, abs=0.05)
    assert float(uniformity(torch.ones(10, 4))) == pytest.approx(0, abs=1e-5)
    assert -4 < float(uniformity(a_NP)) < -3.5
