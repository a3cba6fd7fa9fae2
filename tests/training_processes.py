"""Trainings in processes of their own, which tests kill; started fast, from a server that has torch loaded."""

import math
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

from ecgppg.config.schema import OutputLayout
from tests.small_dataset import small_settings

PATIENCE_S = 600.0
_stores: list[Any] = []
"""Kept, since a store that is forgotten is closed."""
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["ecgppg.stages.train", "ecgppg.cli.production", "tests.small_dataset"])


def start(target: Any, *args: Any, ranks: int = 1) -> list[multiprocessing.process.BaseProcess]:
    """Start `target` once a rank, in the environment and with the store that torchrun would give."""
    environments: list[dict[str, str]] = [{}]
    if ranks > 1:
        from torch.distributed import TCPStore

        _stores.append(TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False))
        shared = {
            "TORCHELASTIC_RUN_ID": "test", "TORCHELASTIC_USE_AGENT_STORE": "True", "WORLD_SIZE": str(ranks),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_stores[-1].port),
        }  # fmt: skip
        environments = [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(ranks)]
    processes = [_context.Process(target=_in_environment, args=(e, target, *args)) for e in environments]
    for process in processes:
        process.start()
    return processes


def ended(processes: list[multiprocessing.process.BaseProcess]) -> list[int | None]:
    """Wait for processes; their exit codes, -9 where killed."""
    for process in processes:
        process.join(PATIENCE_S)
        if process.is_alive():
            process.kill()
            raise AssertionError("a process did not end")
    return [process.exitcode for process in processes]


def train(root: Path, changes: dict[str, Any], kill_at: int | None = None, rank_killed: int = 0) -> None:
    """Train in the folder, saving after every step; die by SIGKILL inside step number `kill_at` of this process."""
    import torch

    from ecgppg.stages import train as stage
    from ecgppg.training import saving
    from ecgppg.training.step import ContrastiveStep

    torch.set_num_threads(1)
    saving.LARGEST_SHARE = math.inf
    original, seen = ContrastiveStep.train, [0]

    def dying(self: ContrastiveStep, *args: Any) -> Any:
        seen[0] += 1
        if seen[0] == kill_at and rank_killed == int(os.environ.get("RANK", "0")):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *args)

    ContrastiveStep.train = dying  # type: ignore[method-assign]
    stage.run(small_settings(checkpoint_minutes=0, **changes), OutputLayout(root))


def train_with_a_bad_share(root: Path, rank: int) -> None:
    """Train in the folder; in one process the loss of the second step is not a number."""
    from ecgppg.training.step import ContrastiveStep

    original, seen = ContrastiveStep.outcome, [0]

    def outcome(self: ContrastiveStep, *args: Any) -> Any:
        result = original(self, *args)
        seen[0] += self.model.training
        if self.model.training and seen[0] == 2 and os.environ["RANK"] == str(rank):
            object.__setattr__(result, "loss", result.loss * math.nan)
        return result

    ContrastiveStep.outcome = outcome  # type: ignore[method-assign]
    train(root, {"num_epochs": 1})


def train_where_connecting_fails_once(root: Path) -> None:
    """Train in the folder; the first handshake runs out on both sides, since one looks for the other elsewhere."""
    from datetime import timedelta

    import torch.distributed as dist

    from ecgppg.training import distributed

    distributed.HANDSHAKE = timedelta(seconds=5)
    join, lost = dist.init_process_group, [os.environ["RANK"] == "1"]

    def joining(backend: str, store: dist.Store, **kwargs: Any) -> None:
        if any(lost):
            lost.clear()
            store = dist.PrefixStore("elsewhere", store)
        join(backend, store=store, **kwargs)

    dist.init_process_group = joining
    train(root, {"num_epochs": 2})


def command(words: list[str]) -> None:
    """The command production_pipeline.py."""
    import sys

    from ecgppg.cli.production import main

    sys.exit(main(words))


def command_of_followers(words: list[str]) -> None:
    """The command, but the first process ends without training."""
    from ecgppg.training.distributed import release_followers

    if os.environ["RANK"] == "0":
        release_followers()
    else:
        command(words)


def wait_until(condition: Any, processes: list[multiprocessing.process.BaseProcess], every_s: float = 0.002) -> None:
    """Wait for something that running processes do."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert any(process.is_alive() for process in processes), "ended before"
        assert time.monotonic() < deadline_s, "never came"
        time.sleep(every_s)


def _in_environment(environment: dict[str, str], target: Any, *args: Any) -> None:
    os.environ.update(environment)
    target(*args)
