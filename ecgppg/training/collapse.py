"""Whether the encoder still tells windows apart: the numbers of an epoch against limits, and a line for people."""

from ecgppg.training.validation import Validation

LEAST_EFFECTIVE_RANK = 2.0
"""Dimensions in use. Healthy encoders of this kind use from ten to a hundred; one is a line that all windows lie on."""
HIGHEST_UNIFORMITY = -0.2
"""Log mean potential of pairs on the sphere: 0 where all projections are one point, about -4 where they are spread."""
LEAST_EMBEDDING_STD = 1e-3
"""Mean standard deviation of an embedding's dimensions over windows."""
GRACE_STEPS = 200
"""A network that was just drawn sends all windows into one narrow cone: so many steps it has to leave it."""


def collapse_line(result: Validation, step: int) -> str | None:
    """What has collapsed, in one line with its limits and what to do; None where all is well.

    Parameters
    ----------
    result : Validation
        Of the epoch.
    step : int
        Training steps done.
    """
    if step < GRACE_STEPS:
        return None
    signs = []
    if not result.effective_rank >= LEAST_EFFECTIVE_RANK:
        signs.append(f"effective rank {result.effective_rank:.2f}, under {LEAST_EFFECTIVE_RANK:g}")
    if not result.uniformity <= HIGHEST_UNIFORMITY:
        signs.append(f"uniformity {result.uniformity:.3f}, above {HIGHEST_UNIFORMITY:g}")
    if not result.embedding_std >= LEAST_EMBEDDING_STD:
        signs.append(f"standard deviation {result.embedding_std:.2g}, under {LEAST_EMBEDDING_STD:g}")
    if not signs:
        return None
    return (
        f"COLLAPSE: the embeddings hardly tell windows apart ({'; '.join(signs)}). If the next epochs say so too, "
        "start anew (--fresh) with a lower learning_rate, a longer warmup_share or a larger batch_size"
    )
