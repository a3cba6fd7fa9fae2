"""Rate and irregularity of a window, as the beat detector found them, for a network to predict.

No label is used: both were measured on the signal itself when the dataset was built. Contrastive terms alone leave the
irregularity of a rhythm half encoded, since one window can be told from all others without it.
"""

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from ecgppg.objectives.gather import Gather, OneProcess

LEAST_CV = 0.02
"""Added to the coefficient of variation: below it, what differs is the placing of beats and not the rhythm."""
CENTRE, SPREAD = (4.40, -2.50), (0.27, 0.80)
"""Typical centre and spread of log rate (81 bpm) and log variation, by which targets are standardised. Constants and
not the training set's own, so that losses of runs on different data can be compared."""


def beat_targets(beats_N2: Tensor) -> tuple[Tensor, Tensor]:
    """Standardised log heart rate and log RR variation.

    Parameters
    ----------
    beats_N2 : Tensor, float32
        heart_rate_bpm and rr_cv; NaN, or a rate of 0, where they are unknown.

    Returns
    -------
    target_N2 : Tensor, float32
        Zeros in rows that are not known.
    known_N2 : Tensor, bool
    """
    known_N = beats_N2.isfinite().all(1) & (beats_N2[:, 0] > 0) & (beats_N2[:, 1] >= 0)
    safe_N2 = torch.where(known_N[:, None], beats_N2, 1.0)
    log_N2 = torch.stack([safe_N2[:, 0].log(), (safe_N2[:, 1] + LEAST_CV).log()], dim=1)
    target_N2 = (log_N2 - log_N2.new_tensor(CENTRE)) / log_N2.new_tensor(SPREAD)
    return torch.where(known_N[:, None], target_N2, 0.0), known_N[:, None].expand_as(target_N2)


def beat_loss(predicted_NS: Tensor, target_NS: Tensor, known_NS: Tensor, gather: Gather | None = None) -> Tensor:
    """Mean Huber loss over the known targets of all ranks: this rank's share of it (see `objectives.gather`).

    Huber and not squares: a missed beat doubles an interval, and must not outweigh a batch.

    Parameters
    ----------
    predicted_NS, target_NS : Tensor
    known_NS : Tensor, bool
        Targets that count.
    gather : Gather, optional
        The rows here are all there are unless given.

    Returns
    -------
    Tensor, float32, scalar
        0 where nothing is known.
    """
    gather = gather or OneProcess()
    with torch.autocast(device_type=predicted_NS.device.type, enabled=False):
        each_NS = huber_loss(predicted_NS.float(), target_NS, reduction="none")
        n_known = gather.sum(known_NS.sum()).clamp(min=1)
        return torch.where(known_NS, each_NS, 0.0).sum() * gather.n_ranks / n_known
