"""How good the encoder is on patients it does not train on, and whether its embedding has collapsed."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ecgppg.data.dataset import BatchLoader
from ecgppg.data.sampler import ordered_batches
from ecgppg.objectives.contrastive import alignment, uniformity
from ecgppg.training.interrupt import Interruption
from ecgppg.training.step import VALIDATION_EPOCH, ContrastiveStep

RANK_WINDOWS = 2048
"""Embeddings that the rank is computed over: its cost grows with the cube of the smaller side."""


@dataclass(frozen=True)
class Validation:
    """Measures over the validation windows.

    Attributes
    ----------
    loss : float
        Mean NT-Xent over windows.
    alignment, uniformity : float
        Of the projections; see `objectives.contrastive`.
    embedding_std : float
        Mean over dimensions of the embeddings' standard deviation over windows; 0 is collapse.
    effective_rank : float
        Dimensions the embedding really uses.
    """

    loss: float
    alignment: float
    uniformity: float
    embedding_std: float
    effective_rank: float


def validate(
    step: ContrastiveStep, loader: BatchLoader, batch_size: int, interruption: Interruption
) -> Validation | None:
    """Measure the model on every validation window; None where there are fewer than two."""
    plan = [positions for positions in ordered_batches(len(loader.windows), batch_size) if len(positions) > 1]
    if not plan:
        return None
    sums = torch.zeros(4, dtype=torch.float64)
    kept: list[Tensor] = []
    step.model.eval()
    with torch.no_grad():
        for batch in loader.batches(plan):
            views = step.two_views(batch, VALIDATION_EPOCH)
            n = len(views.a_BP)
            terms = (float(views.loss), float(alignment(views.a_BP, views.b_BP)), float(uniformity(views.a_BP)))
            sums += n * torch.tensor([*terms, 1.0], dtype=torch.float64)
            if sum(map(len, kept)) < RANK_WINDOWS:
                kept.append(views.embedding_BD.cpu())
            interruption.check()
    step.model.train()
    mean = sums[:3] / sums[3]
    embedding_ND = torch.cat(kept)[:RANK_WINDOWS]
    return Validation(
        loss=float(mean[0]),
        alignment=float(mean[1]),
        uniformity=float(mean[2]),
        embedding_std=float(embedding_ND.std(dim=0).mean()),
        effective_rank=effective_rank(embedding_ND),
    )


def effective_rank(embedding_ND: Tensor) -> float:
    """Exponential of the entropy of the normalised singular values of the centred embeddings [1]_.

    Parameters
    ----------
    embedding_ND : Tensor

    Returns
    -------
    float
        Between 1 and min(N, D); 0 if all embeddings are the same.

    References
    ----------
    .. [1] Roy, Vetterli (2007). The effective rank: a measure of effective dimensionality. EUSIPCO.
    """
    centred_ND = (embedding_ND - embedding_ND.mean(0)).double()
    singular = torch.linalg.svdvals(centred_ND)
    total = float(singular.sum())
    if not math.isfinite(total) or total <= 0:
        return 0.0
    share = singular[singular > 0] / total
    return float(torch.exp(-(share * share.log()).sum()))
