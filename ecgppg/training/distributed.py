"""Several processes that train one model: each takes its share of every batch, and all hold the same weights.

The batch of a step is the one that a single process would take. Each process reads and augments its share of it, the
objective compares against the views of all (`ecgppg.objectives`), and the mean of the processes' gradients is the
gradient of the whole batch. What is decided during training, be it a skipped step or a stop, is decided by numbers
that all processes share, so none of them goes another way.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from ecgppg.config.errors import ConfigError, InputError, RunError
from ecgppg.core.ranks import rank_and_world

WAIT_FOR_FIRST = timedelta(days=7)
"""The first process may build a dataset before it trains; should it fail, torchrun ends those that wait."""
WAIT_FOR_PEERS = timedelta(minutes=60)
"""Longest validation or save of the first process."""
HANDSHAKE = timedelta(seconds=30)
HANDSHAKES = 5
"""Gloo's connecting was seen to wait for ever on both sides, a second after torchrun had started all again."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a training, seen from one of them.

    Attributes
    ----------
    rank, world : int
        This process, and how many there are. With one, every method gives back what it was given.
    local_rank : int
        Number of this process on its machine: the GPU it takes.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process validates, writes and reports."""
        return self.rank == 0

    def share(self, positions: np.ndarray) -> np.ndarray:
        """This process's part of a batch; all parts are of one size."""
        return positions[self.rank :: self.world]

    def refuse_unequal_shares(self, batch: int) -> None:
        """Raise ConfigError unless a batch of so many windows can be shared out equally."""
        if batch % self.world:
            raise ConfigError(
                f"batch_size: batches of {batch} windows cannot be shared equally by {self.world} processes"
            )

    def device(self, chosen: torch.device) -> torch.device:
        """The device of this process: of GPUs, the one with the process's number on its machine."""
        if self.world == 1 or chosen.type != "cuda":
            return chosen
        if chosen.index is not None:
            raise ConfigError(f"device: {str(chosen)!r} names one GPU for {self.world} processes; give cuda")
        if self.local_rank >= torch.cuda.device_count():
            raise ConfigError(f"device: a GPU for each process is needed; torch sees {torch.cuda.device_count()}")
        return torch.device("cuda", self.local_rank)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes, in one exchange; the same bits on each of them.

        A parameter that only some processes used counts as zero in the others; one that none used keeps no gradient.
        """
        if self.world == 1:
            return
        moved = [p for p in parameters if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in moved]
        used = torch.tensor([float(p.grad is not None) for p in moved], device=gradients[0].device)
        # One buffer: an exchange costs its latency once, not once for each of a hundred tensors.
        flat = torch.cat([*(gradient.flatten().float() for gradient in gradients), used])
        dist.all_reduce(flat)
        flat /= self.world
        *means, used = flat.split([*(gradient.numel() for gradient in gradients), len(moved)])
        for parameter, mean, anywhere in zip(moved, means, used.tolist(), strict=True):
            parameter.grad = mean.view_as(parameter).to(parameter.dtype).clone() if anywhere else None

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        if self.world == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(total)
        return float(total) / self.world

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        if self.world == 1:
            return flag
        raised = torch.tensor(int(flag))
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return bool(raised)

    def from_first(self, value: Any) -> Any:
        """What the first process gave; of plain values that are not trusted with running code."""
        if self.world == 1:
            return value
        import json

        data = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)
        size = torch.tensor(len(data))
        dist.broadcast(size, 0)
        if not self.first:
            data = torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(data, 0)
        return json.loads(bytes(data.tolist()))

    def refuse_disagreement(self, seen: dict[str, Any]) -> None:
        """Raise InputError unless every process sees what the first one does.

        Parameters
        ----------
        seen : dict
            Plain values: settings, counts, what is trained on.
        """
        first = self.from_first(seen)
        differing = [key for key in seen if first.get(key) != seen[key]]
        if self.any(bool(differing)):
            named = ", ".join(differing) or "see the line of another process"
            raise InputError(
                f"the processes do not see the same ({named}): every machine needs the same output folder and options"
            )


ONE_RANK = Ranks()
_WHAT_FOLLOWS = "ecgppg what follows"


class NothingToTrain(Exception):
    """The first process ended without training; those that waited for it end too."""


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started; alone where it started none.

    Parameters
    ----------
    device : torch.device
        Where training runs: GPUs exchange by NCCL, processors by Gloo.

    Raises
    ------
    NothingToTrain
        In a process that waited: the first one will not train.
    RunError
        Another process ended during the block. Its own line says why; torchrun starts all of them again.
    """
    rank, world = rank_and_world()
    if world == 1:
        yield ONE_RANK
        return
    # Rank 0 does all that comes before training: the others wait for it here, and not in a collective's timeout.
    store = _store(rank, world)
    if rank == 0:
        store.set(_WHAT_FOLLOWS, "training")
    else:
        store.wait([_WHAT_FOLLOWS])
        if store.get(_WHAT_FOLLOWS) == b"nothing":
            raise NothingToTrain
    # Numbers that decide what is done next stay on the processor, and so with Gloo.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        _connect(backend, store, rank, world)
        yield Ranks(rank, world, int(os.environ.get("LOCAL_RANK", "0")))
    except RuntimeError as error:
        if not _peer_is_gone(error):
            raise
        raise RunError(f"process {rank} of {world}: another process of this training ended") from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _connect(backend: str, store: dist.Store, rank: int, world: int) -> None:
    """Join the group; where that takes too long all give up and try anew, under keys of their own."""
    for attempt in range(HANDSHAKES):
        try:
            keys = dist.PrefixStore(f"handshake_{attempt}", store)
            dist.init_process_group(backend, store=keys, rank=rank, world_size=world, timeout=HANDSHAKE)
            break
        except RuntimeError as error:
            if not _peer_is_gone(error) or attempt == HANDSHAKES - 1:
                raise
    # There is no public name for it: a group is otherwise connected with the patience it works with.
    dist.distributed_c10d._set_pg_timeout(WAIT_FOR_PEERS)


def release_followers() -> None:
    """Let those go that still wait for the first process to train: it has ended without, as on an empty dataset."""
    # Set once: where training was begun, this changes nothing.
    _store(*rank_and_world()).compare_set(_WHAT_FOLLOWS, "", "nothing")


def _store(rank: int, world: int) -> dist.Store:
    store, _, _ = next(dist.rendezvous("env://", rank, world, timeout=WAIT_FOR_FIRST))
    store.set_timeout(WAIT_FOR_FIRST)
    return store


def _peer_is_gone(error: RuntimeError) -> bool:
    """Whether an exchange failed because of the other side; Gloo has no exception of its own for it."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)
