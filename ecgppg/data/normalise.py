"""From physical units to what the encoder sees: each channel of each window centred and scaled on its own."""

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
    # Sorted values, not torch.quantile or median: those have no deterministic kernel on a GPU.
    centre_BC1 = x_BCT.sort(dim=-1).values[..., (n - 1) // 2].unsqueeze(-1)
    deviation_BCT = x_BCT - centre_BC1
    width_BC1 = deviation_BCT.abs().sort(dim=-1).values[..., round(0.95 * (n - 1))].unsqueeze(-1) / 1.96
    present_BC1 = (width_BC1 > 0).to(x_BCT.dtype)
    z_BCT = (deviation_BCT / torch.where(width_BC1 > 0, width_BC1, 1.0)).clamp(-LIMIT, LIMIT)
    return z_BCT * present_BC1, present_BC1.squeeze(-1)
