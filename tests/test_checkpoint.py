"""Resume is an equation: the first k steps and the rest are all, bit for bit; what does not belong is refused."""

import ast
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ecgppg.config.errors import InputError, RefusedError, Terminated
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from ecgppg.stages import train as train_stage
from ecgppg.training.checkpoint import load_checkpoint, save_checkpoint
from ecgppg.training.interrupt import Interruption
from ecgppg.training.loop import Trainer
from ecgppg.training.monitor import read_metrics
from ecgppg.training.step import ContrastiveStep
from ecgppg.training.validation import Validation
from tests.same_training import assert_same
from tests.small_dataset import small_settings, write_small_dataset

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def layout(tmp_path: Path) -> OutputLayout:
    torch.set_num_threads(1)
    layout = OutputLayout(tmp_path / "run")
    write_small_dataset(layout)
    return layout


def copy_of(layout: OutputLayout, name: str) -> OutputLayout:
    other = OutputLayout(layout.root.parent / name)
    other.root.mkdir()
    for path in (layout.dataset, layout.splits):
        os.link(path, other.root / path.name)
    return other


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).model


def after_steps(monkeypatch: pytest.MonkeyPatch, k: int, action: Callable[[], None]) -> None:
    """Run `action` inside the k-th step from now, before the weights are updated."""
    original, seen = ContrastiveStep.train, [0]

    def train(self: ContrastiveStep, *args: object) -> object:
        seen[0] += 1
        if seen[0] == k:
            action()
        return original(self, *args)

    monkeypatch.setattr(ContrastiveStep, "train", train)


@pytest.mark.parametrize(("k", "number"), [(1, 15), (3, 2), (4, 15), (6, 15)])
def test_interrupted_in_any_step_and_continued_equals_uninterrupted(
    layout: OutputLayout, monkeypatch: pytest.MonkeyPatch, k: int, number: int
) -> None:
    settings = small_settings()
    whole = copy_of(layout, "whole")
    train_stage.run(settings, whole)
    with monkeypatch.context() as patch:
        after_steps(patch, k, lambda: os.kill(os.getpid(), number))
        with pytest.raises(Terminated if number == signal.SIGTERM else KeyboardInterrupt):
            train_stage.run(settings, layout)
    assert load_checkpoint(layout.latest_checkpoint).state.step == k
    summary = train_stage.run(settings, layout)
    assert summary["epochs"] == 2
    assert_same(layout, whole)


def test_killed_between_row_and_checkpoint_counts_the_epoch_once(layout: OutputLayout) -> None:
    whole = copy_of(layout, "whole")
    settings = small_settings(num_epochs=3)
    train_stage.run(settings, whole)
    train_stage.run(small_settings(num_epochs=3), layout)
    os.replace(layout.checkpoint(2), layout.latest_checkpoint)
    for path in layout.encoder.iterdir():
        path.unlink()
    train_stage.run(settings, layout)
    assert [row["epoch"] for row in read_metrics(layout.metrics)] == [1, 2, 3]
    assert_same(layout, whole)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_failure_inside_a_step_saves_the_state_before_it(
    layout: OutputLayout, monkeypatch: pytest.MonkeyPatch, k: int
) -> None:
    def fail() -> None:
        raise OSError("disk gone")

    whole = copy_of(layout, "whole")
    train_stage.run(small_settings(), whole)
    with monkeypatch.context() as patch:
        after_steps(patch, k, fail)
        with pytest.raises(OSError, match="disk gone"):
            train_stage.run(small_settings(), layout)
    assert layout.latest_checkpoint.exists() == (k > 1)
    train_stage.run(small_settings(), layout)
    assert_same(layout, whole)


def test_failure_inside_the_update_saves_nothing(layout: OutputLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    original, seen = torch.optim.AdamW.step, [0]

    def half(self: torch.optim.AdamW) -> None:
        seen[0] += 1
        if seen[0] == 3:
            with torch.no_grad():
                self.param_groups[0]["params"][0].add_(1.0)
            raise OSError("failed")
        original(self)

    settings = small_settings(checkpoint_minutes=0)
    monkeypatch.setattr(torch.optim.AdamW, "step", half)
    with pytest.raises(OSError, match="failed"):
        train_stage.run(settings, layout)
    assert not layout.latest_checkpoint.exists() or load_checkpoint(layout.latest_checkpoint).state.step < 3


@pytest.mark.slow
def test_workers_change_nothing(layout: OutputLayout) -> None:
    other = copy_of(layout, "workers")
    train_stage.run(small_settings(num_epochs=1), layout)
    train_stage.run(small_settings(num_epochs=1, loader_workers=2), other)
    assert_same(layout, other)


def test_kept_checkpoints_follow_checkpoint_every(layout: OutputLayout) -> None:
    train_stage.run(small_settings(num_epochs=3, checkpoint_every=2), layout)
    assert sorted(p.name for p in layout.root.glob("*.pth")) == ["checkpoint_epoch_2.pth", "latest_checkpoint.pth"]
    assert load_checkpoint(layout.checkpoint(2)).state.epoch == 2


def test_only_the_newest_kept_checkpoints_stay_and_the_best_weights_with_them(
    layout: OutputLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "_validate", best_at(2))
    summary = train_stage.run(small_settings(num_epochs=5, keep_last=2), layout)
    assert sorted(p.name for p in layout.root.glob("*.pth*")) == [
        "checkpoint_epoch_4.pth", "checkpoint_epoch_4.pth.done.json",
        "checkpoint_epoch_5.pth", "checkpoint_epoch_5.pth.done.json",
        "latest_checkpoint.pth", "latest_checkpoint.pth.done.json",
    ]  # fmt: skip
    assert summary["best_epoch"] == 2
    for path in (layout.checkpoint(4), layout.checkpoint(5)):
        assert read_completion(path, verify=True) is not None
    all_kept = copy_of(layout, "all")
    train_stage.run(small_settings(num_epochs=5), all_kept)
    second = weights_of(all_kept.checkpoint(2))
    written = load_file(layout.encoder / "encoder.safetensors")
    assert all(torch.equal(second[f"encoder.{name}"], value) for name, value in written.items())


@pytest.mark.parametrize("stopped_at", [None, 9])
def test_early_stopping_is_exact_when_resumed_and_may_be_lengthened(
    layout: OutputLayout, monkeypatch: pytest.MonkeyPatch, stopped_at: int | None
) -> None:
    settings = small_settings(num_epochs=9, early_stopping_epochs=2)
    monkeypatch.setattr(Trainer, "_validate", best_at(2))
    if stopped_at:
        with monkeypatch.context() as patch:
            after_steps(patch, stopped_at, lambda: signal.raise_signal(signal.SIGTERM))
            with pytest.raises(Terminated):
                train_stage.run(settings, layout)
    summary = train_stage.run(settings, layout)
    assert (summary["epochs"], summary["best_epoch"]) == (4, 2)
    assert train_stage.run(settings, layout)["done_before"]
    longer = train_stage.run(settings.model_copy(update={"early_stopping_epochs": 3}), layout)
    assert (longer["epochs"], longer["done_before"]) == (5, False)
    assert train_stage.run(settings.model_copy(update={"early_stopping_epochs": None}), layout)["epochs"] == 9


def test_early_stopping_without_validation_is_refused(layout: OutputLayout) -> None:
    splits = pd.read_parquet(layout.splits)
    splits.assign(split="train").to_parquet(layout.splits, index=False)
    with pytest.raises(InputError, match="early_stopping_epochs: there are 0 validation windows"):
        train_stage.run(small_settings(early_stopping_epochs=1), layout)


def best_at(epoch: int) -> Callable[..., Validation]:
    """A validation whose loss falls until an epoch and rises from there."""

    def validate(self: Trainer, interruption: Interruption) -> Validation:
        loss = 1.0 + abs(self.state.epoch + 1 - epoch)
        return Validation(loss, {"objective_views": loss}, 0.5, -1.0, math.nan, 1.0, 5.0)

    return validate


def test_done_is_done_and_raised_num_epochs_continues(layout: OutputLayout) -> None:
    train_stage.run(small_settings(), layout)
    first = weights_of(layout.latest_checkpoint)
    assert train_stage.run(small_settings(), layout)["done_before"]
    assert train_stage.run(small_settings(num_epochs=1), layout)["done_before"]
    more = train_stage.run(small_settings(num_epochs=4), layout)
    assert more["epochs"] == 4
    assert not more["done_before"]
    state = load_checkpoint(layout.latest_checkpoint).state
    assert (state.extended_at, state.planned_epochs) == (state.step // 2, 4)
    assert [row["epoch"] for row in read_metrics(layout.metrics)] == [1, 2, 3, 4]
    assert any(not torch.equal(first[n], w) for n, w in weights_of(layout.latest_checkpoint).items())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"hidden_dims": [8, 24]}, r"hidden_dims: \[8, 16\] -> \[8, 24\]"),
        ({"temperature": 0.5}, "temperature: 0.1 -> 0.5"),
        ({"seed": 7}, "seed: 42 -> 7"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_another_architecture_or_objective_is_refused(
    layout: OutputLayout, change: dict[str, object], named: str, finished: bool
) -> None:
    train_stage.run(small_settings(num_epochs=1), layout)
    if not finished:
        (layout.encoder / "encoder.safetensors").unlink()
    before = layout.latest_checkpoint.read_bytes()
    with pytest.raises(RefusedError, match=named):
        train_stage.run(small_settings(num_epochs=1, **change), layout)
    assert layout.latest_checkpoint.read_bytes() == before


def test_execution_settings_may_change(layout: OutputLayout) -> None:
    train_stage.run(small_settings(num_epochs=1), layout)
    assert train_stage.run(small_settings(num_epochs=1, num_workers=7, checkpoint_every=9), layout)["done_before"]


def test_another_dataset_is_refused(layout: OutputLayout) -> None:
    train_stage.run(small_settings(num_epochs=1), layout)
    write_small_dataset(layout, seed=5)
    with pytest.raises(RefusedError, match="dataset: "):
        train_stage.run(small_settings(num_epochs=2), layout)


def test_other_splits_are_refused(layout: OutputLayout) -> None:
    train_stage.run(small_settings(num_epochs=1), layout)
    splits = pd.read_parquet(layout.splits)
    splits.replace({"split": {"test": "train"}}).to_parquet(layout.splits, index=False)
    with pytest.raises(RefusedError, match="train_windows"):
        train_stage.run(small_settings(num_epochs=2), layout)


def unfinished(layout: OutputLayout) -> Settings:
    train_stage.run(small_settings(), layout)
    return small_settings(num_epochs=3)


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_refused_and_the_newest_good_one_named(
    layout: OutputLayout, damage: bytes | None
) -> None:
    settings = unfinished(layout)
    content = layout.latest_checkpoint.read_bytes()
    layout.latest_checkpoint.write_bytes(content[: len(content) // 2] if damage is None else damage)
    layout.checkpoint(2).write_bytes(b"damaged too")
    with pytest.raises(RefusedError, match=r"latest_checkpoint.pth: truncated.*newest good .*checkpoint_epoch_1.pth"):
        train_stage.run(settings, layout)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_one_changed_byte_is_found(layout: OutputLayout, place: float) -> None:
    settings = unfinished(layout)
    content = bytearray(layout.latest_checkpoint.read_bytes())
    content[int(place * len(content))] ^= 4
    layout.latest_checkpoint.write_bytes(content)
    with pytest.raises(RefusedError, match=r"latest_checkpoint.pth: (damaged|truncated).*newest good .*epoch_2.pth"):
        train_stage.run(settings, layout)


def test_a_good_checkpoint_of_another_architecture_is_refused_and_one_that_fits_named(layout: OutputLayout) -> None:
    other = copy_of(layout, "other")
    train_stage.run(small_settings(num_epochs=1, hidden_dims=[8, 24]), other)
    settings = unfinished(layout)
    os.replace(other.latest_checkpoint, layout.latest_checkpoint)
    layout.checkpoint(2).unlink()
    os.replace(other.checkpoint(1), layout.checkpoint(2))
    (layout.encoder / "encoder.safetensors").unlink()
    with pytest.raises(
        RefusedError, match=r"hidden_dims: \[8, 24\] -> \[8, 16\].*newest good .*checkpoint_epoch_1.pth"
    ):
        train_stage.run(settings, layout)
    with pytest.raises(RefusedError, match=r"hidden_dims.*no good checkpoint beside it.*--fresh"):
        train_stage.run(small_settings(num_epochs=3, hidden_dims=[8, 32]), layout)
    layout.latest_checkpoint.write_bytes(layout.checkpoint(1).read_bytes())
    assert train_stage.run(settings, layout)["epochs"] == 3


def test_weights_of_another_shape_are_refused_in_one_line(layout: OutputLayout) -> None:
    settings = unfinished(layout)
    found = load_checkpoint(layout.latest_checkpoint)
    name = next(iter(found.model))
    save_checkpoint(layout.latest_checkpoint, replace(found, model=found.model | {name: torch.zeros(1, 2)}))
    with pytest.raises(RefusedError, match="its weights do not fit this program's model"):
        train_stage.run(settings, layout)


def test_nothing_is_loaded_that_could_run_code() -> None:
    calls = []
    for path in (
        *ROOT.glob("*.py"),
        *(p for d in ("ecgppg", "scripts", "benchmarks") for p in (ROOT / d).rglob("*.py")),
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "pickle.load", "joblib.load"):
                calls.append(f"{path.name}: {ast.unparse(node)}")
    assert calls
    assert [call for call in calls if "weights_only=True" not in call] == []


def test_a_checkpoint_of_another_program_is_refused_without_running_its_code(layout: OutputLayout) -> None:
    settings = unfinished(layout)
    torch.save({"model": torch.zeros(1)}, layout.latest_checkpoint)
    with pytest.raises(RefusedError, match="not a checkpoint of this program"):
        train_stage.run(settings, layout)

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(layout.root / "ran"),)

    torch.save({"format": Payload()}, layout.latest_checkpoint)
    with pytest.raises(RefusedError):
        train_stage.run(settings, layout)
    assert not (layout.root / "ran").exists()


def test_without_latest_the_newest_kept_one_is_continued(layout: OutputLayout) -> None:
    settings = unfinished(layout)
    layout.latest_checkpoint.unlink()
    assert train_stage.run(settings, layout)["epochs"] == 3
    assert [row["epoch"] for row in read_metrics(layout.metrics)] == [1, 2, 3]
