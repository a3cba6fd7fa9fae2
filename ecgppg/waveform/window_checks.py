"""The checks of one window each, lengths in samples: `measures` runs them over blocks.

Shapes: T samples.
"""

import numpy as np

from ecgppg.core.compiled import compiled
from ecgppg.core.greatest import greatest_size
from ecgppg.waveform.codes import MISSING
from ecgppg.waveform.moving import median_of, moving_average, sums_of_four
from ecgppg.waveform.run_length import longest_run
from ecgppg.waveform.sums import variance

IMPLAUSIBLE_MV = 10.0
"""No ECG electrode sees this after a high-pass; a giant ectopic beat has half of it."""


@compiled
def n_missing(codes_T: np.ndarray) -> int:
    """Samples of one window that are missing."""
    n = 0
    for t in range(len(codes_T)):
        n += 1 if codes_T[t] == MISSING else 0
    return n


@compiled
def longest_constant(codes_T: np.ndarray) -> int:
    """Longest run of one code, in samples; missing samples are no code.

    Coarse codes repeat for a while in any signal: what counts is seconds.
    """
    before_T, here_T = codes_T[:-1], codes_T[1:]
    is_same_T = np.empty(len(here_T), np.uint8)
    for t in range(len(here_T)):
        is_same_T[t] = 1 if here_T[t] == before_T[t] and here_T[t] != MISSING else 0
    longest = longest_run(is_same_T)
    if longest:
        return longest + 1
    return 1 if n_missing(codes_T) < len(codes_T) else 0


@compiled
def n_implausible(ecg_mv_T: np.ndarray) -> int:
    """Samples of one window beyond `IMPLAUSIBLE_MV`."""
    n = 0
    for t in range(len(ecg_mv_T)):
        n += 1 if abs(ecg_mv_T[t]) > IMPLAUSIBLE_MV else 0
    return n


@compiled
def clipped_row(
    codes_T: np.ndarray, lowest: int, highest: int, plateau: int, n_seconds: int, is_clipped_T: np.ndarray
) -> tuple[float, float]:
    """Share of the samples that are clipped, and share of the seconds that hold one; `is_clipped_T` is filled.

    A sample is clipped at the ADC's limits, or in a plateau: at the window's least or greatest code for `plateau`
    samples, entered or left by a jump of three of the steps that its codes are made of (analogue stages clip short of
    the ADC).
    """
    n_samples = len(codes_T)
    least, greatest = least_and_greatest(codes_T)
    for t in range(n_samples):
        is_clipped_T[t] = False
    n = 0
    if greatest != MISSING:
        if least <= lowest or greatest >= highest:
            for t in range(n_samples):
                code = codes_T[t]
                is_clipped_T[t] = (code <= lowest or code >= highest) and code != MISSING
                n += 1 if is_clipped_T[t] else 0
        n += _mark_plateaus(codes_T, greatest, plateau, is_clipped_T)
        n += _mark_plateaus(codes_T, least, plateau, is_clipped_T)
    length = n_samples // n_seconds
    seconds = 0
    for s in range(n_seconds if n else 0):
        seconds += 1 if is_clipped_T[s * length : (s + 1) * length].any() else 0
    return n / n_samples, seconds / n_seconds


@compiled
def _mark_plateaus(codes_T: np.ndarray, extreme: int, plateau: int, is_clipped_T: np.ndarray) -> int:
    """Mark the runs of an extreme code that are long enough and stand apart; how many samples that adds."""
    n, n_extreme = len(codes_T), 0
    for t in range(n):
        n_extreme += 1 if codes_T[t] == extreme else 0
    if n_extreme < plateau:
        return 0
    added, start = 0, -1
    for t in range(n + 1):
        if t < n and codes_T[t] == extreme:
            if start < 0:
                start = t
            continue
        if start >= 0 and t - start >= plateau:
            jump = 3 * step_of(codes_T)
            before = start > 0 and codes_T[start - 1] != MISSING and abs(codes_T[start - 1] - extreme) >= jump
            after = t < n and codes_T[t] != MISSING and abs(codes_T[t] - extreme) >= jump
            if before or after:
                for k in range(start, t):
                    added += not is_clipped_T[k]
                    is_clipped_T[k] = True
        start = -1
    return added


@compiled
def least_and_greatest(codes_T: np.ndarray) -> tuple[int, int]:
    """Least and greatest code that is not missing; MISSING is the greatest where all are."""
    most, missing = np.int32(2**31 - 1), np.int32(MISSING)
    least, greatest = most, missing
    for t in range(len(codes_T)):
        code = codes_T[t]
        greatest = max(greatest, code)
        least = min(least, code if code != missing else most)
    return int(least), int(greatest)


@compiled
def step_of(codes_T: np.ndarray) -> int:
    """Least difference between neighbouring codes that differ, 1 where none does; rescaled recordings step by more.

    In 32 bits, which a processor takes eight at a time, wherever no step needs more."""
    none = 2**31 - 1
    least, greatest = least_and_greatest(codes_T)
    if greatest == MISSING:
        return 1
    if np.int64(greatest) - np.int64(least) < none:
        step = _step_in_32_bits(codes_T[:-1], codes_T[1:])
        return 1 if step == none else int(step)
    wide = np.int64(2**40)
    for t in range(1, len(codes_T)):
        apart = abs(np.int64(codes_T[t]) - np.int64(codes_T[t - 1]))
        if apart != 0 and codes_T[t] != MISSING and codes_T[t - 1] != MISSING:
            wide = min(wide, apart)
    return 1 if wide == 2**40 else int(wide)


@compiled
def _step_in_32_bits(before_T: np.ndarray, after_T: np.ndarray) -> np.int32:
    none, missing = np.int32(2**31 - 1), np.int32(MISSING)
    step = none
    for t in range(len(before_T)):
        apart = np.int32(abs(np.int32(after_T[t] - before_T[t])))
        apart = apart if apart != 0 else none
        apart = apart if after_T[t] != missing else none
        apart = apart if before_T[t] != missing else none
        step = min(step, apart)
    return step


@compiled
def fast_power(x_T: np.ndarray, length: int) -> float:
    """Median over blocks of the mean square of the second difference, which shows what is fast.

    So short blocks have their median between the beats (a QRS fills less than half of them up to 200 bpm), however the
    beats are spaced, and if there are none.
    """
    before, here, after = x_T[:-2], x_T[1:-1], x_T[2:]
    square_T = np.empty(len(here), np.float32)
    for t in range(len(square_T)):
        fast = (here[t] - before[t]) + (here[t] - after[t])
        square_T[t] = fast * fast
    fours_T = np.empty(max(len(square_T) - 3, 0), np.float32)
    sums_of_four(square_T, 1, fours_T)
    n_blocks = len(square_T) // length
    blocks = np.empty(n_blocks, np.float32)
    for b in range(n_blocks):
        power = np.float32(0)
        for t in range(b * length, b * length + length // 4 * 4, 4):
            power += fours_T[t]
        for t in range(b * length + length // 4 * 4, (b + 1) * length):
            power += square_T[t]
        blocks[b] = power
    return median_of(blocks, n_blocks) / length


@compiled
def slow_deviation(x_T: np.ndarray, size: int, slow_T: np.ndarray) -> float:
    """Standard deviation of a window's moving average; `slow_T` is filled."""
    moving_average(x_T, size, slow_T)
    return np.sqrt(variance(slow_T))


@compiled
def height_of(x_T: np.ndarray, n_pieces: int) -> float:
    """Median over pieces of the largest deflection."""
    heights, length = np.empty(n_pieces), len(x_T) // n_pieces
    for piece in range(n_pieces):
        heights[piece] = greatest_size(x_T[piece * length : (piece + 1) * length])
    return median_of(heights, n_pieces)
