"""Which windows are kept, why the others are not, and what a kept window should be known for.

Integrity and regularity are two axes: a window is dropped for what the recorder did to it (missing, constant,
clipped, noisy, impossible), never for what the heart did.

Shapes: N windows, T samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.config.schema import FLAGS
from ecgppg.waveform import quality_checks as checks
from ecgppg.waveform.beats import Beats, Rhythm, detect_beats, rhythm
from ecgppg.waveform.measures import NO_LIMITS, Limits, Measures, measure
from ecgppg.waveform.pulse_lag import pulse_lag
from ecgppg.waveform.regularity import template_correlation

NOISE_FLOOR_MV = 0.05
"""Noise up to this (rms) is any recorder's: without it a live but silent ECG, asystole, would be all noise."""

NOISE_FLOOR_STEPS = 2.0
NOISE_FLOOR_RANGE = 0.002
"""The same where millivolts are unknown: so many steps of the codes; for an ECG also this share of the ADC's range."""

IMPLAUSIBLE_SHARE = 0.01
FLAT_STRETCH_S = 3.0
TEMPLATE_CORRELATION = 0.66
RATES_DISAGREE_BPM = 10.0
_BEAT_S = {"ECG": (0.2, 0.3), "PPG": (0.3, 0.4)}


@dataclass(frozen=True)
class ChannelBlock:
    """One channel of a block of windows, as recorded and as filtered.

    Attributes
    ----------
    kind : "ECG" or "PPG"
    codes_NT : np.ndarray
        int32 (N, T at fs_hz), ADC codes at the source's own rate; -2**31 where missing.
    fs_hz : float
        The source's own rate.
    code_limits : tuple of int, or np.ndarray
        Least and greatest code the format can hold, missing code excluded: (-127, 127) for format 80; int (N, 2)
        where windows differ.
    raw_NT : np.ndarray
        float32 (N, T at the dataset's rate), physical units before the band-pass; NaN where missing.
    filtered_NT : np.ndarray
        float32 (N, T at the dataset's rate), after the band-pass; NaN where missing.
    calibrated : bool
        Whether physical units can be believed; without it no check in mV is made.
    unit_per_code : float
        Physical units of one code.
    """

    kind: Literal["ECG", "PPG"]
    codes_NT: np.ndarray
    fs_hz: float
    code_limits: tuple[int, int] | np.ndarray
    raw_NT: np.ndarray
    filtered_NT: np.ndarray
    calibrated: bool
    unit_per_code: float


@dataclass(frozen=True)
class Quality:
    """Verdict on N windows.

    Attributes
    ----------
    keep_N : np.ndarray
        bool.
    reason_N : np.ndarray
        str, one of `schema.WINDOW_REASONS`, the first that applies; "" where kept.
    flags_N : np.ndarray
        uint16, bit i set: `schema.FLAGS[i]`.
    quality_N : np.ndarray
        float32, 0 to 1, least over the channels: 1 less the share of noise in the window's power, times its
        steadiness (1 to 0.5, `quality_checks.steadiness`).
    rhythm : Rhythm
        Of the ECG's beats, of the PPG's without ECG; ready for the segment columns.
    ppg_lag_s_N : np.ndarray
        float32, as `pulse_lag` has it; NaN without both channels.
    """

    keep_N: np.ndarray
    reason_N: np.ndarray
    flags_N: np.ndarray
    quality_N: np.ndarray
    rhythm: Rhythm
    ppg_lag_s_N: np.ndarray


def assess(blocks: Sequence[ChannelBlock], settings: BuildSettings, describe_dropped: bool = True) -> Quality:
    """Judge a block of windows over all channels that are present.

    Parameters
    ----------
    blocks : sequence of ChannelBlock
        One per present channel, at least one, the same N windows in each.
    settings : BuildSettings
        Limits, bands, rate, and the channels a dataset should have: those without a block set `ecg_absent`,
        `ppg_absent`.
    describe_dropped : bool
        Measure windows that are dropped to the end, and look for beats in them. Without it a window is looked at until
        its reason is found, and its quality and flags mean nothing.

    Returns
    -------
    Quality
    """
    n = len(blocks[0].codes_NT)
    fs_hz = settings.sampling_rate_hz
    keep_N, reason_N = np.ones(n, dtype=bool), np.full(n, "", dtype="U10")
    quality_N = np.ones(n, dtype=np.float32)
    flags = {name: np.zeros(n, dtype=bool) for name in FLAGS}
    for channel in settings.channels:
        flags[f"{channel.lower()}_absent"][:] = all(block.kind != channel for block in blocks)
    for block in blocks:
        measures = _measures(block, settings, None if describe_dropped else keep_N)
        channel_quality_N = _quality(block, measures, settings)
        quality_N = np.minimum(quality_N, channel_quality_N)
        flags["missing_some"] |= measures.missing_share > 0
        flags["clipped_some"] |= measures.clipped_share > 0
        flags["flat_stretch"] |= measures.longest_flat / fs_hz >= FLAT_STRETCH_S
        flags["uncalibrated_ecg"] |= block.kind == "ECG" and not block.calibrated
        for reason, bad_N in _faults(block, measures, channel_quality_N, settings).items():
            if bad_N.any():
                reason_N[bad_N & keep_N] = reason
                keep_N &= ~bad_N
    wanted_N = np.ones(n, dtype=bool) if describe_dropped else keep_N
    beats: dict[str, Beats] = {}
    for block in blocks:
        found = detect_beats(block.filtered_NT, fs_hz, "ecg" if block.kind == "ECG" else "ppg", wanted_N)
        alike_N = template_correlation(block.filtered_NT, found, fs_hz, *_BEAT_S[block.kind])
        flags["template_mismatch"] |= alike_N < TEMPLATE_CORRELATION
        beats[block.kind] = found
    rhythms = {kind: rhythm(found, fs_hz) for kind, found in beats.items()}
    leading = rhythms.get("ECG", rhythms[blocks[0].kind])
    flags["no_beats"] |= leading.n_beats_N == 0
    ppg_lag_s_N = np.full(n, np.nan, np.float32)
    if len(rhythms) == 2:
        apart_N = np.abs(rhythms["ECG"].heart_rate_bpm_N - rhythms["PPG"].heart_rate_bpm_N)
        flags["rates_disagree"] |= apart_N > RATES_DISAGREE_BPM
        signals = {block.kind: block.filtered_NT for block in blocks}
        ppg_lag_s_N = pulse_lag(signals["ECG"], signals["PPG"], beats["ECG"], beats["PPG"], fs_hz)
    bits_N = np.zeros(n, dtype=np.uint16)
    for i, name in enumerate(FLAGS):
        bits_N |= flags[name].astype(np.uint16) << i
    return Quality(keep_N, reason_N, bits_N, quality_N, leading, ppg_lag_s_N)


def _measures(block: ChannelBlock, settings: BuildSettings, undecided_N: np.ndarray | None) -> Measures:
    """What is measured of a channel without its beats: everything, or of windows undecided what decides."""
    n, n_codes = block.codes_NT.shape
    floor = (NOISE_FLOOR_MV, 0.0, 0.0)
    if block.kind == "PPG" or not block.calibrated:
        per_range = NOISE_FLOOR_RANGE * block.unit_per_code if block.kind == "ECG" else 0.0
        floor = (0.0, NOISE_FLOOR_STEPS * block.unit_per_code, per_range)
    fs_hz, n_samples = settings.sampling_rate_hz, block.filtered_NT.shape[1]
    sizes = checks.sizes_of(block.kind, n_codes, block.fs_hz, n_samples, fs_hz)
    limits_N2 = np.ascontiguousarray(np.broadcast_to(np.asarray(block.code_limits, np.int64), (n, 2)))
    limits = NO_LIMITS
    if undecided_N is not None:
        limits = Limits(settings.max_missing_share, settings.max_constant_seconds * block.fs_hz)
    return measure(
        block.codes_NT, block.raw_NT, block.filtered_NT, limits_N2, floor, block.kind == "PPG", sizes, limits,
        undecided_N,
    )  # fmt: skip


def _faults(
    block: ChannelBlock, measures: Measures, quality_N: np.ndarray, settings: BuildSettings
) -> dict[str, np.ndarray]:
    """{reason: bool (N,)} of one channel, in the order in which reasons are given."""
    clipped_N, limit = measures.clipped_share, settings.max_clipped_share
    faults = {
        "missing": measures.missing_share > settings.max_missing_share,
        "constant": measures.longest_constant / block.fs_hz > settings.max_constant_seconds,
        # Spread over the beats; a burst at one place must be twice as long to spoil the window.
        "clipping": (clipped_N > limit) & ((measures.clipped_spread >= 0.5) | (clipped_N > 2 * limit)),
        "noise": quality_N < settings.min_signal_quality,
    }
    if block.kind == "ECG" and block.calibrated:
        faults["amplitude"] = measures.implausible_share > IMPLAUSIBLE_SHARE
    return faults


def _quality(block: ChannelBlock, measures: Measures, settings: BuildSettings) -> np.ndarray:
    """Score of one channel, float32 (N,)."""
    fs_hz = settings.sampling_rate_hz
    if block.kind == "ECG":
        noise_N = measures.fast_power * checks.noise_per_fast_power(fs_hz, settings.ecg_band_hz)
    else:
        # The band-pass leaves nothing fast in a pulse: its noise is seen before, and counted within the band.
        low_hz, high_hz = settings.ppg_band_hz
        within = (high_hz - low_hz) / (fs_hz / 2)
        noise_N = measures.fast_power * (checks.noise_per_fast_power(fs_hz, None) * within)
    excess_N = np.maximum(noise_N - measures.floor**2, 0)
    share_N = np.divide(excess_N, measures.power, out=np.zeros(len(excess_N)), where=measures.power > 0)
    steady_N = checks.steadiness(measures.slow_deviation, measures.height)
    return ((1 - np.minimum(share_N, 1)) * steady_N).astype(np.float32)
