"""Training with every term at once: measures, weights that are exported, and going on in the middle of an epoch."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecgppg.config.errors import Terminated
from ecgppg.config.schema import OutputLayout
from ecgppg.stages import train as train_stage
from ecgppg.training.checkpoint import load_checkpoint
from ecgppg.training.export import read_encoder
from ecgppg.training.monitor import read_metrics
from ecgppg.training.step import ContrastiveStep, StepResult
from tests.small_dataset import small_settings, write_small_dataset

EVERY = {
    "objective_near": 0.2, "near_seconds": 30, "objective_ecg_ppg": 0.5, "objective_beats": 0.3,
    "learnable_temperature": True, "encoder_name": "two_towers", "crop_seconds": 4,
}  # fmt: skip


@pytest.fixture
def layout(tmp_path: Path) -> OutputLayout:
    torch.set_num_threads(1)
    layout = OutputLayout(tmp_path / "run")
    write_small_dataset(layout)
    return layout


def test_every_term_is_measured_and_the_towers_are_exported(layout: OutputLayout) -> None:
    train_stage.run(small_settings(num_epochs=1, **EVERY), layout)
    row = read_metrics(layout.metrics)[0]
    assert math.isfinite(row["train_loss"])
    assert math.isfinite(row["val_loss"])
    encoder = read_encoder(layout.encoder)
    assert encoder.description["encoder"]["name"] == "two_towers"
    x_NCT = np.random.default_rng(0).normal(size=(3, 2, 1250)).astype(np.float32)
    x_NCT[1, 0], x_NCT[2, 1] = 0, 0
    embedded = encoder.embed(x_NCT)
    assert np.isfinite(embedded).all()
    assert embedded.std(axis=0).min() > 0


def test_stopped_in_an_epoch_it_goes_on_to_the_same_bits(layout: OutputLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    other = OutputLayout(layout.root.parent / "other")
    other.root.mkdir()
    for path in (layout.dataset, layout.splits):
        os.link(path, other.root / path.name)
    train_stage.run(small_settings(num_epochs=1, **EVERY), layout)
    original, steps = ContrastiveStep.train, [0]

    def stopped_after_two(self: ContrastiveStep, *args: Any) -> StepResult:
        steps[0] += 1
        if steps[0] == 3:
            raise Terminated
        return original(self, *args)

    monkeypatch.setattr(ContrastiveStep, "train", stopped_after_two)
    with pytest.raises(Terminated):
        train_stage.run(small_settings(num_epochs=1, **EVERY), other)
    monkeypatch.setattr(ContrastiveStep, "train", original)
    assert load_checkpoint(other.latest_checkpoint).state.batch == 2
    train_stage.run(small_settings(num_epochs=1, **EVERY), other)
    ours, theirs = (load_checkpoint(o.latest_checkpoint).model for o in (layout, other))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert "temperature.log_above_floor" in ours
