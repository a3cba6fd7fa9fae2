"""The temperature of the contrastive terms, fixed or learnt."""

import math

import torch
from torch import Tensor, nn


class Temperature(nn.Module):
    """floor + exp(parameter) where learnt: no step can bring it to the floor or below, nor leave it stuck there.

    Parameters
    ----------
    start : float
        The temperature; where it is learnt, the one to start from, above the floor.
    learnable : bool
        Whether it is a parameter.
    floor : float
        Least temperature that can be learnt. Without one, a loss that is easy is made easier by ever larger logits.
    """

    def __init__(self, start: float, learnable: bool = False, floor: float = 0.01) -> None:
        super().__init__()
        self.start, self.floor = start, floor
        self.log_above_floor: nn.Parameter | None = None
        if learnable:
            if start <= floor:
                raise ValueError(f"a learnable temperature has to start above its floor {floor:g}, got {start:g}")
            self.log_above_floor = nn.Parameter(torch.tensor(math.log(start - floor)))

    def forward(self) -> float | Tensor:
        """The temperature as it is now."""
        return self.start if self.log_above_floor is None else self.floor + self.log_above_floor.exp()
