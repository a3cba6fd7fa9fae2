"""One network a channel, whose embeddings are averaged: what a window's ECG says and what its PPG says, together."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecgppg.models.attached import attached_zero
from ecgppg.models.resnet1d import ResNet1d


class TwoTowers(nn.Module):
    """Windows to embeddings: the mean, over the channels that are present, of each channel's own tower.

    Parameters
    ----------
    n_channels : int
        Towers; one for each channel of a window.
    hidden_dims, embedding_dim, rhythm, beats_hz, blocks_per_stage, stem_stride
        Of every tower, see `ResNet1d`.
    """

    def __init__(
        self,
        n_channels: int,
        hidden_dims: Sequence[int],
        embedding_dim: int,
        rhythm: bool = False,
        beats_hz: float | None = None,
        blocks_per_stage: int = 2,
        stem_stride: int = 4,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.towers = nn.ModuleList(
            ResNet1d(1, hidden_dims, embedding_dim, rhythm, beats_hz, blocks_per_stage, stem_stride)
            for _ in range(n_channels)
        )

    def forward(self, z_BCT: Tensor, present_BC: Tensor) -> Tensor:
        """Embed windows; each tower sees only those that have its channel, and does not run where there are none.

        Parameters
        ----------
        z_BCT : Tensor
            Normalised windows; an absent channel is not looked at.
        present_BC : Tensor
            1 where a channel is present, else 0.

        Returns
        -------
        Tensor
            (B, D), not normalised; zeros for a window without any channel.
        """
        total_BD = z_BCT.new_zeros(len(z_BCT), self.embedding_dim, dtype=torch.float32)
        for channel, tower in enumerate(self.towers):
            rows = present_BC[:, channel].nonzero().squeeze(1)
            if len(rows) == 0:
                total_BD = total_BD + attached_zero(tower)
                continue
            z_R1T = z_BCT[rows, channel : channel + 1]
            tower_RD = tower(z_R1T, present_BC[rows, channel : channel + 1]).float()
            total_BD = total_BD.index_add(0, rows, tower_RD)
        return total_BD / present_BC.sum(1, keepdim=True).clamp(min=1)
