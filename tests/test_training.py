"""Training learns what was planted, measures itself, and stops when it cannot go on."""

import json
import math
import signal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgppg.config.errors import ConfigError, InputError, RunError, Terminated
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.stages import train as train_stage
from ecgppg.stages.train import windows_of
from ecgppg.training.collapse import LEAST_EFFECTIVE_RANK
from ecgppg.training.device import choose_device, uses_bf16
from ecgppg.training.export import read_encoder
from ecgppg.training.interrupt import interrupts_deferred
from ecgppg.training.monitor import Monitor, read_metrics
from ecgppg.training.schedule import Schedule
from ecgppg.training.step import ContrastiveStep, StepResult
from ecgppg.training.validation import effective_rank
from tests.small_dataset import PLAIN, small_settings, write_small_dataset


@pytest.fixture
def layout(tmp_path: Path) -> OutputLayout:
    torch.set_num_threads(1)
    return OutputLayout(tmp_path)


def probe(layout: OutputLayout, irregular_N: np.ndarray) -> float:
    """AUROC of a linear probe for irregular rhythm, fitted on train patients, judged on the others."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    encoder = read_encoder(layout.encoder)
    parts = {name: windows_of(layout, name) for name in ("train", "test")}
    x = {name: encoder.embed(w.source.read(w.row_N)) for name, w in parts.items()}
    y = {name: irregular_N[w.row_N] for name, w in parts.items()}
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)).fit(x["train"], y["train"])
    return float(roc_auc_score(y["test"], model.decision_function(x["test"])))


BY_DEFAULT = {name: Settings.model_fields[name].default for name in PLAIN}


@pytest.mark.parametrize("objective", [PLAIN, BY_DEFAULT], ids=["plain", "by default"])
def test_loss_falls_and_embeddings_hold_the_planted_rhythm(layout: OutputLayout, objective: dict[str, object]) -> None:
    irregular_N = write_small_dataset(layout, n_patients=24, n_windows=16)
    sizes = {"num_epochs": 8, "hidden_dims": [16, 32, 32], "embedding_dim": 32, "batch_size": 32}
    settings = small_settings(**objective | sizes)
    summary = train_stage.run(settings, layout)
    rows = read_metrics(layout.metrics)
    assert rows[-1]["train_loss"] < 0.6 * rows[0]["train_loss"]
    assert min(row["val_loss"] for row in rows) == summary["best_val_loss"] < 0.75 * rows[0]["val_loss"]
    # There is little to know of these windows beside their rate and rhythm.
    assert rows[-1]["effective_rank"] > LEAST_EFFECTIVE_RANK
    assert rows[-1]["uniformity"] < -1
    assert probe(layout, irregular_N) > 0.95


def test_every_epoch_has_its_measures_once(layout: OutputLayout) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write_small_dataset(layout)
    train_stage.run(small_settings(), layout)
    rows = read_metrics(layout.metrics)
    names = "epoch step train_loss val_loss lr grad_norm segments_per_s embedding_std effective_rank alignment"
    terms = ["val_objective_views", "val_objective_beats"]
    assert [list(row) for row in rows] == [[*names.split(), "uniformity", "skipped_steps", *terms]] * 2
    assert [row["step"] for row in rows] == [4, 8]
    assert all(isinstance(v, int | float) and math.isfinite(v) for row in rows for v in row.values())
    events = EventAccumulator(str(layout.tensorboard))
    events.Reload()
    assert [(e.step, pytest.approx(e.value)) for e in events.Scalars("val_loss")] == [
        (row["step"], row["val_loss"]) for row in rows
    ]


def test_encoder_folder_names_its_patients_and_loads(layout: OutputLayout) -> None:
    write_small_dataset(layout)
    summary = train_stage.run(small_settings(), layout)
    encoder = read_encoder(layout.encoder)
    assert encoder.train_subject_ids == {1, 3, 5, 7, 9, 11}
    manifest = encoder.description
    assert manifest["val_subject_ids"] == [2, 6, 10]
    assert manifest["dataset_content_hash"] == windows_of(layout, "train").source.attributes["content_hash"]
    assert encoder.description["weights"]["epoch"] == summary["best_epoch"]
    card = (layout.encoder / "model_card.md").read_text()
    assert "| train | 72 |" in card
    assert "Limits" in card


def test_without_validation_patients_the_last_weights_are_written(layout: OutputLayout) -> None:
    import pandas as pd

    write_small_dataset(layout, n_patients=3)
    splits = pd.read_parquet(layout.splits)
    splits.assign(split="train").to_parquet(layout.splits, index=False)
    summary = train_stage.run(small_settings(), layout)
    assert summary["best_epoch"] is None
    weights = read_encoder(layout.encoder).description["weights"]
    assert (weights["epoch"], weights["val_loss"]) == (2, None)
    assert all(row["val_loss"] is None for row in read_metrics(layout.metrics))


def test_a_dataset_without_ppg_trains(layout: OutputLayout) -> None:
    write_small_dataset(layout, without_ppg=True)
    train_stage.run(small_settings(num_epochs=1), layout)
    assert math.isfinite(read_metrics(layout.metrics)[0]["train_loss"])


def test_nothing_to_train_on_and_too_long_a_crop_are_said(layout: OutputLayout) -> None:
    write_small_dataset(layout, n_patients=1, n_windows=1)
    with pytest.raises(InputError, match="at least two windows in split train; there are 1"):
        train_stage.run(small_settings(), layout)
    with pytest.raises(ConfigError, match="crop_seconds: 11 is longer than segment_seconds 10"):
        train_stage.run(small_settings(crop_seconds=11), layout)


def test_one_patient_has_nobody_to_be_told_from(layout: OutputLayout) -> None:
    write_small_dataset(layout, n_patients=1, n_windows=8)
    with pytest.raises(InputError, match="two patients in split train"):
        train_stage.run(small_settings(), layout)
    train_stage.run(small_settings(num_epochs=1, same_patient_negatives=True), layout)
    assert read_metrics(layout.metrics)[0]["train_loss"] > 0


def test_steps_that_are_not_finite_change_nothing_and_are_counted(
    layout: OutputLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_small_dataset(layout)
    original, calls = ContrastiveStep.outcome, [0]

    def sometimes_nan(self: ContrastiveStep, *args: object) -> object:
        views = original(self, *args)
        if self.model.training:
            calls[0] += 1
            if calls[0] == 2:
                object.__setattr__(views, "loss", views.loss * float("nan"))
        return views

    monkeypatch.setattr(ContrastiveStep, "outcome", sometimes_nan)
    train_stage.run(small_settings(), layout)
    rows = read_metrics(layout.metrics)
    assert [row["skipped_steps"] for row in rows] == [1, 0]
    assert all(math.isfinite(row["train_loss"]) for row in rows)


def test_twenty_bad_steps_in_a_row_end_the_run(layout: OutputLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_dataset(layout)
    monkeypatch.setattr(ContrastiveStep, "train", lambda self, *args: StepResult(float("nan"), 1.0, False))
    with pytest.raises(RunError, match=r"20 steps in a row.*epoch 5.*learning_rate"):
        train_stage.run(small_settings(num_epochs=50), layout)
    rows = [json.loads(line) for line in layout.metrics.read_text().splitlines()]
    assert [row["train_loss"] for row in rows] == [None] * 4
    # What was saved remembers them: the next bad step ends it again, unless more are allowed.
    with pytest.raises(RunError, match=r"21 steps in a row.*max_skipped_steps is 3"):
        train_stage.run(small_settings(num_epochs=50, max_skipped_steps=3), layout)


def test_schedule_warms_up_and_falls_to_nothing() -> None:
    schedule = Schedule(peak=1.0, total_steps=100, warmup_share=0.1)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == max(rates) == 1.0
    assert all(a >= b for a, b in pairwise(rates[9:]))
    assert rates[-1] < 0.001
    assert rates[55] == pytest.approx(0.5)


def test_lengthened_schedule_ramps_up_to_the_longer_curve() -> None:
    longer = Schedule(1.0, 200, 0.1)
    extended = Schedule(1.0, 200, 0.1, extended_at=100)
    assert extended.rate(100) == pytest.approx(longer.rate(100) / 20)
    assert extended.rate(119) == longer.rate(119)
    assert extended.rate(150) == longer.rate(150)


def test_a_schedule_of_one_step_has_a_rate() -> None:
    assert Schedule(1.0, 1, 0.0).rate(0) == 1.0


def test_a_signal_waits_for_the_check_and_a_second_does_not() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interrupts_deferred() as interruption:
        interruption.check()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Terminated):
            interruption.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_effective_rank_counts_directions() -> None:
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(500, 5, generator=generator) @ torch.linalg.qr(torch.randn(20, 20, generator=generator))[0][:5]
    assert effective_rank(flat) == pytest.approx(5, abs=0.1)
    assert effective_rank(torch.ones(10, 4)) == 0


def test_devices_that_are_not_here_are_refused() -> None:
    assert choose_device("cpu").type == "cpu"
    for name in ("tpu9", "cuda:99", "meta"):
        with pytest.raises(ConfigError, match="device"):
            choose_device(name)


def test_precision_is_obeyed() -> None:
    cpu = torch.device("cpu")
    assert uses_bf16("bf16", cpu)
    assert not uses_bf16("float32", cpu)
    assert isinstance(uses_bf16("auto", cpu), bool)


def test_bf16_trains_to_finite_weights(layout: OutputLayout) -> None:
    write_small_dataset(layout, n_patients=4, n_windows=4)
    train_stage.run(small_settings(num_epochs=1, precision="bf16"), layout)
    assert math.isfinite(read_metrics(layout.metrics)[0]["train_loss"])


def test_monitor_cuts_rows_of_epochs_that_will_run_again(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"epoch": 1, "step": 4, "x": 1.0}\n{"epoch": 2, "step": 8, "x": 2.0}\n{"epoch": 3, "st')
    monitor = Monitor(metrics, tmp_path / "tensorboard", epoch=1)
    monitor.add({"epoch": 2, "step": 8, "x": None})
    monitor.close()
    assert read_metrics(metrics) == [{"epoch": 1, "step": 4, "x": 1.0}, {"epoch": 2, "step": 8, "x": None}]
