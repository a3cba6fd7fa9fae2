"""Each check by itself, out of the one pass over a window that the build makes."""

import numpy as np

from ecgppg.waveform.measures import Measures, measure
from ecgppg.waveform.quality_checks import noise_per_fast_power, sizes_of
from ecgppg.waveform.quality_checks import steadiness as steadiness_of


def _measures(
    codes_NT=None, x_NT=None, codes_fs_hz=125.0, fs_hz=125.0, limits=(-1, 1), floor=(0.0, 0.0, 0.0), kind="ECG",
    noise_in_raw=False,
) -> Measures:  # fmt: skip
    """What is measured of codes, of a filtered signal, or of both; what is not given is zero."""
    n = len(codes_NT if x_NT is None else x_NT)
    codes_NT = np.zeros((n, round(10 * codes_fs_hz)), np.int32) if codes_NT is None else codes_NT.astype(np.int32)
    x_NT = np.zeros((n, round(10 * fs_hz)), np.float32) if x_NT is None else x_NT.astype(np.float32)
    limits_N2 = np.ascontiguousarray(np.broadcast_to(np.asarray(limits, np.int64), (n, 2)))
    raw_NT, filtered_NT = (x_NT, np.zeros_like(x_NT)) if noise_in_raw else (np.zeros_like(x_NT), x_NT)
    sizes = sizes_of(kind, codes_NT.shape[1], codes_fs_hz, x_NT.shape[1], fs_hz)
    return measure(codes_NT, raw_NT, filtered_NT, limits_N2, floor, noise_in_raw, sizes)


def missing_share(codes_NT):
    return _measures(codes_NT).missing_share


def longest_constant_s(codes_NT, fs_hz):
    return _measures(codes_NT, codes_fs_hz=fs_hz).longest_constant / fs_hz


def code_step(codes_NT):
    return _measures(codes_NT, floor=(0.0, 1.0, 0.0)).floor


def clipped(codes_NT, fs_hz, limits):
    measures = _measures(codes_NT, codes_fs_hz=fs_hz, limits=limits)
    return measures.clipped_share, measures.clipped_spread


def noise_power(x_NT, fs_hz, band_hz):
    measures = _measures(x_NT=x_NT, fs_hz=fs_hz, noise_in_raw=band_hz is None)
    return measures.fast_power * noise_per_fast_power(fs_hz, band_hz)


def typical_height(x_NT, fs_hz):
    return _measures(x_NT=x_NT, fs_hz=fs_hz).height


def steadiness(x_NT, fs_hz, kind):
    measures = _measures(x_NT=x_NT, fs_hz=fs_hz, kind=kind)
    return steadiness_of(measures.slow_deviation, measures.height)


def implausible_share(x_NT):
    return _measures(x_NT=x_NT).implausible_share


def longest_flat_s(x_NT, fs_hz, floor_N):
    flat = [_measures(x_NT=x_T[None], fs_hz=fs_hz, floor=(float(f), 0.0, 0.0)).longest_flat[0]
            for x_T, f in zip(x_NT, floor_N, strict=True)]  # fmt: skip
    return np.array(flat) / fs_hz
