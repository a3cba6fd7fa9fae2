"""The residual network written plainly, with torch's one-dimensional layers and the weights of the one under test."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, conv1d, group_norm

from ecgppg.models.resnet1d import ResidualBlock, ResNet1d


def plain(network: ResNet1d, z_BCT: Tensor, present_BC: Tensor) -> Tensor:
    """What `network` is to compute."""
    h_BHT = _conv(z_BCT, network.stem) + network.presence(present_BC)[:, :, None]
    for block in network.blocks:
        assert isinstance(block, ResidualBlock)
        inner = _conv(torch.relu(_norm(h_BHT, block.norm_1)), block.conv_1)
        inner = _conv(torch.relu(_norm(inner, block.norm_2)), block.conv_2)
        if isinstance(block.shortcut, nn.Sequential):
            stride = block.conv_1.stride[0]
            h_BHT = _conv(avg_pool1d(h_BHT, stride, stride, ceil_mode=True), block.shortcut[1])
        h_BHT = h_BHT + inner
    h_BHT = torch.relu(_norm(h_BHT, network.norm))
    spread_BH = (h_BHT.var(dim=2, unbiased=False) + 1e-5).sqrt()
    return network.linear(torch.cat([h_BHT.mean(2), spread_BH], dim=1))


def _conv(h_BHT: Tensor, conv: nn.Module) -> Tensor:
    assert isinstance(conv, nn.Conv1d)
    return conv1d(h_BHT, conv.weight, conv.bias, conv.stride, conv.padding)


def _norm(h_BHT: Tensor, norm: nn.GroupNorm) -> Tensor:
    return group_norm(h_BHT, norm.num_groups, norm.weight, norm.bias, norm.eps)
