"""From physical units to what the encoder sees: each channel of each window centred and scaled on its own."""

import numpy as np
import torch
from torch import Tensor

LIMIT = 20.0
"""Normalised values are clipped here: an artefact must not outweigh a batch."""


def robust_zscore(x_BCT: Tensor) -> tuple[Tensor, Tensor]:
    """Centre each channel by its median and scale it by its 95th percentile of absolute deviation.

    The percentile is divided by 1.96, so a normal signal gets unit variance. A standard deviation would follow one
    electrode spike; the interquartile range of an ECG would follow the noise between its beats.

    Parameters
    ----------
    x_BCT : Tensor, float32
        Windows in physical units; an absent channel is all zeros.

    Returns
    -------
    z_BCT : Tensor, float32
        Within +-20; zeros where a channel is absent or constant.
    present_BC : Tensor, float32
        1 where the channel varies, else 0.
    """
    n = x_BCT.shape[-1]
    deviation_BCT = x_BCT - _order_statistic(x_BCT, (n - 1) // 2)
    width_BC1 = _order_statistic(deviation_BCT.abs(), round(0.95 * (n - 1))) / 1.96
    varies_BC1 = width_BC1 > 0
    # Divided by infinity, what little moves in a channel that else stands still is zero.
    z_BCT = deviation_BCT.div_(width_BC1.where(varies_BC1, torch.inf)).clamp_(-LIMIT, LIMIT)
    return z_BCT, varies_BC1.squeeze(-1).to(x_BCT.dtype)


def _order_statistic(values_BCT: Tensor, k: int) -> Tensor:
    """The k-th smallest value of each row, (B, C, 1).

    Not torch's quantile, median or kthvalue: those have no deterministic kernel on a GPU. On a CPU, numpy's partition
    finds the same value in a small part of the time that torch takes to sort.
    """
    if values_BCT.device.type == "cpu" and not values_BCT.requires_grad:
        return torch.from_numpy(np.partition(values_BCT.numpy(), k, axis=-1)[..., k : k + 1])
    return values_BCT.sort(dim=-1).values[..., k : k + 1]
