"""Sums over one row in float64: four partial sums, always the same four, run beside each other."""

import numpy as np

from ecgppg.core.compiled import compiled


@compiled
def total(x_T: np.ndarray) -> float:
    """Sum of a row."""
    n, whole = len(x_T), len(x_T) // 4 * 4
    a = b = c = d = 0.0
    for t in range(0, whole, 4):
        a += x_T[t]
        b += x_T[t + 1]
        c += x_T[t + 2]
        d += x_T[t + 3]
    for t in range(whole, n):
        a += x_T[t]
    return (a + b) + (c + d)


@compiled
def dot(x_T: np.ndarray, y_T: np.ndarray) -> float:
    """Sum of the products of two rows."""
    n, whole = len(x_T), len(x_T) // 4 * 4
    a = b = c = d = 0.0
    for t in range(0, whole, 4):
        a += x_T[t] * y_T[t]
        b += x_T[t + 1] * y_T[t + 1]
        c += x_T[t + 2] * y_T[t + 2]
        d += x_T[t + 3] * y_T[t + 3]
    for t in range(whole, n):
        a += x_T[t] * y_T[t]
    return (a + b) + (c + d)


@compiled
def variance(x_T: np.ndarray) -> float:
    """Population variance of a row."""
    mean = total(x_T) / len(x_T)
    n, whole = len(x_T), len(x_T) // 4 * 4
    a = b = c = d = 0.0
    for t in range(0, whole, 4):
        a += (x_T[t] - mean) ** 2
        b += (x_T[t + 1] - mean) ** 2
        c += (x_T[t + 2] - mean) ** 2
        d += (x_T[t + 3] - mean) ** 2
    for t in range(whole, n):
        a += (x_T[t] - mean) ** 2
    return ((a + b) + (c + d)) / n
