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
from ecgppg.waveform.regularity import longest_flat_s, template_correlation

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
    """

    keep_N: np.ndarray
    reason_N: np.ndarray
    flags_N: np.ndarray
    quality_N: np.ndarray
    rhythm: Rhythm


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
        Look for beats in windows that are dropped too. Without it they have none, and their flags mean nothing.

    Returns
    -------
    Quality
    """
    n = len(blocks[0].codes_NT)
    fs_hz = settings.sampling_rate_hz
    reason_N = np.full(n, "", dtype="U10")
    quality_N = np.ones(n, dtype=np.float32)
    flags = {name: np.zeros(n, dtype=bool) for name in FLAGS}
    for channel in settings.channels:
        flags[f"{channel.lower()}_absent"][:] = all(block.kind != channel for block in blocks)
    filled, floors = [checks.filled(block.filtered_NT) for block in blocks], [_noise_floor(block) for block in blocks]
    for block, filtered_NT, floor_N in zip(blocks, filled, floors, strict=True):
        channel_quality_N = _quality(block, filtered_NT, floor_N, settings)
        quality_N = np.minimum(quality_N, channel_quality_N)
        for reason, bad_N in _faults(block, filtered_NT, channel_quality_N, settings, flags).items():
            if bad_N.any():
                reason_N[bad_N & (reason_N == "")] = reason
    wanted_N = np.ones(n, dtype=bool) if describe_dropped else reason_N == ""
    beats: dict[str, Beats] = {}
    for block, filtered_NT, floor_N in zip(blocks, filled, floors, strict=True):
        beats[block.kind] = detect_beats(block.filtered_NT, fs_hz, "ecg" if block.kind == "ECG" else "ppg", wanted_N)
        flags["flat_stretch"] |= longest_flat_s(filtered_NT, fs_hz, floor_N) >= FLAT_STRETCH_S
        flags["template_mismatch"] |= (
            template_correlation(filtered_NT, beats[block.kind], fs_hz, *_BEAT_S[block.kind]) < TEMPLATE_CORRELATION
        )
        flags["uncalibrated_ecg"] |= block.kind == "ECG" and not block.calibrated
    rhythms = {kind: rhythm(found, fs_hz) for kind, found in beats.items()}
    leading = rhythms.get("ECG", rhythms[blocks[0].kind])
    flags["no_beats"] |= leading.n_beats_N == 0
    if len(rhythms) == 2:
        apart_N = np.abs(rhythms["ECG"].heart_rate_bpm_N - rhythms["PPG"].heart_rate_bpm_N)
        flags["rates_disagree"] |= apart_N > RATES_DISAGREE_BPM
    bits_N = np.zeros(n, dtype=np.uint16)
    for i, name in enumerate(FLAGS):
        bits_N |= flags[name].astype(np.uint16) << i
    return Quality(reason_N == "", reason_N, bits_N, quality_N, leading)


def _faults(
    block: ChannelBlock,
    filtered_NT: np.ndarray,
    quality_N: np.ndarray,
    settings: BuildSettings,
    flags: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """{reason: bool (N,)} of one channel, in the order in which reasons are given; the milder degrees become flags."""
    missing_N = checks.missing_share(block.codes_NT)
    constant_s_N = checks.longest_constant_s(block.codes_NT, block.fs_hz)
    clipped_N, spread_N = checks.clipped(block.codes_NT, block.fs_hz, block.code_limits)
    limit = settings.max_clipped_share
    flags["missing_some"] |= missing_N > 0
    flags["clipped_some"] |= clipped_N > 0
    faults = {
        "missing": missing_N > settings.max_missing_share,
        "constant": constant_s_N > settings.max_constant_seconds,
        # Spread over the beats; a burst at one place must be twice as long to spoil the window.
        "clipping": (clipped_N > limit) & ((spread_N >= 0.5) | (clipped_N > 2 * limit)),
        "noise": quality_N < settings.min_signal_quality,
    }
    if block.kind == "ECG" and block.calibrated:
        faults["amplitude"] = checks.implausible_share(filtered_NT) > IMPLAUSIBLE_SHARE
    return faults


def _quality(block: ChannelBlock, filtered_NT: np.ndarray, floor_N: np.ndarray, settings: BuildSettings) -> np.ndarray:
    """Score of one channel, float32 (N,)."""
    fs_hz = settings.sampling_rate_hz
    if block.kind == "ECG":
        noise_N = checks.noise_power(filtered_NT, fs_hz, settings.ecg_band_hz)
    else:
        # The band-pass leaves nothing fast in a pulse: its noise is seen before, and counted within the band.
        low_hz, high_hz = settings.ppg_band_hz
        noise_N = checks.noise_power(checks.filled(block.raw_NT), fs_hz, None)
        noise_N *= (high_hz - low_hz) / (fs_hz / 2)
    power_N = checks.power(filtered_NT)
    excess_N = np.maximum(noise_N - floor_N**2, 0)
    share_N = np.divide(excess_N, power_N, out=np.zeros(len(power_N)), where=power_N > 0)
    return ((1 - np.minimum(share_N, 1)) * checks.steadiness(filtered_NT, fs_hz, block.kind)).astype(np.float32)


def _noise_floor(block: ChannelBlock) -> np.ndarray:
    """Noise (rms) that is the recorder's own, in the unit of the filtered signal, float (N,)."""
    if block.kind == "ECG" and block.calibrated:
        return np.full(len(block.codes_NT), NOISE_FLOOR_MV)
    floor_N = NOISE_FLOOR_STEPS * checks.code_step(block.codes_NT)
    if block.kind == "ECG":
        low_N, high_N = np.broadcast_to(block.code_limits, (len(floor_N), 2)).T
        floor_N = np.maximum(floor_N, NOISE_FLOOR_RANGE * (high_N - low_N))
    return floor_N * block.unit_per_code
