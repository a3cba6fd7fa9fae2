"""The learning rate as a function of the step: linear warm-up, then half a cosine down to nothing."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Warm-up and cosine over a planned number of steps.

    A raised num_epochs stretches the curve: training goes on where the longer one stands at that step, which is higher
    than where the shorter one ended, after a linear ramp from `extended_at` as long as the warm-up. Weights that had
    settled are so not thrown about by a sudden full rate.

    Attributes
    ----------
    peak : float
        Largest learning rate.
    total_steps : int
        Steps planned in all.
    warmup_share : float
        Share of them spent warming up.
    extended_at : int
        Step at which the plan was lengthened; 0 if never.
    """

    peak: float
    total_steps: int
    warmup_share: float
    extended_at: int = 0

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warmup = max(1, round(self.warmup_share * self.total_steps))
        if step < warmup:
            curve = (step + 1) / warmup
        else:
            done = (step - warmup) / max(1, self.total_steps - warmup)
            curve = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        ramp = min(1.0, (step - self.extended_at + 1) / warmup) if self.extended_at else 1.0
        return self.peak * curve * ramp


def stopped_early(epoch: int, best_epoch: int | None, patience: int | None) -> bool:
    """Whether training ends before its planned epochs: a function of what a checkpoint holds, so resuming is exact.

    Parameters
    ----------
    epoch : int
        Finished epochs.
    best_epoch : int or None
        The one with the lowest validation loss, from 1; None if none has a finite one.
    patience : int or None
        Epochs without a lower loss that are waited for; None waits for ever.
    """
    return patience is not None and epoch - (best_epoch or 0) >= patience
