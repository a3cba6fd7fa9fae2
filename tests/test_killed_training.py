"""A training killed at any moment, also inside a save, continues to the same end."""

import os
import shutil
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from ecgppg.config.schema import OutputLayout
from ecgppg.stages import train as train_stage
from ecgppg.store.metadata import write_metadata
from ecgppg.store.reader import open_dataset
from ecgppg.training.checkpoint import load_checkpoint
from tests import training_processes as processes
from tests.same_training import assert_same
from tests.small_dataset import small_settings, write_small_dataset

ONLY_LATEST = {"checkpoint_every": 1000}
WIDE = ONLY_LATEST | {"embedding_dim": 1024, "num_epochs": 2}
"""Some 15 MB a checkpoint, so that writing one takes a while."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset, ready to train on."""
    layout = OutputLayout(tmp_path_factory.mktemp("data"))
    write_small_dataset(layout)
    with open_dataset(layout.dataset) as dataset:
        write_metadata(layout.metadata, None, dataset.to_frame())
    return layout.root


@pytest.fixture
def layout(data: Path, tmp_path: Path) -> OutputLayout:
    return OutputLayout(Path(shutil.copytree(data, tmp_path / "run")))


@pytest.fixture
def whole(data: Path, tmp_path: Path) -> OutputLayout:
    torch.set_num_threads(1)
    return OutputLayout(Path(shutil.copytree(data, tmp_path / "whole")))


SLOW = pytest.mark.slow
"""Worker processes import torch, which takes seconds each time."""


@pytest.mark.parametrize(
    ("first", "then"),
    [(0, 0), pytest.param(2, 2, marks=SLOW), pytest.param(0, 2, marks=SLOW), pytest.param(2, 0, marks=SLOW)],
)
def test_killed_in_mid_epoch_and_continued_equals_uninterrupted(
    layout: OutputLayout, whole: OutputLayout, first: int, then: int
) -> None:
    train_stage.run(small_settings(**ONLY_LATEST), whole)
    killed = processes.start(processes.train, layout.root, {"loader_workers": first, **ONLY_LATEST}, 7)
    assert processes.ended(killed) == [-signal.SIGKILL]
    state = load_checkpoint(layout.latest_checkpoint).state
    assert (state.epoch, state.batch, state.step) == (1, 2, 6)
    assert not (layout.encoder / "encoder.safetensors").exists()
    train_stage.run(small_settings(loader_workers=then, **ONLY_LATEST), layout)
    assert_same(layout, whole)


def test_sigterm_saves_and_ends_the_command_with_143(layout: OutputLayout, whole: OutputLayout) -> None:
    settings = small_settings(num_epochs=10, **ONLY_LATEST)
    words = [f"--set={key}={value}" for key, value in settings.model_dump(mode="json").items() if value is not None]
    (process,) = started = processes.start(processes.command, ["--train-only", f"--output-dir={layout.root}", *words])
    processes.wait_until(layout.metrics.is_file, started)
    processes.wait_until(lambda: layout.metrics.read_bytes().count(b"\n") > 1, started)
    assert process.pid
    os.kill(process.pid, signal.SIGTERM)
    assert processes.ended(started) == [143]
    assert load_checkpoint(layout.latest_checkpoint).state.step > 4
    assert processes.ended(processes.start(processes.command, ["--train-only", f"--output-dir={layout.root}"])) == [0]
    train_stage.run(settings, whole)
    assert_same(layout, whole)


def killed_inside_a_save(layout: OutputLayout, wait_bytes: int) -> int:
    """Train until so much of a checkpoint is written, kill; how many bytes of it lay there.

    The process is stopped before it is looked at, and let go on for a moment where it has not come so far: what is
    killed stood still inside its save.
    """
    (process,) = started = processes.start(processes.train, layout.root, WIDE)
    pid = process.pid
    assert pid
    processes.wait_until(layout.latest_checkpoint.exists, started)
    while True:
        processes.wait_until(lambda: _half_written(layout) >= 0, started, every_s=0.0)
        while True:
            os.kill(pid, signal.SIGSTOP)
            while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
                time.sleep(0.0002)
            n_bytes = _half_written(layout)
            if n_bytes >= wait_bytes:
                os.kill(pid, signal.SIGKILL)
                assert processes.ended(started) == [-signal.SIGKILL]
                return n_bytes
            os.kill(pid, signal.SIGCONT)
            if n_bytes < 0:
                break
            time.sleep(0.0005)


def _half_written(layout: OutputLayout) -> int:
    """Bytes of the checkpoint that is being written; -1 where none is."""
    return _size(list(layout.root.glob(".latest_checkpoint.pth.*.tmp")))


def _size(paths: list[Path]) -> int:
    """Bytes of the largest; -1 where there is none."""
    sizes = [-1]
    for path in paths:
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return max(sizes)


@pytest.mark.parametrize("n_kills", [2, pytest.param(25, marks=SLOW)])
def test_kills_inside_a_save_leave_loadable_checkpoints(
    layout: OutputLayout, whole: OutputLayout, n_kills: int
) -> None:
    train_stage.run(small_settings(**WIDE), whole)
    full = whole.latest_checkpoint.stat().st_size
    steps, halves = [], []
    for kill in range(n_kills):
        halves.append(killed_inside_a_save(layout, wait_bytes=full * kill // n_kills))
        steps.append(load_checkpoint(layout.latest_checkpoint).state.step)
    assert min(halves) >= 0
    assert sum(n < full for n in halves) >= n_kills // 2
    assert all(a <= b for a, b in pairwise(steps))
    train_stage.run(small_settings(**WIDE), layout)
    assert not list(layout.root.glob(".*.tmp"))
    assert_same(layout, whole)
