"""The largest deflection of a row, found among its bits.

Without their signs, floating-point numbers stand in the order of their bits, what is not a number above all others;
and whole numbers the processor compares many at a time.

Shapes: T samples.
"""

import numpy as np

from ecgppg.core.compiled import compiled


@compiled
def greatest_size(x_T: np.ndarray) -> np.float32:
    """Largest deflection of a row, NaN where it holds one; 0 of none.

    Parameters
    ----------
    x_T : np.ndarray
        float32 (T,).
    """
    bits_T, greatest = x_T.view(np.int32), np.zeros(1, np.int32)
    most = np.int32(0)
    for t in range(len(bits_T)):
        most = max(most, np.int32(bits_T[t] & np.int32(0x7FFFFFFF)))
    greatest[0] = most
    return greatest.view(np.float32)[0]
