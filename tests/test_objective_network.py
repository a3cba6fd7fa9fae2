"""The weighted sum of terms on a network: what it costs, what it adds up to, and windows without a channel."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecgppg.config.errors import ConfigError
from ecgppg.config.load import build_settings
from ecgppg.config.schema import OutputLayout
from ecgppg.data.dataset import BatchLoader, SegmentBatch, select_windows
from ecgppg.data.partners import near_partners
from ecgppg.objectives.contrastive import cross_modal, nt_xent
from ecgppg.store.reader import open_dataset
from ecgppg.training.interrupt import Interruption
from ecgppg.training.network import Outcome
from ecgppg.training.step import ContrastiveStep, StepResult, build_model, build_optimizer
from ecgppg.training.validation import Validation, validate
from tests.small_dataset import small_settings, write_small_dataset
from tests.two_ranks import whole_batch

OFF: dict[str, object] = {"objective_views": 0.0, "objective_beats": 0.0, "crop_seconds": 2}
ALL: dict[str, object] = {
    "objective_views": 0.5, "objective_near": 0.3, "objective_ecg_ppg": 2.0, "objective_beats": 0.2, "crop_seconds": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def step_of(**changes: Any) -> ContrastiveStep:
    settings = small_settings(**changes)
    return ContrastiveStep(build_model(settings), settings, torch.device("cpu"), bf16=False)


def outcome_of(batch: SegmentBatch, **changes: Any) -> Outcome:
    return step_of(**changes).outcome(batch, 0)


def trained(batch: SegmentBatch, **changes: Any) -> StepResult:
    step = step_of(**changes)
    return step.train(batch, 0, build_optimizer(step.model, step.settings), 1e-3)


def only(batch: SegmentBatch, channel: int) -> SegmentBatch:
    x_BCT = torch.randn(batch.x_BCT.shape, generator=torch.Generator().manual_seed(2))
    x_BCT[:, 1 - channel] = 0
    return replace(batch, x_BCT=x_BCT)


@pytest.mark.parametrize("encoder", ["resnet1d", "two_towers"])
def test_weights_add_up(encoder: str) -> None:
    batch = whole_batch()
    together = outcome_of(batch, **ALL, encoder_name=encoder)
    weights = {name: float(str(w)) for name, w in ALL.items() if name.startswith("objective")}
    assert together.terms.keys() == weights.keys()
    total = sum(weights[name] * float(loss.detach()) for name, (loss, _) in together.terms.items())
    assert float(together.loss.detach()) == pytest.approx(total, rel=1e-6)
    for name, (loss, rows) in together.terms.items():
        if name != "objective_beats":  # alone, it sees the first views only
            alone = outcome_of(batch, **(OFF | {name: 1.0}), encoder_name=encoder)
            assert float(alone.loss.detach()) == pytest.approx(float(loss.detach()), rel=1e-4)
            assert alone.terms[name][1] == rows
    assert [rows for _, rows in together.terms.values()] == [8, 5, 2, 8 + 8 + 5 - 2]


@pytest.mark.parametrize("asked", [False, True])
def test_terms_are_those_of_the_projections_and_of_the_patients(asked: bool) -> None:
    batch = whole_batch()
    seen = outcome_of(batch, **ALL, same_patient_negatives=asked)
    group_B = (batch.segment_id_B if asked else batch.subject_id_B)[:8]
    views, crossed = seen.terms["objective_views"][0], seen.terms["objective_ecg_ppg"][0]
    torch.testing.assert_close(views, nt_xent(seen.a_BP, seen.b_BP, 0.1, group_B))
    both_J = torch.tensor([0, 3])
    torch.testing.assert_close(crossed, cross_modal(seen.ecg_JP, seen.ppg_JP, 0.1, group_B[both_J]))


def test_a_term_of_weight_zero_is_not_computed() -> None:
    batch = whole_batch()
    rows = {}
    for name in ("objective_views", "objective_near", "objective_ecg_ppg", "objective_beats"):
        step = step_of(**(OFF | {name: 1.0}))
        rows[name] = step.inputs.make(batch, 0, measured=False).sections
    assert rows == {
        "objective_views": (8, 8, 0, 0, 0),
        "objective_near": (8, 0, 5, 0, 0),
        "objective_ecg_ppg": (0, 0, 0, 2, 2),
        "objective_beats": (8, 0, 0, 0, 0),
    }
    assert set(build_model(small_settings(objective_beats=0.0))) == {"encoder", "projector"}


def test_the_objective_does_not_change_the_first_weights_of_the_encoder() -> None:
    plain, other = (build_model(small_settings(**c))["encoder"].state_dict() for c in ({}, ALL))
    assert all(torch.equal(plain[name], other[name]) for name in plain)


@pytest.mark.parametrize("encoder", ["resnet1d", "two_towers"])
@pytest.mark.parametrize("channel", [0, 1])
def test_windows_with_one_channel_alone_train_and_embed(encoder: str, channel: int) -> None:
    batch = only(whole_batch(), channel)
    result = trained(batch, **ALL, encoder_name=encoder, learnable_temperature=True)
    assert result.taken
    assert result.grad_norm > 0
    seen = outcome_of(batch, **ALL, encoder_name=encoder)
    assert float(seen.terms["objective_ecg_ppg"][0].detach()) == 0
    assert seen.embedding_BD.shape == (8, 16)
    assert float(seen.embedding_BD.detach().std(dim=0).min()) > 0


@pytest.mark.parametrize("encoder", ["resnet1d", "two_towers"])
@pytest.mark.parametrize("n_both", [0, 1, 2])
def test_ecg_against_ppg_alone_with_hardly_a_window_of_both(encoder: str, n_both: int) -> None:
    batch = only(whole_batch(), 0)
    batch.x_BCT[:n_both, 1] = torch.randn(n_both, 400, generator=torch.Generator().manual_seed(5))
    batch.subject_id_B.copy_(torch.arange(13))
    result = trained(batch, **(OFF | {"objective_ecg_ppg": 1.0}), encoder_name=encoder, learnable_temperature=True)
    assert result.taken
    assert (result.loss > 0) == (n_both == 2)


def test_a_constant_batch_and_one_of_a_single_patient_give_finite_steps() -> None:
    batch = whole_batch()
    constant = replace(batch, x_BCT=torch.ones_like(batch.x_BCT))
    assert trained(constant, **ALL).taken
    one_patient = trained(
        replace(batch, subject_id_B=torch.zeros_like(batch.subject_id_B)), crop_seconds=2, objective_beats=0.0
    )
    assert one_patient.taken
    assert (one_patient.loss, one_patient.grad_norm) == (0, 0)


def test_bf16_gives_a_loss_near_that_of_float32() -> None:
    settings = small_settings(**ALL, learnable_temperature=True)
    losses = []
    for bf16 in (False, True):
        step = ContrastiveStep(build_model(settings), settings, torch.device("cpu"), bf16)
        losses.append(step.outcome(whole_batch(), 0).loss)
    assert losses[1].dtype == torch.float32
    assert float(losses[1].detach()) == pytest.approx(float(losses[0].detach()), rel=0.05)


def test_rate_and_irregularity_are_learnt_from_the_beats_alone(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    write_small_dataset(layout, n_patients=6, n_windows=8)
    batch = select_windows(open_dataset(layout.dataset), np.arange(1, 7)).read(np.arange(48))
    step = step_of(objective_views=0.0, objective_beats=1.0, hidden_dims=[16, 16], crop_seconds=6)
    optimizer = build_optimizer(step.model, step.settings)
    losses = [step.train(batch, epoch, optimizer, 1e-2).loss for epoch in range(30)]
    assert losses[-1] < 0.75 * losses[0]


def measured(tmp_path: Path, without_ppg: bool = False, **changes: Any) -> Validation:
    layout = OutputLayout(tmp_path)
    write_small_dataset(layout, n_patients=4, n_windows=5, without_ppg=without_ppg)
    windows = select_windows(open_dataset(layout.dataset), np.arange(1, 5))
    settings = small_settings(**changes)
    step = ContrastiveStep(build_model(settings), settings, torch.device("cpu"), bf16=False)
    partners = near_partners(windows, settings.near_seconds) if settings.objective_near else None
    result = validate(step, BatchLoader(windows), 8, Interruption(), partners)
    assert result is not None
    return result


def test_validation_measures_every_term_and_the_embedding_whatever_is_trained(tmp_path: Path) -> None:
    result = measured(tmp_path, **ALL)
    total = sum(float(str(ALL[name])) * loss for name, loss in result.terms.items())
    assert list(result.terms) == [name for name in ALL if name.startswith("objective")]
    assert result.loss == pytest.approx(total)
    assert 0 < result.ecg_ppg_alignment < 4
    beats_alone = measured(tmp_path, **(OFF | {"objective_beats": 1.0}))
    assert math.isnan(beats_alone.ecg_ppg_alignment)
    assert beats_alone.effective_rank > 1
    assert math.isfinite(beats_alone.uniformity)


def test_validation_without_ppg_leaves_that_term_out_of_the_sum(tmp_path: Path) -> None:
    result = measured(tmp_path, without_ppg=True, objective_ecg_ppg=1.0, objective_beats=0.0)
    assert math.isnan(result.terms["objective_ecg_ppg"])
    assert result.loss == pytest.approx(result.terms["objective_views"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"objective_views": 0, "objective_beats": 0}, "all are 0, which leaves nothing to learn"),
        ({"objective_ecg_ppg": 1, "channels": ["ECG"], "required_channels": ["ECG"]}, "objective_ecg_ppg: needs"),
        ({"learnable_temperature": True, "temperature_floor": 0.1}, "temperature: has to start above"),
        ({"objective_near": -1}, "setting objective_near"),
        ({"encoder_name": "vgg"}, "setting encoder_name"),
    ],
)
def test_an_objective_that_cannot_be_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build_settings(values)
