"""The longest run of a condition in one row, by doubling: where it holds for 1, 2, 4, ... samples on end.

Every step is the same for all samples, so the processor takes many at a time.
"""

import numpy as np

from ecgppg.core.compiled import compiled


@compiled
def longest_run(holds_T: np.ndarray) -> int:
    """Samples of the longest run of ones.

    Parameters
    ----------
    holds_T : np.ndarray
        uint8 (T,), 1 where the condition holds and 0 elsewhere.
    """
    n = len(holds_T)
    n_doublings = 0
    while 2 << n_doublings <= n:
        n_doublings += 1
    # Stretch k: samples from which it holds for 2 ** k on end.
    doubled = np.empty((n_doublings + 2) * n, np.uint8)
    _both(holds_T, holds_T, doubled[:n])
    if not _any(holds_T):
        return 0
    k = 0
    while k < n_doublings:
        left = n + 1 - (2 << k)
        here, there = k * n, (k + 1) * n
        _both(doubled[here : here + left], doubled[here + (1 << k) : there], doubled[there : there + left])
        if not _any(doubled[there : there + left]):
            break
        k += 1
    longest, found = 1 << k, k * n
    free = (k + 1) * n
    for i in range(k - 1, -1, -1):
        left = n + 1 - longest - (1 << i)
        if left <= 0:
            continue
        out_T = doubled[free : free + left]
        _both(doubled[found : found + left], doubled[i * n + longest : i * n + longest + left], out_T)
        if _any(out_T):
            longest += 1 << i
            # What was found so far is needed no more, nor are the doublings above this one.
            found, free = free, (i + 1) * n if found == k * n else found
    return longest


@compiled
def _any(holds_T: np.ndarray) -> bool:
    found = np.uint8(0)
    for t in range(len(holds_T)):
        found = np.uint8(found | holds_T[t])
    return found != 0


@compiled
def _both(a_T: np.ndarray, b_T: np.ndarray, out_T: np.ndarray) -> None:
    for t in range(len(out_T)):
        out_T[t] = a_T[t] & b_T[t]
