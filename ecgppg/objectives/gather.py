"""Rows of every rank, with gradients that find their way back.

The convention, for whoever averages the gradients: every rank computes the terms of its own rows against the rows of
all ranks, and scales them so that the *mean of the ranks' losses is the loss of the whole batch*. So
DistributedDataParallel, which averages gradients over ranks, is used as it is: no further factor of the number of
ranks is due. A rank's own loss is its share and no more; `Gather.mean` of it is the number to log.
"""

from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable


class Gather(Protocol):
    """How the rows of all ranks are brought together."""

    @property
    def n_ranks(self) -> int:
        """Ranks that take part."""
        ...

    def rows(self, own_NK: Tensor) -> tuple[Tensor, int]:
        """Rows of all ranks, in order of rank, and the place of the first of one's own.

        Ranks may hold different numbers of rows, also none. Every rank has to call it, forwards and backwards.
        """
        ...

    def sum(self, value: Tensor) -> Tensor:
        """Sum over ranks, without gradient."""
        ...

    def mean(self, value: Tensor) -> Tensor:
        """Mean over ranks, without gradient."""
        ...


class OneProcess:
    """The whole batch is here."""

    n_ranks = 1

    def rows(self, own_NK: Tensor) -> tuple[Tensor, int]:
        """The rows as they are."""
        return own_NK, 0

    def sum(self, value: Tensor) -> Tensor:
        """The value as it is."""
        return value.detach()

    def mean(self, value: Tensor) -> Tensor:
        """The value as it is."""
        return value.detach()


class AllRanks:
    """The batch lies in parts on the ranks of a process group.

    Parameters
    ----------
    group : ProcessGroup, optional
        The default group unless given.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self.group = group
        self.n_ranks = dist.get_world_size(group)
        self.rank = dist.get_rank(group)

    def rows(self, own_NK: Tensor) -> tuple[Tensor, int]:
        """Gather rows; see `Gather.rows`."""
        n = torch.tensor([len(own_NK)], device=own_NK.device)
        counts = [int(count) for count in self._gather(n)]
        all_MK = _GatherRows.apply(own_NK, self, counts) if own_NK.is_floating_point() else self.joined(own_NK, counts)
        return all_MK, sum(counts[: self.rank])

    def sum(self, value: Tensor) -> Tensor:
        """Sum over ranks, without gradient."""
        total = value.detach().clone()
        dist.all_reduce(total, group=self.group)
        return total

    def mean(self, value: Tensor) -> Tensor:
        """Mean over ranks, without gradient."""
        return self.sum(value) / self.n_ranks

    def joined(self, own_NK: Tensor, counts: list[int]) -> Tensor:
        """Rows of all ranks, `counts` of each: sent in blocks of equal length, since that is what can be gathered."""
        block_MK = own_NK.new_zeros(max(counts), *own_NK.shape[1:])
        block_MK[: len(own_NK)] = own_NK.detach()
        return torch.cat([block[:count] for block, count in zip(self._gather(block_MK), counts, strict=True)])

    def _gather(self, block: Tensor) -> list[Tensor]:
        blocks = [torch.empty_like(block) for _ in range(self.n_ranks)]
        dist.all_gather(blocks, block, group=self.group)
        return blocks


class _GatherRows(torch.autograd.Function):
    """all_gather whose gradient is the sum of what every rank's loss asks of these rows."""

    @staticmethod
    def forward(ctx: Any, own_NK: Tensor, ranks: AllRanks, counts: list[int]) -> Tensor:
        ctx.ranks, ctx.counts = ranks, counts
        return ranks.joined(own_NK, counts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_MK: Tensor) -> tuple[Tensor, None, None]:
        summed_MK = ctx.ranks.sum(grad_MK.contiguous())
        start = sum(ctx.counts[: ctx.ranks.rank])
        return summed_MK[start : start + ctx.counts[ctx.ranks.rank]], None, None
