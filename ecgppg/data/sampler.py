"""The order of the windows: a function of (seed, epoch) alone, so that training can be continued at any batch."""

import numpy as np
import torch

from ecgppg.data.counter_rng import hash_ints


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation of range(n), int64, that depends on (n, seed, epoch) and on nothing else."""
    key_N = hash_ints(torch.arange(n, dtype=torch.int64), seed, epoch)
    return torch.argsort(key_N, stable=True).numpy()


def n_batches(n: int, batch_size: int) -> int:
    """Batches of an epoch: only full ones, since a loss over fewer negatives is another loss; one if n is small."""
    return max(1, n // batch_size) if n >= 2 else 0


def epoch_batches(n: int, batch_size: int, seed: int, epoch: int, start: int = 0) -> list[np.ndarray]:
    """Positions of each batch of an epoch, from batch number `start`.

    Windows that fill no whole batch sit this epoch out: others do in the next.

    Parameters
    ----------
    n : int
        Windows of the training set.
    batch_size, seed, epoch : int
        What the order depends on.
    start : int
        Batches already done.

    Returns
    -------
    list of ndarray, int64
        Positions in the training set.
    """
    order = epoch_order(n, seed, epoch)
    return [order[i * batch_size : (i + 1) * batch_size] for i in range(start, n_batches(n, batch_size))]


def ordered_batches(n: int, batch_size: int) -> list[np.ndarray]:
    """Positions of every window once, in order; the last batch may be smaller."""
    return [np.arange(i, min(i + batch_size, n)) for i in range(0, n, batch_size)]
