"""How good the encoder is on patients it does not train on, and whether its embedding has collapsed."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ecgppg.data.dataset import BatchLoader
from ecgppg.data.partners import NearPartners, paired_batches
from ecgppg.data.sampler import ordered_batches
from ecgppg.objectives.measures import alignment, uniformity
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
        Weighted sum of the terms.
    terms : dict
        Loss of each term of positive weight, by the name of its setting: the mean over the rows that take part in it,
        NaN where none does.
    alignment, uniformity : float
        Of the projections of two views; see `objectives.measures`.
    ecg_ppg_alignment : float
        Of the projections of ECG alone and PPG alone; NaN where no term compares them.
    embedding_std : float
        Mean over dimensions of the embeddings' standard deviation over windows; 0 is collapse.
    effective_rank : float
        Dimensions the embedding really uses.
    """

    loss: float
    terms: dict[str, float]
    alignment: float
    uniformity: float
    ecg_ppg_alignment: float
    embedding_std: float
    effective_rank: float


def validate(
    step: ContrastiveStep,
    loader: BatchLoader,
    batch_size: int,
    interruption: Interruption,
    partners: NearPartners | None = None,
) -> Validation | None:
    """Measure the model on every validation window; None where there are fewer than two.

    Parameters
    ----------
    step : ContrastiveStep
    loader : BatchLoader
        Of the validation windows.
    batch_size : int
    interruption : Interruption
        Checked after every batch.
    partners : NearPartners, optional
        Of the validation windows, where the objective compares windows near in time.
    """
    plan = [positions for positions in ordered_batches(len(loader.windows), batch_size) if len(positions) > 1]
    if not plan:
        return None
    settings = step.settings
    means = _Means()
    kept: list[Tensor] = []
    step.model.eval()
    with torch.no_grad():
        for batch in paired_batches(loader, plan, partners, settings.seed, VALIDATION_EPOCH):
            seen = step.outcome(batch, VALIDATION_EPOCH)
            for name, (loss, rows) in seen.terms.items():
                means.add(name, loss, rows)
            n = len(seen.a_BP)
            means.add("alignment", alignment(seen.a_BP, seen.b_BP), n)
            means.add("uniformity", uniformity(seen.a_BP), n)
            if len(seen.ecg_JP):
                means.add("ecg_ppg_alignment", alignment(seen.ecg_JP, seen.ppg_JP), len(seen.ecg_JP))
            if sum(map(len, kept)) < RANK_WINDOWS:
                kept.append(seen.embedding_BD.cpu())
            interruption.check()
    step.model.train()
    terms = {name: means.of(name) for name in settings.objective_weights}
    embedding_ND = torch.cat(kept)[:RANK_WINDOWS]
    return Validation(
        # A term without a row, as of PPG where no window has it, is no part of the sum.
        loss=sum(settings.objective_weights[name] * loss for name, loss in terms.items() if not math.isnan(loss)),
        terms=terms,
        alignment=means.of("alignment"),
        uniformity=means.of("uniformity"),
        ecg_ppg_alignment=means.of("ecg_ppg_alignment"),
        embedding_std=float(embedding_ND.std(dim=0).mean()),
        effective_rank=effective_rank(embedding_ND),
    )


class _Means:
    """Means over rows, of means over the rows of batches."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.rows: dict[str, int] = {}

    def add(self, name: str, mean: Tensor, rows: int) -> None:
        if rows:
            self.sums[name] = self.sums.get(name, 0.0) + rows * float(mean)
            self.rows[name] = self.rows.get(name, 0) + rows

    def of(self, name: str) -> float:
        return self.sums[name] / self.rows[name] if name in self.rows else math.nan


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
