"""Moving averages and maxima of one row, by doubling: spans of 1, 2, 4, ... samples, each made of two of the last.

Every step is the same for all samples, so the processor takes many at a time, and a sum of n terms is rounded log n
times only. The ends are mirrored, the outermost sample included, as `scipy.ndimage` has it by default.

Shapes: T samples of a row.
"""

import numpy as np

from ecgppg.core.compiled import compiled, compiled_extremes


@compiled
def moving_average(x_T: np.ndarray, size: int, out_T: np.ndarray) -> None:
    """Mean of `size` samples about each.

    Parameters
    ----------
    x_T : np.ndarray
        float32 (T,), T at least 1.
    size : int
        Samples averaged; an even size has one more before than after.
    out_T : np.ndarray
        float32 (T,), filled; may be `x_T`.
    """
    n, before = len(x_T), size // 2
    span, wider = np.empty(n + size - 1, np.float32), np.empty(n + size - 1, np.float32)
    for t in range(before):
        span[before - 1 - t] = x_T[_mirrored(-1 - t, n)]
    _copy(x_T, span[before : before + n])
    for t in range(size - 1 - before):
        span[before + n + t] = x_T[_mirrored(n + t, n)]
    total_T = np.empty(n, np.float32)
    done, width = 0, 1
    while True:
        if size & width:
            if done:
                _accumulate(total_T, span[done : done + n])
            else:
                _copy(span[:n], total_T)
            done += width
        if 2 * width > size:
            break
        left = len(span) - 2 * width + 1
        _add(span[:left], span[width : width + left], wider[:left])
        span, wider = wider, span
        width *= 2
    _scale(total_T, np.float32(1.0 / size), out_T)


@compiled_extremes
def moving_maximum(x_T: np.ndarray, reach: int, out_T: np.ndarray) -> None:
    """Greatest sample within `reach` on either side of each.

    Parameters
    ----------
    x_T : np.ndarray
        float32 (T,), not negative.
    reach : int
        Samples.
    out_T : np.ndarray
        float32 (T,), filled; may be `x_T`.
    """
    n, size = len(x_T), 2 * reach + 1
    # Beyond the ends stands nothing, and nothing is negative.
    span, wider = np.zeros(n + 2 * reach, np.float32), np.empty(n + 2 * reach, np.float32)
    _copy(x_T, span[reach : reach + n])
    width = 1
    while 2 * width <= size:
        left = len(span) - 2 * width + 1
        _greater(span[:left], span[width : width + left], wider[:left])
        span, wider = wider, span
        width *= 2
    _greater(span[:n], span[size - width : size - width + n], out_T)


@compiled_extremes
def greatest_size(x_T: np.ndarray) -> np.float32:
    """Largest deflection of a row, float32; 0 of none."""
    greatest = np.float32(0)
    for t in range(len(x_T)):
        size = abs(x_T[t])
        greatest = size if size > greatest else greatest
    return greatest


@compiled
def median_of(values: np.ndarray, n: int) -> float:
    """Median of the first `n` values, which are put in order; meant for some dozens of them. NaN of none."""
    for i in range(1, n):
        value = values[i]
        j = i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    if n == 0:
        return np.nan
    return 0.5 * (np.float64(values[(n - 1) // 2]) + np.float64(values[n // 2]))


@compiled
def _copy(x_T: np.ndarray, out_T: np.ndarray) -> None:
    for t in range(len(x_T)):
        out_T[t] = x_T[t]


@compiled
def _scale(x_T: np.ndarray, factor: np.float32, out_T: np.ndarray) -> None:
    for t in range(len(x_T)):
        out_T[t] = x_T[t] * factor


@compiled
def _add(a_T: np.ndarray, b_T: np.ndarray, out_T: np.ndarray) -> None:
    for t in range(len(out_T)):
        out_T[t] = a_T[t] + b_T[t]


@compiled
def _accumulate(total_T: np.ndarray, a_T: np.ndarray) -> None:
    for t in range(len(total_T)):
        total_T[t] += a_T[t]


@compiled_extremes
def _greater(a_T: np.ndarray, b_T: np.ndarray, out_T: np.ndarray) -> None:
    for t in range(len(out_T)):
        out_T[t] = a_T[t] if a_T[t] > b_T[t] else b_T[t]


@compiled
def _mirrored(t: int, n: int) -> int:
    """Sample inside [0, n) that stands for one beyond the ends."""
    while t < 0 or t >= n:
        t = -1 - t if t < 0 else 2 * n - 1 - t
    return t
