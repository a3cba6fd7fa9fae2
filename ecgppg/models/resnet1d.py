"""A residual network over time for a few channels of signal [1]_.

Shapes: B windows, C channels, T samples, H features of a stage, D = embedding_dim. Inside, time is the last of two
axes in space (B, H, 1, T): a processor convolves twice as fast where the features of a sample lie side by side in
memory, and torch has that layout for two axes alone.

GroupNorm rather than BatchNorm: statistics of a batch let a contrastive loss recognise a window by its neighbours, and
make an embedding depend on what it is computed beside.

References
----------
.. [1] He, Zhang, Ren, Sun (2016). Identity mappings in deep residual networks. ECCV.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ecgppg.models.beat_branch import Beats
from ecgppg.models.rhythm import FEATURES, Rhythm

STEM_KERNEL = 15
BLOCK_KERNEL = 5


class ResNet1d(nn.Module):
    """Windows to embeddings.

    Parameters
    ----------
    n_channels : int
        Channels of a window.
    hidden_dims : sequence of int
        Features of each stage; every stage halves the time axis, after the stem.
    embedding_dim : int
        Length of an embedding.
    rhythm : bool
        Whether the embedding is also made of what repeats in the window, see `models.rhythm`.
    beats_hz : float, optional
        Sampling rate of the windows, where the embedding is also made of their beats, see `models.beat_branch`.
    blocks_per_stage : int
        Residual blocks of each stage.
    stem_stride : int
        Samples from one place of the stem's output to the next, at most as many as the stem sees at once.
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
        first = hidden_dims[0]
        self.stem = TimeConv(n_channels, first, STEM_KERNEL, stride=stem_stride, padding=STEM_KERNEL // 2)
        # Which channels are there, as an offset of the stem: zeros alone could be a flat line.
        self.presence = nn.Linear(n_channels, first, bias=False)
        widths = [first, *hidden_dims]
        blocks: list[nn.Module] = []
        for before, width in zip(widths, hidden_dims, strict=False):
            blocks.append(ResidualBlock(before, width, stride=2))
            blocks.extend(ResidualBlock(width, width, stride=1) for _ in range(blocks_per_stage - 1))
        self.blocks = nn.Sequential(*blocks)
        self.norm = group_norm(hidden_dims[-1])
        self.rhythm = Rhythm(n_channels) if rhythm else None
        self.beats = Beats(n_channels, beats_hz) if beats_hz else None
        beside = (FEATURES if rhythm else 0) + (self.beats.features if self.beats else 0)
        self.linear = nn.Linear(2 * hidden_dims[-1] + beside, embedding_dim)

    def forward(self, z_BCT: Tensor, present_BC: Tensor) -> Tensor:
        """Embed windows of any length.

        Parameters
        ----------
        z_BCT : Tensor
            Normalised windows; an absent channel is zeros.
        present_BC : Tensor
            1 where a channel is present, else 0.

        Returns
        -------
        Tensor
            (B, D), not normalised.
        """
        z_BC1T = z_BCT.unsqueeze(2)
        if z_BCT.device.type == "cpu":
            z_BC1T = z_BC1T.contiguous(memory_format=torch.channels_last)
        h_BH1T = self.stem(z_BC1T) + self.presence(present_BC)[..., None, None]
        h_BH1T = self.norm(self.blocks(h_BH1T)).relu_()
        pooled_BR = _pool(h_BH1T.squeeze(2))
        if self.rhythm is not None:
            pooled_BR = torch.cat([pooled_BR, self.rhythm(z_BCT)], dim=1)
        if self.beats is not None:
            pooled_BR = torch.cat([pooled_BR, self.beats(z_BCT, present_BC)], dim=1)
        return self.linear(pooled_BR)


def _pool(h_BHT: Tensor) -> Tensor:
    """Mean and standard deviation over time: what there is, and how much it varies, as an irregular rhythm does."""
    h_BHT = h_BHT.float()
    mean_BH = h_BHT.mean(-1)
    variance_BH = (h_BHT - mean_BH[..., None]).square().mean(-1)
    return torch.cat([mean_BH, (variance_BH + 1e-5).sqrt()], dim=1)


class ResidualBlock(nn.Module):
    """Norm, ReLU, convolution, twice, beside an identity or a 1x1 projection of the averaged input."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = group_norm(before), group_norm(width)
        self.conv_1 = TimeConv(before, width, BLOCK_KERNEL, stride, BLOCK_KERNEL // 2, bias=False)
        self.conv_2 = TimeConv(width, width, BLOCK_KERNEL, 1, BLOCK_KERNEL // 2, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or before != width:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d((1, stride), ceil_mode=True), TimeConv(before, width, 1, bias=False)
            )

    def forward(self, h_BH1T: Tensor) -> Tensor:
        """(B, before, 1, T) to (B, width, 1, ceil(T / stride))."""
        # In place where nothing else needs what is overwritten: these passes are bound by memory.
        inner = self.conv_1(self.norm_1(h_BH1T).relu_())
        inner = self.conv_2(self.norm_2(inner).relu_())
        return inner.add_(self.shortcut(h_BH1T))


class TimeConv(nn.Conv1d):
    """A convolution over time of an input with one more axis, of length 1, before time."""

    def forward(self, h_BH1T: Tensor) -> Tensor:
        """(B, H, 1, T) to (B, out_channels, 1, T / stride)."""
        return conv2d(h_BH1T, self.weight.unsqueeze(2), self.bias, (1, self.stride[0]), (0, int(self.padding[0])))


def group_norm(width: int) -> nn.GroupNorm:
    """GroupNorm with up to eight groups, whatever divides the width."""
    return nn.GroupNorm(math.gcd(8, width), width)
