"""Several processes train as one does, stop together, and are started again by torchrun where one was killed."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ecgppg.cli import production
from ecgppg.config.schema import OutputLayout
from ecgppg.store.metadata import write_metadata
from ecgppg.store.reader import open_dataset
from ecgppg.training.checkpoint import load_checkpoint
from ecgppg.training.monitor import read_metrics
from tests import training_processes as processes
from tests.processes import kill_session
from tests.same_training import assert_same
from tests.small_dataset import small_settings, write_small_dataset

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ready for --train-only."""
    layout = OutputLayout(tmp_path_factory.mktemp("data"))
    write_small_dataset(layout)
    with open_dataset(layout.dataset) as dataset:
        write_metadata(layout.metadata, None, dataset.to_frame())
    layout.config.write_text(json.dumps(small_settings(num_epochs=12).model_dump(mode="json")))
    return layout.root


@pytest.fixture
def layout(data: Path, tmp_path: Path) -> OutputLayout:
    return OutputLayout(Path(shutil.copytree(data, tmp_path / "run")))


@pytest.fixture(scope="module")
def two_ranks(data: Path, tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    """Two epochs by two processes that nobody disturbed."""
    whole = OutputLayout(Path(shutil.copytree(data, tmp_path_factory.mktemp("two") / "run")))
    assert processes.ended(processes.start(processes.train, whole.root, {}, ranks=2)) == [0, 0]
    return whole


def test_two_processes_take_the_step_of_one(layout: OutputLayout, data: Path, tmp_path: Path) -> None:
    """Later steps part by rounding alone: Adam's first updates are as large for a gradient of rounding errors."""
    other = OutputLayout(Path(shutil.copytree(data, tmp_path / "other")))
    one_step = {"batch_size": 72, "num_epochs": 1}
    started = [processes.start(processes.train, layout.root, one_step, ranks=2)]
    started.append(processes.start(processes.train, other.root, one_step))
    assert [processes.ended(group) for group in started] == [[0, 0], [0]]
    (together,), (alone,) = read_metrics(layout.metrics), read_metrics(other.metrics)
    assert together["step"] == 1
    assert together["train_loss"] == pytest.approx(alone["train_loss"], rel=1e-6)
    assert together["grad_norm"] == pytest.approx(alone["grad_norm"], rel=1e-4)
    assert together["val_loss"] == pytest.approx(alone["val_loss"], abs=1e-4)


def test_losses_of_two_processes_follow_those_of_one(two_ranks: OutputLayout, layout: OutputLayout) -> None:
    assert processes.ended(processes.start(processes.train, layout.root, {})) == [0]
    together, alone = read_metrics(two_ranks.metrics)[0], read_metrics(layout.metrics)[0]
    assert together["step"] == alone["step"] == 4
    assert together["train_loss"] == pytest.approx(alone["train_loss"], abs=1e-4)


def test_a_killed_process_ends_the_other_which_saves_and_both_go_on(
    two_ranks: OutputLayout, layout: OutputLayout
) -> None:
    codes = processes.ended(processes.start(processes.train, layout.root, {}, 6, 1, ranks=2))
    assert codes == [1, -signal.SIGKILL]
    assert load_checkpoint(layout.latest_checkpoint).state.step == 5
    assert processes.ended(processes.start(processes.train, layout.root, {}, ranks=2)) == [0, 0]
    assert_same(layout, two_ranks)


def test_connecting_that_fails_is_tried_again(layout: OutputLayout) -> None:
    assert processes.ended(processes.start(processes.train_where_connecting_fails_once, layout.root, ranks=2)) == [0, 0]
    assert [row["step"] for row in read_metrics(layout.metrics)] == [4, 8]


def test_a_share_that_is_not_finite_is_skipped_by_all(layout: OutputLayout) -> None:
    assert processes.ended(processes.start(processes.train_with_a_bad_share, layout.root, 1, ranks=2)) == [0, 0]
    (row,) = read_metrics(layout.metrics)
    assert (row["skipped_steps"], row["step"]) == (1, 4)
    assert math.isfinite(row["train_loss"])
    assert math.isfinite(row["val_loss"])


@pytest.mark.slow
def test_a_checkpoint_of_two_processes_is_continued_by_one(two_ranks: OutputLayout, layout: OutputLayout) -> None:
    processes.ended(processes.start(processes.train, layout.root, {}, 6, 0, ranks=2))
    assert processes.ended(processes.start(processes.train, layout.root, {})) == [0]
    assert read_metrics(layout.metrics)[0] | {"segments_per_s": 0} == read_metrics(two_ranks.metrics)[0] | {
        "segments_per_s": 0
    }
    assert load_checkpoint(layout.latest_checkpoint).state.step == 8


@pytest.mark.parametrize("asked", [[1], pytest.param([0, 1], marks=pytest.mark.slow)])
def test_sigterm_to_one_or_all_stops_all_after_the_same_step(layout: OutputLayout, asked: list[int]) -> None:
    words = ["--train-only", f"--output-dir={layout.root}", "--num-epochs=100"]
    started = processes.start(processes.command, words, ranks=2)
    processes.wait_until(lambda: layout.metrics.is_file() and read_metrics(layout.metrics), started)
    for rank in asked:
        os.kill(started[rank].pid or 0, signal.SIGTERM)
    assert processes.ended(started) == [143, 143]
    assert load_checkpoint(layout.latest_checkpoint).state.step >= 4


def test_batches_that_cannot_be_shared_equally_are_refused(layout: OutputLayout) -> None:
    words = ["--train-only", f"--output-dir={layout.root}", "--set=batch_size=15"]
    assert processes.ended(processes.start(processes.command, words, ranks=2)) == [2, 2]


def test_commands_that_do_not_train_are_the_first_process_alone(layout: OutputLayout) -> None:
    words = ["--check", f"--output-dir={layout.root}"]
    assert processes.ended(processes.start(processes.command, words, ranks=2)) == [1, 0]


def test_followers_end_where_the_first_process_does_not_train(layout: OutputLayout) -> None:
    words = ["--train-only", f"--output-dir={layout.root}"]
    assert processes.ended(processes.start(processes.command_of_followers, words, ranks=2)) == [0, 0]
    assert not layout.metrics.exists()


def test_fresh_is_refused_where_it_might_be_repeated(layout: OutputLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RUN_ID", "x"), ("RESTART_COUNT", "0")):
        monkeypatch.setenv(f"TORCHELASTIC_{name}", value)
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "4"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    (layout.root / "latest_checkpoint.pth").write_bytes(b"x")
    assert production.main(["--train-only", "--fresh", f"--output-dir={layout.root}"]) == 2
    assert (layout.root / "latest_checkpoint.pth").exists()


def torchrun(layout: OutputLayout, *words: str) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "3"]
    line += ["production_pipeline.py", "--train-only", "--output-dir", str(layout.root), *words]
    return subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)


def process_of(rank: int, parent: int) -> psutil.Process:
    """The process that a torchrun started as this rank."""
    for child in psutil.Process(parent).children():
        if child.environ().get("RANK") == str(rank):
            return child
    raise AssertionError(f"no process of rank {rank}")


def finish(running: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, errors = running.communicate(timeout=300)
    return running.returncode, errors.decode()


def epochs_done(layout: OutputLayout) -> int:
    return len(read_metrics(layout.metrics))


def wait_for_epochs(layout: OutputLayout, n: int, running: subprocess.Popen[bytes]) -> None:
    class Alive:
        is_alive = staticmethod(lambda: running.poll() is None)

    processes.wait_until(lambda: epochs_done(layout) >= n, [Alive()])  # type: ignore[list-item]


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_torchrun_starts_all_again_where_one_was_killed(data: Path, tmp_path: Path, rank: int) -> None:
    whole, layout = (OutputLayout(Path(shutil.copytree(data, tmp_path / name))) for name in ("whole", "run"))
    assert finish(torchrun(whole))[0] == 0
    running = torchrun(layout, "--fresh")
    try:
        wait_for_epochs(layout, 2, running)
        process_of(rank, running.pid).send_signal(signal.SIGKILL)
        code, errors = finish(running)
    finally:
        kill_session(running.pid)
    assert code == 0, errors
    assert "continuing from" in layout.log.read_text()
    assert_same(layout, whole)
    assert layout.embeddings.is_file()


@pytest.mark.slow
def test_sigterm_to_torchrun_saves_and_the_same_line_goes_on(layout: OutputLayout) -> None:
    running = torchrun(layout)
    try:
        wait_for_epochs(layout, 2, running)
        running.send_signal(signal.SIGTERM)
        code, errors = finish(running)
        assert code != 0
        assert "what was finished is saved" in errors
        assert 8 <= load_checkpoint(layout.latest_checkpoint).state.step < 48
        code, errors = finish(torchrun(layout))
        assert code == 0, errors
    finally:
        kill_session(running.pid)
    assert epochs_done(layout) == 12
