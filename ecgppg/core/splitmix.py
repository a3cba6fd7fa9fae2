"""SplitMix64 [1]_ on a processor, in one pass.

The same shifts and products by torch, an operation at a time, are written to memory and read back eleven times.

Shapes: B keys, n numbers or draws, V = 65,536 values.

References
----------
.. [1] Steele, Lea, Flood (2014). Fast splittable pseudorandom number generators. OOPSLA.
"""

import numpy as np

from ecgppg.core.compiled import compiled

GOLDEN, MIX_1, MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LOW = np.uint64(0xFFFF)


@compiled
def mix(x_n: np.ndarray) -> None:
    """The finaliser, in place.

    Parameters
    ----------
    x_n : np.ndarray
        uint64.
    """
    for i in range(len(x_n)):
        x_n[i] = _mixed(x_n[i])


@compiled
def draw_from_table(start_B: np.ndarray, table_V: np.ndarray, out_Bn: np.ndarray) -> None:
    """Fill rows with values that the counters choose, four to each 64 bits, the lowest bits first.

    Parameters
    ----------
    start_B : np.ndarray
        uint64; the state that each row's generator starts from.
    table_V : np.ndarray
        65,536 values.
    out_Bn : np.ndarray
        What is filled.
    """
    n = out_Bn.shape[1]
    for b in range(len(start_B)):
        state = start_B[b]
        for first in range(0, n, 4):
            state += GOLDEN
            x = _mixed(state)
            for i in range(first, min(first + 4, n)):
                out_Bn[b, i] = table_V[x & _LOW]
                x >>= np.uint64(16)


@compiled
def _mixed(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> np.uint64(30))) * MIX_1
    x = (x ^ (x >> np.uint64(27))) * MIX_2
    return x ^ (x >> np.uint64(31))
