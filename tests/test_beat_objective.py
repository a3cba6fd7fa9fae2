"""Predicting rate and irregularity: targets, unknown rows, and that a network learns it."""

import math

import pytest
import torch

from ecgppg.objectives.beats import CENTRE, LEAST_CV, SPREAD, beat_loss, beat_targets

NAN = math.nan
BEATS = torch.tensor([[60.0, 0.05], [NAN, NAN], [120.0, 0.4], [0.0, 0.0], [80.0, 0.0]])


def test_targets_are_standardised_logs_and_unknown_rows_are_marked() -> None:
    target_N2, known_N2 = beat_targets(BEATS)
    assert known_N2.all(1).tolist() == known_N2.any(1).tolist() == [True, False, True, False, True]
    for i in (0, 2, 4):
        rate, cv = BEATS[i].tolist()
        assert float(target_N2[i, 0]) == pytest.approx((math.log(rate) - CENTRE[0]) / SPREAD[0], abs=1e-5)
        assert float(target_N2[i, 1]) == pytest.approx((math.log(cv + LEAST_CV) - CENTRE[1]) / SPREAD[1], abs=1e-5)
    assert not target_N2[1].any()


def test_loss_is_the_mean_huber_loss_of_the_known_rows() -> None:
    target_N2, known_N2 = beat_targets(BEATS)
    predicted_N2 = torch.tensor([[0.1, 3.0], [NAN, 9.0], [1.0, 1.0], [5.0, 5.0], [0.0, -9.0]])
    total = 0.0
    for i in (0, 2, 4):
        for k in (0, 1):
            error = abs(float(predicted_N2[i, k]) - float(target_N2[i, k]))
            total += error - 0.5 if error > 1 else 0.5 * error * error
    assert float(beat_loss(predicted_N2, target_N2, known_N2)) == pytest.approx(total / 6, rel=1e-5)


@pytest.mark.parametrize("rows", [0, 3])
def test_rows_that_are_all_unknown_cost_nothing(rows: int) -> None:
    predicted_N2 = torch.ones(rows, 2, requires_grad=True)
    loss = beat_loss(predicted_N2, *beat_targets(torch.full((rows, 2), NAN)))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not predicted_N2.grad.any()
