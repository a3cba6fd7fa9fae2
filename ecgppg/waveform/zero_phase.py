"""The recursive filter itself: second-order sections run forward and backward over many rows at a time.

A recursion cannot be split in time, but rows can run beside each other: sixteen of them lie side by side, a tile of
samples at a time, so that the processor works on several with one instruction and never leaves its cache. Nothing is
summed in another order than `scipy.signal.sosfiltfilt` sums it. A few rows that would leave most lanes empty run one
after the other instead, with the same result.

Shapes: R rows, T samples, L lanes (rows side by side), S sections.
"""

import numpy as np

from ecgppg.core.compiled import compiled

LANES = 16
"""Rows side by side, a constant: only then can the compiler see that a sample never needs its neighbour in time."""

TILE = 128
AT_ONCE = 32
WORTH_LANES = 7
"""So many rows take as long one by one as side by side."""


@compiled
def forward_backward(sos: np.ndarray, x_RT: np.ndarray, n_padding: int, out_RT: np.ndarray) -> None:
    """`scipy.signal.sosfiltfilt` with odd padding along the last axis.

    Parameters
    ----------
    sos : np.ndarray
        float64 (S, 6), second-order sections.
    x_RT : np.ndarray
        float32 or float64 (R, T), finite.
    n_padding : int
        Samples of odd extension at both ends, less than T.
    out_RT : np.ndarray
        float32 (R, T), filled; computed in float64.
    """
    n_rows, n_samples = x_RT.shape
    length = n_samples + 2 * n_padding
    n_beside = n_rows if n_rows % LANES >= WORTH_LANES else n_rows // LANES * LANES
    for row in range(n_beside, n_rows):
        _stretch(sos, x_RT[row], n_padding, out_RT[row])
    if not n_beside:
        return
    # What passed forward, last sample first; before it, what the filter remembers at the start of its way back.
    passed = np.empty((length + 2) * LANES)
    tile_SB = np.zeros((len(sos) + 1, (TILE + 2) * LANES))
    for first in range(0, n_beside, LANES):
        rows, out = x_RT[first : first + LANES], out_RT[first : first + LANES]
        for start in range(0, length, TILE):
            n = min(TILE, length - start)
            _load(rows, start - n_padding, n_padding, n, tile_SB[0])
            _advance(sos, tile_SB[0], tile_SB, n, start == 0)
            _remember(tile_SB, n, 0)
            _reverse(tile_SB[-1], n, passed[(length - start - n + 2) * LANES : (length - start + 2) * LANES])
        for start in range(0, length, TILE):
            n = min(TILE, length - start)
            _advance(sos, passed[start * LANES : (start + n + 2) * LANES], tile_SB, n, start == 0)
            _remember(tile_SB, n, 1)
            _store(tile_SB[-1], length - start - 1 - n_padding, n, out)


@compiled
def forward_backward_rows(sos: np.ndarray, x_RT: np.ndarray, n_padding: int, max_gap: int, out_RT: np.ndarray) -> None:
    """The same for rows of which some have gaps, NaN; as `forward_backward_gapped` has it for those.

    `n_padding` may be more than a row has samples: as much of it is used as a short stretch allows.
    """
    forward_backward(sos, x_RT, min(n_padding, x_RT.shape[1] - 1), out_RT)
    for row in range(len(x_RT)):
        n_missing = 0
        for x in x_RT[row]:
            n_missing += 1 if x != x else 0
        if n_missing:
            forward_backward_gapped(sos, x_RT[row], n_padding, max_gap, out_RT[row])


@compiled
def _load(x_RT: np.ndarray, start: int, n_padding: int, n: int, tile_B: np.ndarray) -> None:
    """Samples [start, start + n) of the rows, extended at both ends; lanes without a row repeat the last."""
    n_samples = x_RT.shape[1]
    first, stop = min(max(-start, 0), n), max(min(n_samples - start, n), 0)
    for j in range(LANES):
        row_T = x_RT[min(j, len(x_RT) - 1)]
        for i in range(first):
            tile_B[(i + 2) * LANES + j] = 2.0 * row_T[0] - row_T[-start - i]
        inside = row_T[start + first : start + stop]
        lane = tile_B[(first + 2) * LANES + j :: LANES]
        for i in range(len(inside)):
            lane[i] = inside[i]
        for i in range(stop, n):
            tile_B[(i + 2) * LANES + j] = 2.0 * row_T[n_samples - 1] - row_T[2 * n_samples - 2 - start - i]


@compiled
def _store(tile_B: np.ndarray, last: int, n: int, out_RT: np.ndarray) -> None:
    """A tile that runs backward from sample `last`, less what lies in the padding."""
    n_samples = out_RT.shape[1]
    first, stop = max(last - n_samples + 1, 0), min(n, last + 1)
    if first >= stop:
        return
    # A few samples of every row in turn, so that what was fetched of the tile serves all rows.
    for begin in range(first, stop, AT_ONCE):
        for j in range(len(out_RT)):
            for i in range(begin, min(begin + AT_ONCE, stop)):
                out_RT[j, last - i] = tile_B[(i + 2) * LANES + j]


@compiled
def _reverse(tile_B: np.ndarray, n: int, passed_B: np.ndarray) -> None:
    """The samples of a tile, last first."""
    for i in range(n):
        x, here = tile_B[(i + 2) * LANES : (i + 3) * LANES], passed_B[(n - 1 - i) * LANES : (n - i) * LANES]
        for j in range(LANES):
            here[j] = x[j]


@compiled
def _advance(sos: np.ndarray, x_B: np.ndarray, tile_SB: np.ndarray, n: int, at_start: bool) -> None:
    """Run `n` samples through all sections; the two before a tile hold what came before it.

    At the start every section is as if its first value had lasted for ever.
    """
    for s in range(len(sos)):
        b0, b1, b2, a1, a2 = sos[s, 0], sos[s, 1], sos[s, 2], sos[s, 4], sos[s, 5]
        x, y = x_B if s == 0 else tile_SB[s], tile_SB[s + 1]
        if at_start:
            gain = (b0 + b1 + b2) / (1.0 + a1 + a2)
            for k in range(2 * LANES):
                x[k] = x[2 * LANES + k % LANES]
                y[k] = gain * x[2 * LANES + k % LANES]
        _recur(b0, b1, b2, a1, a2, x, y, n)


@compiled
def _remember(tile_SB: np.ndarray, n: int, first: int) -> None:
    """The last two samples of each tile become those before the next; what is stored of a tile lies behind them."""
    for s in range(first, len(tile_SB)):
        for k in range(2 * LANES):
            tile_SB[s, k] = tile_SB[s, n * LANES + k]


@compiled
def _recur(b0: float, b1: float, b2: float, a1: float, a2: float, x: np.ndarray, y: np.ndarray, n: int) -> None:
    """One section over a tile. Views a constant distance apart, as the compiler wants them to run lanes together."""
    x_last, x_now, y_last, y_now = x[LANES:], x[2 * LANES :], y[LANES:], y[2 * LANES :]
    for k in range(n * LANES):
        y_now[k] = b0 * x_now[k] + b1 * x_last[k] + b2 * x[k] - a2 * y[k] - a1 * y_last[k]


@compiled
def forward_backward_gapped(sos: np.ndarray, x_T: np.ndarray, n_padding: int, max_gap: int, out_T: np.ndarray) -> None:
    """The same for one row with gaps: short ones are bridged, at others the filter restarts.

    Parameters
    ----------
    sos : np.ndarray
        float64 (S, 6).
    x_T : np.ndarray
        float32 or float64 (T,); NaN is missing.
    n_padding : int
        Odd extension at both ends of a stretch, or as much of it as a short one allows.
    max_gap : int
        A gap of up to so many samples between others is a straight line.
    out_T : np.ndarray
        float32 (T,), filled; NaN in the gaps that are not bridged.
    """
    n = len(x_T)
    whole_T = np.empty(n)
    last = -1
    for t in range(n):
        whole_T[t] = x_T[t]
        if x_T[t] == x_T[t]:
            if last >= 0 and 0 < t - last - 1 <= max_gap:
                for k in range(last + 1, t):
                    whole_T[k] = whole_T[last] + (whole_T[t] - whole_T[last]) * ((k - last) / (t - last))
            last = t
    out_T[:] = np.nan
    start = 0
    while start < n:
        if whole_T[start] != whole_T[start]:
            start += 1
            continue
        stop = start
        while stop < n and whole_T[stop] == whole_T[stop]:
            stop += 1
        _stretch(sos, whole_T[start:stop], min(n_padding, stop - start - 1), out_T[start:stop])
        start = stop


@compiled
def _stretch(sos: np.ndarray, x_T: np.ndarray, n_padding: int, out_T: np.ndarray) -> None:
    """One row without gaps."""
    n = len(x_T)
    padded_T = np.empty(n + 2 * n_padding)
    for t in range(n_padding):
        padded_T[t] = 2.0 * x_T[0] - x_T[n_padding - t]
        padded_T[n_padding + n + t] = 2.0 * x_T[n - 1] - x_T[n - 2 - t]
    for t in range(n):
        padded_T[n_padding + t] = x_T[t]
    _recur_alone(sos, padded_T)
    _recur_alone(sos, padded_T[::-1])
    for t in range(n):
        out_T[t] = padded_T[n_padding + t]


@compiled
def _recur_alone(sos: np.ndarray, x_T: np.ndarray) -> None:
    """All sections over one row, in place, two at a time: while the one waits for its last value the other works."""
    n_paired = len(sos) // 2 * 2
    for s in range(0, n_paired, 2):
        _recur_two(sos[s], sos[s + 1], x_T)
    if n_paired < len(sos):
        _recur_two(sos[n_paired], np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]), x_T)


@compiled
def _recur_two(one: np.ndarray, two: np.ndarray, x_T: np.ndarray) -> None:
    """Two sections over one row, in place; each starts as if its first value had lasted for ever."""
    b0, b1, b2, a1, a2 = one[0], one[1], one[2], one[4], one[5]
    d0, d1, d2, c1, c2 = two[0], two[1], two[2], two[4], two[5]
    x1 = x2 = x_T[0]
    y1 = y2 = (b0 + b1 + b2) / (1.0 + a1 + a2) * x_T[0]
    v1 = v2 = b0 * x_T[0] + b1 * x1 + b2 * x2 - a2 * y2 - a1 * y1
    w1 = w2 = (d0 + d1 + d2) / (1.0 + c1 + c2) * v1
    for t in range(len(x_T)):
        x = x_T[t]
        y = b0 * x + b1 * x1 + b2 * x2 - a2 * y2 - a1 * y1
        w = d0 * y + d1 * v1 + d2 * v2 - c2 * w2 - c1 * w1
        x2, x1, y2, y1 = x1, x, y1, y
        v2, v1, w2, w1 = v1, y, w1, w
        x_T[t] = w
