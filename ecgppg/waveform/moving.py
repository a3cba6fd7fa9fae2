"""Moving averages and maxima of one row, by widening: spans of 1, 4, 16, ... samples, each made of four of the last.

Every step is the same for all samples, so the processor takes many at a time, and a sum of n terms is rounded a few
times only. The ends are mirrored, the outermost sample included, as `scipy.ndimage` has it by default.

Shapes: T samples of a row.
"""

import numpy as np

from ecgppg.core.compiled import compiled, compiled_extremes

FEW = 16
"""So many values are put in order one by one; more are ranked, each against all others at once."""


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
    n, m = len(x_T), len(x_T) + size - 1
    span, wider, total_T = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(n, np.float32)
    _with_mirrored_ends(x_T, size // 2, span)
    done, width = 0, 1
    while True:
        digit = size // width % 4
        if digit:
            _add_spans(span[done:], width, digit, done > 0, total_T)
            done += digit * width
        if done == size:
            break
        sums_of_four(span, width, wider[: len(span) - 3 * width])
        span, wider = wider[: len(span) - 3 * width], span
        width *= 4
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
    span, wider = np.empty(n + 2 * reach, np.float32), np.empty(n + 2 * reach, np.float32)
    # Beyond the ends stands nothing, and nothing is negative.
    span[:reach] = 0
    span[reach + n :] = 0
    _copy(x_T, span[reach : reach + n])
    width = 1
    while 4 * width <= size:
        _greatest(span, width, 2 * width, 3 * width, wider[: len(span) - 3 * width])
        span, wider = wider[: len(span) - 3 * width], span
        width *= 4
    last = size - width
    _greatest(span, min(width, last), min(2 * width, last), last, out_T)


@compiled
def sums_of_four(span: np.ndarray, width: int, wider: np.ndarray) -> None:
    """Sums of four neighbouring spans.

    Parameters
    ----------
    span : np.ndarray
        float32 (T,): sums of `width` samples from each on.
    width : int
        Samples.
    wider : np.ndarray
        float32, at most T - 3 * `width`; filled with the sums of 4 * `width` samples from each on.
    """
    n = len(wider)
    b, c, d = span[width : width + n], span[2 * width : 2 * width + n], span[3 * width : 3 * width + n]
    for t in range(n):
        wider[t] = (span[t] + b[t]) + (c[t] + d[t])


@compiled
def median_of(values: np.ndarray, n: int) -> float:
    """Median of the first `n` values, none of them NaN; NaN of none. Up to `FEW` of them are put in order."""
    if n == 0:
        return np.nan
    if n > FEW:
        return _median_by_rank(values[:n])
    for i in range(1, n):
        value = values[i]
        j = i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return 0.5 * (np.float64(values[(n - 1) // 2]) + np.float64(values[n // 2]))


@compiled
def _median_by_rank(values: np.ndarray) -> float:
    n = len(values)
    low, high = (n - 1) // 2, n // 2
    for i in range(n):
        value = values[i]
        less, equal = np.int32(0), np.int32(0)
        for j in range(n):
            less += np.int32(1) if values[j] < value else np.int32(0)
            equal += np.int32(1) if values[j] == value else np.int32(0)
        if less <= low < less + equal:
            above = value
            if less + equal <= high:
                above = np.inf
                for j in range(n):
                    above = values[j] if value < values[j] < above else above
            return 0.5 * (np.float64(value) + np.float64(above))
    return np.nan


@compiled
def _with_mirrored_ends(x_T: np.ndarray, before: int, span: np.ndarray) -> None:
    n = len(x_T)
    after = len(span) - n - before
    _copy(x_T, span[before : before + n])
    if max(before, after) <= n:
        _copy(x_T[:before][::-1], span[:before])
        _copy(x_T[n - after :][::-1], span[before + n :])
        return
    for t in range(before):
        span[before - 1 - t] = x_T[_mirrored(-1 - t, n)]
    for t in range(after):
        span[before + n + t] = x_T[_mirrored(n + t, n)]


@compiled
def _add_spans(span: np.ndarray, width: int, n_spans: int, on_top: bool, total_T: np.ndarray) -> None:
    """Sums of one, two or three neighbouring spans, on top of what is there or instead of it."""
    n = len(total_T)
    if on_top:
        if n_spans == 1:
            for t in range(n):
                total_T[t] += span[t]
        elif n_spans == 2:
            b = span[width : width + n]
            for t in range(n):
                total_T[t] += span[t] + b[t]
        else:
            b, c = span[width : width + n], span[2 * width : 2 * width + n]
            for t in range(n):
                total_T[t] += (span[t] + b[t]) + c[t]
    elif n_spans == 1:
        _copy(span[:n], total_T)
    elif n_spans == 2:
        b = span[width : width + n]
        for t in range(n):
            total_T[t] = span[t] + b[t]
    else:
        b, c = span[width : width + n], span[2 * width : 2 * width + n]
        for t in range(n):
            total_T[t] = (span[t] + b[t]) + c[t]


@compiled
def _copy(x_T: np.ndarray, out_T: np.ndarray) -> None:
    for t in range(len(x_T)):
        out_T[t] = x_T[t]


@compiled
def _scale(x_T: np.ndarray, factor: np.float32, out_T: np.ndarray) -> None:
    for t in range(len(x_T)):
        out_T[t] = x_T[t] * factor


@compiled_extremes
def _greatest(span: np.ndarray, first: int, second: int, third: int, out_T: np.ndarray) -> None:
    """Greatest of four: here and at three places after."""
    n = len(out_T)
    b_T, c_T, d_T = span[first : first + n], span[second : second + n], span[third : third + n]
    for t in range(n):
        a = span[t] if span[t] > b_T[t] else b_T[t]
        c = c_T[t] if c_T[t] > d_T[t] else d_T[t]
        out_T[t] = a if a > c else c


@compiled
def _mirrored(t: int, n: int) -> int:
    """Sample inside [0, n) that stands for one beyond the ends."""
    while t < 0 or t >= n:
        t = -1 - t if t < 0 else 2 * n - 1 - t
    return t
