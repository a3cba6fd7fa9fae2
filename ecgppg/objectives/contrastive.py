"""NT-Xent: two views of a window attract each other and are told apart from every other window of the batch."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize


class NTXent(nn.Module):
    """Normalised temperature-scaled cross entropy [1]_.

    Computed in float32 also under autocast: at temperature 0.1 a bfloat16 logit is off by several hundredths.

    Parameters
    ----------
    temperature : float
        Divides the cosine similarities.

    References
    ----------
    .. [1] Chen, Kornblith, Norouzi, Hinton (2020). A simple framework for contrastive learning of visual
       representations. ICML.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, a_BP: Tensor, b_BP: Tensor, group_B: Tensor | None = None) -> Tensor:
        """Mean loss over both views of every window.

        Parameters
        ----------
        a_BP, b_BP : Tensor
            Projections of the two views; row i of both is the same window. A zero vector is like nothing.
        group_B : Tensor, optional
            Patient of each window: windows of one patient are then never each other's negatives.

        Returns
        -------
        Tensor, float32, scalar
        """
        with torch.autocast(device_type=a_BP.device.type, enabled=False):
            z_MP = normalize(torch.cat([a_BP, b_BP]).float(), dim=1)
            logits_MM = (z_MP @ z_MP.T) / self.temperature
            B = len(a_BP)
            positive_M = torch.arange(2 * B, device=z_MP.device).roll(B)
            return cross_entropy(logits_MM.masked_fill(_excluded(positive_M, group_B), float("-inf")), positive_M)


def _excluded(positive_M: Tensor, group_B: Tensor | None) -> Tensor:
    """Pairs that are no term of the sum: a view with itself, and where asked views of another window of its patient."""
    M = len(positive_M)
    excluded_MM = torch.eye(M, dtype=torch.bool, device=positive_M.device)
    if group_B is not None:
        group_M = torch.cat([group_B, group_B])
        excluded_MM = group_M[:, None] == group_M[None, :]
        excluded_MM[torch.arange(M, device=positive_M.device), positive_M] = False
    return excluded_MM


def alignment(a_BP: Tensor, b_BP: Tensor) -> Tensor:
    """Mean squared distance of the two views on the unit sphere: 0 is perfect, 2 is chance [2]_.

    References
    ----------
    .. [2] Wang, Isola (2020). Understanding contrastive representation learning through alignment and uniformity on
       the hypersphere. ICML.
    """
    return (normalize(a_BP.float(), dim=1) - normalize(b_BP.float(), dim=1)).square().sum(1).mean()


def uniformity(a_BP: Tensor) -> Tensor:
    """Log mean Gaussian potential of all pairs on the unit sphere: lower is more evenly spread [2]_. Needs B >= 2."""
    return torch.pdist(normalize(a_BP.float(), dim=1)).square().mul(-2).exp().mean().log()
