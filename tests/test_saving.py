"""Saving follows its minutes, costs no more than its share, and removes only what is its own."""

from pathlib import Path

import pytest
import torch

from ecgppg.config.schema import completion_path
from ecgppg.core.files import read_completion
from ecgppg.training.checkpoint import Checkpoint, TrainingPaths, TrainingState, load_checkpoint
from ecgppg.training.saving import Saver, remove_half_written


class Clock:
    """Seconds that go on when told, and by some at every look while something is saved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class SlowSaver(Saver):
    """A saver whose disk takes a second."""

    clock: Clock

    def save(self, checkpoint: Checkpoint) -> None:
        began_s = self.clock.now_s
        super().save(checkpoint)
        self._took_s, self._saved_s = 1.0, began_s + 1.0
        self.clock.now_s = began_s + 1.0


@pytest.fixture
def paths(tmp_path: Path) -> TrainingPaths:
    return TrainingPaths(
        tmp_path / "latest_checkpoint.pth", lambda epoch: tmp_path / f"checkpoint_epoch_{epoch}.pth",
        tmp_path / "metrics.jsonl", tmp_path / "tensorboard",
    )  # fmt: skip


def state_of(epoch: int) -> Checkpoint:
    return Checkpoint({"seed": 1}, TrainingState(epoch=epoch), {"w": torch.full((3,), float(epoch))}, {}, None)


def test_saves_within_an_epoch_are_minutes_apart(paths: TrainingPaths) -> None:
    clock = Clock()
    saver = Saver(paths, 600.0, None, clock)
    assert saver.due(epoch_ends=True)
    clock.now_s = 599.0
    assert not saver.due()
    clock.now_s = 600.0
    assert saver.due()
    saver.save(state_of(0))
    assert not saver.due()


def test_saves_take_at_most_their_share_of_the_time(paths: TrainingPaths) -> None:
    clock = Clock()
    saver = SlowSaver(paths, 0.0, None, clock)
    saver.clock = clock
    n_saves = 0
    while clock.now_s < 3600:
        clock.now_s += 0.5
        if saver.due(epoch_ends=True):
            saver.save(state_of(0))
            n_saves += 1
    assert 68 <= n_saves <= 72


def test_kept_ones_beyond_the_newest_go_and_later_ones_of_another_try_stay(paths: TrainingPaths) -> None:
    saver = Saver(paths, 0.0, 2)
    for epoch in (1, 2, 3, 9):
        saver.keep(state_of(epoch))
    saver.keep(state_of(4))
    names = sorted(path.name for path in paths.latest.parent.glob("checkpoint_epoch_*.pth"))
    assert names == ["checkpoint_epoch_3.pth", "checkpoint_epoch_4.pth", "checkpoint_epoch_9.pth"]
    assert len(list(paths.latest.parent.glob("*.done.json"))) == 4
    for path in (paths.latest, paths.kept(4)):
        assert load_checkpoint(path).state.epoch == 4
        assert read_completion(path, verify=True) is not None


def test_a_kept_checkpoint_does_not_change_with_the_newest(paths: TrainingPaths) -> None:
    saver = Saver(paths, 0.0, None)
    saver.keep(state_of(1))
    paths.latest.write_bytes(b"overwritten")
    assert load_checkpoint(paths.kept(1)).state.epoch == 1


def test_only_half_written_checkpoints_are_removed(paths: TrainingPaths) -> None:
    folder = paths.latest.parent
    removed = [".latest_checkpoint.pth.host.12.tmp", ".checkpoint_epoch_7.pth.host.12.tmp"]
    removed.append(f".{completion_path(paths.latest).name}.host.12.tmp")
    stay = [".other.pth.host.1.tmp", ".full_dataset.h5.host.3.tmp", "latest_checkpoint.pth", "notes.tmp"]
    for name in (*removed, *stay):
        (folder / name).write_bytes(b"x")
    remove_half_written(paths)
    assert sorted(path.name for path in folder.iterdir()) == sorted(stay)
