"""Format 212: two 12-bit two's complement samples in three bytes."""

import numpy as np

from ecgppg.core.compiled import compiled

MISSING_INT16 = -(2**15)


@compiled
def unpack_pairs(stored: np.ndarray, codes: np.ndarray) -> None:
    """Fill `codes` from pairs of samples: low byte, both high nibbles, low byte.

    Parameters
    ----------
    stored : np.ndarray
        uint8, three bytes for each pair of codes.
    codes : np.ndarray
        int16, of even length; a sample stored as -2048 becomes -32768, the least of its type.
    """
    for pair in range(len(codes) // 2):
        low, nibbles, high = np.int32(stored[3 * pair]), np.int32(stored[3 * pair + 1]), np.int32(stored[3 * pair + 2])
        first = (low | (nibbles & 0x0F) << 8) ^ 0x800
        second = (high | (nibbles & 0xF0) << 4) ^ 0x800
        codes[2 * pair] = first - 0x800 if first else MISSING_INT16
        codes[2 * pair + 1] = second - 0x800 if second else MISSING_INT16
