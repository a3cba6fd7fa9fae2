"""Draws from a table of equally likely values, on a processor in one pass.

The same bits, shifted and multiplied by torch an operation at a time, are written to memory and read back eleven times.

Shapes: B keys, n draws, V = 65,536 values.
"""

import numpy as np

from ecgppg.core.compiled import compiled

_GOLDEN, _MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LOW = np.uint64(0xFFFF)


@compiled
def draw_from_table(start_B: np.ndarray, table_V: np.ndarray, out_Bn: np.ndarray) -> None:
    """Fill rows with values that the counters of SplitMix64 choose, four to each 64 bits, the lowest bits first.

    Parameters
    ----------
    start_B : np.ndarray
        uint64; the state that each row's generator starts from.
    table_V : np.ndarray
        65,536 values.
    out_Bn : np.ndarray
        What is filled.

    References
    ----------
    Steele, Lea, Flood (2014). Fast splittable pseudorandom number generators. OOPSLA.
    """
    n = out_Bn.shape[1]
    for b in range(len(start_B)):
        state = start_B[b]
        for first in range(0, n, 4):
            state += _GOLDEN
            x = (state ^ (state >> np.uint64(30))) * _MIX_1
            x = (x ^ (x >> np.uint64(27))) * _MIX_2
            x ^= x >> np.uint64(31)
            for i in range(first, min(first + 4, n)):
                out_Bn[b, i] = table_V[x & _LOW]
                x >>= np.uint64(16)
