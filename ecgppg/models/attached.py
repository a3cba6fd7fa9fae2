"""A zero that depends on weights a batch had no use for."""

from torch import Tensor, nn


def attached_zero(module: nn.Module) -> Tensor:
    """Zero whose gradient with respect to every weight of `module` is zero, and not missing.

    With a missing gradient the optimizer leaves a weight and its moments alone, with a zero one it does not; and
    gradients averaged over ranks have to be there on every rank. A batch, or a rank's part of it, without any row for
    a part of the network so trains as one in which those rows asked for nothing.
    """
    return sum((p.reshape(-1)[:0].sum() for p in module.parameters()), start=next(module.parameters()).new_zeros(()))
