"""What a contrastive loss is made of: how close pairs lie, and how evenly everything is spread [1]_.

References
----------
.. [1] Wang, Isola (2020). Understanding contrastive representation learning through alignment and uniformity on the
   hypersphere. ICML.
"""

import torch
from torch import Tensor

from ecgppg.objectives.contrastive import unit


def alignment(a_NP: Tensor, b_NP: Tensor) -> Tensor:
    """Mean squared distance of pairs on the unit sphere: 0 is perfect, 2 is chance."""
    return (unit(a_NP) - unit(b_NP)).square().sum(1).mean()


def uniformity(a_NP: Tensor) -> Tensor:
    """Log mean Gaussian potential of all pairs on the unit sphere: lower is more evenly spread. Needs N >= 2."""
    return torch.pdist(unit(a_NP)).square().mul(-2).exp().mean().log()
