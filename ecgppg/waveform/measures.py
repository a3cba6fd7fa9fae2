"""Everything that is measured of a window without its beats, window after window.

One pass a window keeps it in the processor's nearest cache; a pass a check would fetch a block of windows anew each
time. What each number means stands with its own function in `window_checks` and `regularity`.

Shapes: N windows, T samples.
"""

from typing import NamedTuple

import numpy as np

from ecgppg.core.compiled import compiled
from ecgppg.waveform.regularity import longest_flat
from ecgppg.waveform.sums import variance
from ecgppg.waveform.window_checks import (
    clipped_row,
    fast_power,
    height_of,
    longest_constant,
    n_implausible,
    n_missing,
    slow_deviation,
    step_of,
)


class Sizes(NamedTuple):
    """Lengths that the checks look at, in samples."""

    plateau: int
    n_seconds: int
    noise_block: int
    slow: int
    n_pieces: int
    flat: int


class Limits(NamedTuple):
    """What the codes of a window may be before it is lost; beyond them nothing else of it is measured."""

    missing_share: float
    longest_constant: float
    """samples of the codes"""


NO_LIMITS = Limits(np.inf, np.inf)


class Measures(NamedTuple):
    """What was measured, each float (N,); 0 of what was not."""

    missing_share: np.ndarray
    longest_constant: np.ndarray
    """samples of the codes"""
    clipped_share: np.ndarray
    clipped_spread: np.ndarray
    floor: np.ndarray
    """noise (rms) that is the recorder's own"""
    fast_power: np.ndarray
    power: np.ndarray
    slow_deviation: np.ndarray
    height: np.ndarray
    implausible_share: np.ndarray
    longest_flat: np.ndarray
    """samples"""


def measure(
    codes_NT: np.ndarray,
    raw_NT: np.ndarray,
    filtered_NT: np.ndarray,
    limits_N2: np.ndarray,
    floor: tuple[float, float, float],
    noise_in_raw: bool,
    sizes: Sizes,
    limits: Limits = NO_LIMITS,
    wanted_N: np.ndarray | None = None,
) -> Measures:
    """Measure a block of windows.

    Parameters
    ----------
    codes_NT : np.ndarray
        int32, ADC codes.
    raw_NT, filtered_NT : np.ndarray
        float32, before and after the band-pass; NaN where missing.
    limits_N2 : np.ndarray
        int64, least and greatest code.
    floor : tuple of float
        Noise of the recorder: at least the first; the second for each step of the codes; the third for each code
        that the ADC has.
    noise_in_raw : bool
        Whether what is fast is looked for before the band-pass.
    sizes : Sizes
    limits : Limits, optional
        Of a window beyond them only `missing_share` and `longest_constant` are measured.
    wanted_N : np.ndarray, optional
        bool; of the other windows nothing is measured. All where not given.

    Returns
    -------
    Measures
    """
    measures = np.zeros((len(Measures._fields), len(codes_NT)))
    wanted = np.arange(len(codes_NT)) if wanted_N is None else np.flatnonzero(wanted_N)
    _measure(codes_NT, raw_NT, filtered_NT, limits_N2, floor, noise_in_raw, sizes, limits, wanted, measures)
    return Measures(*measures)


@compiled
def _measure(
    codes_NT: np.ndarray,
    raw_NT: np.ndarray,
    filtered_NT: np.ndarray,
    limits_N2: np.ndarray,
    floor: tuple[float, float, float],
    noise_in_raw: bool,
    sizes: Sizes,
    limits: Limits,
    wanted: np.ndarray,
    measures: np.ndarray,
) -> None:
    n_samples, n_codes = filtered_NT.shape[1], codes_NT.shape[1]
    x_T, scratch_T = np.empty(n_samples, np.float32), np.empty(n_samples, np.float32)
    is_clipped_T = np.empty(n_codes, np.bool_)
    for row in wanted:
        codes_T, low, high = codes_NT[row], limits_N2[row, 0], limits_N2[row, 1]
        measures[0, row] = n_missing(codes_T) / n_codes
        measures[1, row] = longest_constant(codes_T)
        if measures[0, row] > limits.missing_share or measures[1, row] > limits.longest_constant:
            continue
        own_noise = floor[0]
        if floor[1] > 0 or floor[2] > 0:
            own_noise = max(own_noise, max(floor[1] * step_of(codes_T), floor[2] * (high - low)))
        measures[2, row], measures[3, row] = clipped_row(
            codes_T, low, high, sizes.plateau, sizes.n_seconds, is_clipped_T
        )
        measures[4, row] = own_noise
        if noise_in_raw:
            _fill(raw_NT[row], x_T)
            measures[5, row] = fast_power(x_T, sizes.noise_block)
            _fill(filtered_NT[row], x_T)
        else:
            _fill(filtered_NT[row], x_T)
            measures[5, row] = fast_power(x_T, sizes.noise_block)
        measures[6, row] = variance(x_T)
        measures[7, row] = slow_deviation(x_T, sizes.slow, scratch_T)
        measures[8, row] = height_of(x_T, sizes.n_pieces)
        measures[9, row] = n_implausible(x_T) / n_samples
        measures[10, row] = longest_flat(x_T, sizes.flat, own_noise, scratch_T)


@compiled
def _fill(x_T: np.ndarray, out_T: np.ndarray) -> None:
    """A copy with 0 where a sample is missing."""
    for t in range(len(x_T)):
        out_T[t] = x_T[t] if x_T[t] == x_T[t] else np.float32(0)
