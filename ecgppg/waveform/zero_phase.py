"""The recursive filter itself: second-order sections run forward and backward over many rows at a time.

A recursion cannot be split in time, but rows can run beside each other: sixteen of them lie side by side, a tile of
samples at a time, so that the processor works on several with one instruction and never leaves its cache. Nothing is
summed in another order than `scipy.signal.sosfiltfilt` sums it.

Shapes: R rows, T samples, L lanes (rows side by side), S sections.
"""

import numpy as np
from numba import njit

LANES = 16
TILE = 128


@njit(cache=True, nogil=True, error_model="numpy")
def forward_backward(sos: np.ndarray, x_RT: np.ndarray, n_padding: int) -> np.ndarray:
    """`scipy.signal.sosfiltfilt` with odd padding along the last axis.

    Parameters
    ----------
    sos : np.ndarray
        float64 (S, 6), second-order sections.
    x_RT : np.ndarray
        float32 or float64 (R, T), finite.
    n_padding : int
        Samples of odd extension at both ends, less than T.

    Returns
    -------
    np.ndarray
        float32 (R, T); computed in float64.
    """
    n_rows, n_samples = x_RT.shape
    out_RT = np.empty((n_rows, n_samples), np.float32)
    length = n_samples + 2 * n_padding
    for first in range(0, n_rows, LANES):
        lanes = min(LANES, n_rows - first)
        forward_TL = np.empty((length, lanes))
        tile_SBL = np.zeros((len(sos) + 1, TILE + 2, lanes))
        for start in range(0, length, TILE):
            n = min(TILE, length - start)
            for i in range(n):
                t = start + i - n_padding
                if t < 0:
                    for j in range(lanes):
                        tile_SBL[0, i + 2, j] = 2.0 * x_RT[first + j, 0] - x_RT[first + j, -t]
                elif t < n_samples:
                    for j in range(lanes):
                        tile_SBL[0, i + 2, j] = x_RT[first + j, t]
                else:
                    for j in range(lanes):
                        mirrored = 2 * n_samples - 2 - t
                        tile_SBL[0, i + 2, j] = 2.0 * x_RT[first + j, n_samples - 1] - x_RT[first + j, mirrored]
            _advance(sos, tile_SBL, n, start == 0)
            forward_TL[start : start + n] = tile_SBL[-1, 2 : n + 2]
        for start in range(0, length, TILE):
            n = min(TILE, length - start)
            for i in range(n):
                for j in range(lanes):
                    tile_SBL[0, i + 2, j] = forward_TL[length - 1 - start - i, j]
            _advance(sos, tile_SBL, n, start == 0)
            for i in range(n):
                t = length - 1 - start - i - n_padding
                if 0 <= t < n_samples:
                    for j in range(lanes):
                        out_RT[first + j, t] = tile_SBL[-1, i + 2, j]
    return out_RT


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(sos: np.ndarray, tile_SBL: np.ndarray, n: int, at_start: bool) -> None:
    """Run `n` samples through all sections; the two rows before a tile hold what came before it.

    At the start every section is as if its first value had lasted for ever.
    """
    for s in range(len(sos)):
        b0, b1, b2, a1, a2 = sos[s, 0], sos[s, 1], sos[s, 2], sos[s, 4], sos[s, 5]
        x_BL, y_BL = tile_SBL[s], tile_SBL[s + 1]
        if at_start:
            gain = (b0 + b1 + b2) / (1.0 + a1 + a2)
            x_BL[0], x_BL[1] = x_BL[2], x_BL[2]
            for j in range(x_BL.shape[1]):
                y_BL[0, j] = gain * x_BL[2, j]
                y_BL[1, j] = gain * x_BL[2, j]
        for i in range(2, n + 2):
            for j in range(x_BL.shape[1]):
                y_BL[i, j] = (
                    b0 * x_BL[i, j] + b1 * x_BL[i - 1, j] + b2 * x_BL[i - 2, j]
                    - a1 * y_BL[i - 1, j] - a2 * y_BL[i - 2, j]
                )  # fmt: skip
    for s in range(len(sos) + 1):
        tile_SBL[s, 0], tile_SBL[s, 1] = tile_SBL[s, n], tile_SBL[s, n + 1]
