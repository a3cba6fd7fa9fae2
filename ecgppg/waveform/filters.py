"""Zero-phase band-pass and resampling of a continuous span, with gaps that stay gaps.

Shapes: the last axis is time (T); whatever stands before it, channels (C) or windows (N), is filtered row by row.
"""

from fractions import Fraction
from functools import lru_cache

import numpy as np

from ecgppg.waveform.butterworth import butterworth_band_pass
from ecgppg.waveform.zero_phase import forward_backward_rows

BAND_PASS_ORDER = 4
"""Order of the band-pass for one pass: two poles at each edge (12 dB an octave), twice that forward and backward."""

BRIDGED_GAP_S = 0.1
"""Missing stretches up to this long are interpolated linearly before filtering, and are finite after it."""

MAX_RATIO_DENOMINATOR = 2000


def zero_phase(x: np.ndarray, low_hz: float, high_hz: float, fs_hz: float) -> np.ndarray:
    """Butterworth band-pass, forward and backward over each finite stretch of a span.

    On gapless input this is `scipy.signal.sosfiltfilt` with its own padding. Gaps (NaN) of up to `BRIDGED_GAP_S`
    between finite samples are bridged by a straight line; at longer gaps the filter restarts, so that nothing on one
    side leaks to the other, and the gap stays NaN.

    Parameters
    ----------
    x : np.ndarray
        (..., T), any real type; NaN is missing.
    low_hz, high_hz : float
        Pass band, Hz; 0 < low_hz < high_hz < fs_hz / 2.
    fs_hz : float
        Sampling rate, Hz.

    Returns
    -------
    np.ndarray
        float32, the shape of `x`; computed in float64.

    Raises
    ------
    ValueError
        If the band does not lie below half the sampling rate.
    """
    sos = band_pass(float(low_hz), float(high_hz), float(fs_hz))
    x = np.asarray(x)
    if x.size == 0:
        return x.astype(np.float32)
    rows_RT = np.ascontiguousarray(x.reshape(-1, x.shape[-1]), np.float32 if x.dtype == np.float32 else np.float64)
    filtered_RT = np.empty(rows_RT.shape, np.float32)
    zero_phase_into(filtered_RT, rows_RT, sos, fs_hz)
    return filtered_RT.reshape(x.shape)


def zero_phase_into(out_RT: np.ndarray, x_RT: np.ndarray, sos: np.ndarray, fs_hz: float) -> None:
    """`zero_phase` of rows, into an array that is there.

    Parameters
    ----------
    out_RT : np.ndarray
        float32 (R, T), filled.
    x_RT : np.ndarray
        float32 or float64 (R, T), T at least 1; NaN is missing.
    sos : np.ndarray
        As `band_pass` gives it.
    fs_hz : float
        Sampling rate, Hz.
    """
    # scipy's own padding: 3 * (2 sections + 1), less the zeros at the origin (a band-pass has none of those).
    forward_backward_rows(sos, x_RT, 3 * (2 * len(sos) + 1), round(BRIDGED_GAP_S * fs_hz), out_RT)


def resample(x: np.ndarray, fs_in_hz: float, fs_out_hz: float) -> np.ndarray:
    """Polyphase resampling; sample k of the result lies at time k / fs_out_hz.

    The ratio of the rates is approximated by a fraction with a denominator of at most 2,000 (exact for all rates in
    use, at worst off by 1 in 4,000); the ends are extended by the line through the first and last sample.

    Parameters
    ----------
    x : np.ndarray
        (..., T), any real type; NaN is missing.
    fs_in_hz, fs_out_hz : float
        Rates, Hz.

    Returns
    -------
    np.ndarray
        float32 (..., ceil(T * ratio)). Equal rates: the input as it is. A result between two input samples of which
        one is missing is NaN; missing samples are interpolated for their neighbours' sake only.
    """
    from scipy.signal import resample_poly

    ratio = Fraction(float(fs_out_hz) / float(fs_in_hz)).limit_denominator(MAX_RATIO_DENOMINATOR)
    x64 = np.asarray(x, dtype=np.float64)
    if ratio == 1 or x64.shape[-1] == 0:
        return x64.astype(np.float32)
    missing = np.isnan(x64)
    if missing.any():
        x64 = x64.copy()
        for row in np.ndindex(x64.shape[:-1]):
            x64[row] = bridge(x64[row], missing[row], x64.shape[-1], ends=True)
    y = resample_poly(x64, ratio.numerator, ratio.denominator, axis=-1, padtype="line").astype(np.float32)
    if missing.any():
        position = np.arange(y.shape[-1]) * (ratio.denominator / ratio.numerator)
        last = missing.shape[-1] - 1
        below = np.minimum(np.floor(position + 1e-9).astype(np.intp), last)
        above = np.minimum(np.ceil(position - 1e-9).astype(np.intp), last)
        y[missing[..., below] | missing[..., above]] = np.nan
    return y


@lru_cache(maxsize=64)
def band_pass(low_hz: float, high_hz: float, fs_hz: float) -> np.ndarray:
    """Second-order sections of the Butterworth band-pass of order `BAND_PASS_ORDER`, designed once per band.

    Returns
    -------
    np.ndarray
        float64 (2, 6); shared by all callers, to be left as it is.
    """
    if not 0 < low_hz < high_hz < fs_hz / 2:
        raise ValueError(f"band {low_hz:g}-{high_hz:g} Hz does not lie within 0 and half of {fs_hz:g} Hz")
    return butterworth_band_pass(low_hz, high_hz, fs_hz)


def finite_stretches(missing_T: np.ndarray) -> np.ndarray:
    """Start and stop of every run of samples that are not missing.

    Parameters
    ----------
    missing_T : np.ndarray
        bool (T,).

    Returns
    -------
    np.ndarray
        int (n, 2), half open, in order.
    """
    edges = np.diff(np.concatenate(([True], missing_T, [True])).astype(np.int8))
    return np.stack([np.flatnonzero(edges == -1), np.flatnonzero(edges == 1)], axis=1)


def bridge(x_T: np.ndarray, missing_T: np.ndarray, max_samples: int, ends: bool = False) -> np.ndarray:
    """Copy of a row in which gaps of up to `max_samples` between finite samples are a straight line.

    Parameters
    ----------
    x_T : np.ndarray
        float (T,).
    missing_T : np.ndarray
        bool (T,), where `x_T` is missing.
    max_samples : int
        Longest gap bridged, samples.
    ends : bool
        Extend the first and last finite value over the ends too; a row without any becomes 0.

    Returns
    -------
    np.ndarray
        float (T,).
    """
    filled = x_T.copy()
    kept = np.flatnonzero(~missing_T)
    if kept.size == 0:
        filled[:] = 0.0 if ends else np.nan
        return filled
    for start, stop in finite_stretches(~missing_T):
        inside = start > kept[0] and stop <= kept[-1]
        if (inside and stop - start <= max_samples) or (ends and not inside):
            filled[start:stop] = np.interp(np.arange(start, stop), kept, x_T[kept])
    return filled
