"""Sums over one row in float64, always added in the same order.

Short rows in eight partial sums that run beside each other; long ones are folded in two again and again, many samples
at a time.
"""

import numpy as np

from ecgppg.core.compiled import compiled


@compiled
def total(x_T: np.ndarray) -> float:
    """Sum of a short row."""
    n, whole = len(x_T), len(x_T) // 8 * 8
    a = b = c = d = e = f = g = h = 0.0
    for t in range(0, whole, 8):
        x = x_T[t : t + 8]
        a += x[0]
        b += x[1]
        c += x[2]
        d += x[3]
        e += x[4]
        f += x[5]
        g += x[6]
        h += x[7]
    for t in range(whole, n):
        a += x_T[t]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@compiled
def dot(x_T: np.ndarray, y_T: np.ndarray) -> float:
    """Sum of the products of two short rows."""
    n, whole = len(x_T), len(x_T) // 8 * 8
    a = b = c = d = e = f = g = h = 0.0
    for t in range(0, whole, 8):
        x, y = x_T[t : t + 8], y_T[t : t + 8]
        a += x[0] * y[0]
        b += x[1] * y[1]
        c += x[2] * y[2]
        d += x[3] * y[3]
        e += x[4] * y[4]
        f += x[5] * y[5]
        g += x[6] * y[6]
        h += x[7] * y[7]
    for t in range(whole, n):
        a += x_T[t] * y_T[t]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@compiled
def variance(x_T: np.ndarray) -> float:
    """Population variance of a row of one sample or more."""
    n, half = len(x_T), len(x_T) // 2
    folded = np.empty(n - half)
    folded[n - half - 1] = x_T[n - half - 1]
    low, x_low, x_high = folded[:half], x_T[:half], x_T[n - half :]
    for t in range(half):
        low[t] = np.float64(x_low[t]) + np.float64(x_high[t])
    mean = _fold(folded) / n
    folded[n - half - 1] = (x_T[n - half - 1] - mean) ** 2
    for t in range(half):
        a, b = x_low[t] - mean, x_high[t] - mean
        low[t] = a * a + b * b
    return _fold(folded) / n


@compiled
def _fold(values: np.ndarray) -> float:
    n = len(values)
    while n > 1:
        half = n // 2
        low, high = values[:half], values[n - half : n]
        for t in range(half):
            low[t] += high[t]
        n -= half
    return values[0]
