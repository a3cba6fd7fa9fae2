"""Sums and extremes of the samples around each sample, by widening: twice as many samples with every pass.

A window of 41 samples costs six passes over the signal. torch's pooling looks at all 41 of them, and is ten times
slower at it on a processor.

Shapes: N windows, T samples, W windows of samples: one begins at each sample where there is room.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Combine = Callable[[Tensor, Tensor], Tensor]


def doubled(values_NT: Tensor, longest: int, combine: Combine) -> list[Tensor]:
    """Combine every 1, 2, 4, ... samples that follow each other, up to as many as `longest` holds.

    Parameters
    ----------
    values_NT : Tensor
    longest : int
        At least 1, at most T.
    combine : callable
        Of two tensors, such as `torch.maximum` or `torch.add`.

    Returns
    -------
    list of Tensor
        The (N, T - 2**i + 1) of windows of 2**i samples, by the sample that they begin at.
    """
    out = [values_NT]
    while 2 << (len(out) - 1) <= longest:
        half = 1 << (len(out) - 1)
        out.append(combine(out[-1][:, :-half], out[-1][:, half:]))
    return out


def extremes(doubled_NT: list[Tensor], width: int, combine: Combine) -> Tensor:
    """Of every `width` samples, (N, T - width + 1).

    Parameters
    ----------
    doubled_NT : list of Tensor
        Of `doubled`, by the same `combine`, for `longest` of at least `width`.
    width : int
    combine : callable
        Such that a sample may be counted twice: `torch.maximum`, `torch.minimum`.
    """
    level = width.bit_length() - 1
    parts_NT, n = doubled_NT[level], doubled_NT[0].shape[1] - width + 1
    return combine(parts_NT[:, :n], parts_NT[:, width - (1 << level) :][:, :n])


def sums(values_NT: Tensor, width: int) -> Tensor:
    """Sum of every `width` samples, (N, T - width + 1); exactly zero where all of them are."""
    n = values_NT.shape[1] - width + 1
    parts, start = [], 0
    for level, part_NT in enumerate(doubled(values_NT, width, torch.add)):
        if width >> level & 1:
            parts.append(part_NT[:, start : start + n])
            start += 1 << level
    return sum(parts[1:], start=parts[0])
