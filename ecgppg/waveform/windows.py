"""One run of windows: its span is read with context on either side, made physical, resampled, filtered, then cut.

Shapes: N windows, C channels (in the order of `settings.channels`), T samples of a window in the dataset's rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.config.schema import UNKNOWN_TIME_US
from ecgppg.waveform.codes import MISSING, MISSING_CODE
from ecgppg.waveform.filters import MAX_RATIO_DENOMINATOR, resample, zero_phase
from ecgppg.waveform.header import SignalSpec
from ecgppg.waveform.plan import Run, frames_per_window, window_starts
from ecgppg.waveform.quality import ChannelBlock
from ecgppg.waveform.reader import read_signals, to_physical
from ecgppg.waveform.record import RecordPlan, Stretch

CONTEXT_SECONDS = 5.0


@dataclass(frozen=True)
class RunWindows:
    """Windows of one run."""

    record: str
    start_sample_N: np.ndarray
    """int64 frames, in the record's own rate"""
    start_time_us_N: np.ndarray
    specs: Mapping[str, SignalSpec]
    """{channel: its signal}; a channel that is absent here is absent from it, and from `blocks`"""
    blocks: dict[str, ChannelBlock]
    """as recorded and as filtered, for the quality checks"""
    filtered_NCT: np.ndarray
    """float32, physical units; 0 where a channel is absent or a sample missing"""


def read_run(record: RecordPlan, run: Run, settings: BuildSettings) -> RunWindows:
    """Read, filter and cut one run.

    Parameters
    ----------
    record : RecordPlan
        The record that `run` belongs to.
    run : Run
        Always read whole, so that a window never depends on which others were asked for.
    settings : BuildSettings
        channels, segment_seconds, sampling_rate_hz and the two bands.

    Returns
    -------
    RunWindows

    Raises
    ------
    DamagedRecord
        If a file cannot be read.
    """
    stretch = record.stretches[run.stretch]
    starts_N = window_starts(np.arange(run.first, run.first + run.n), record.fs_hz, settings.segment_seconds)
    n_frames = frames_per_window(record.fs_hz, settings.segment_seconds)
    context = round(CONTEXT_SECONDS * record.fs_hz)
    begin = max(int(starts_N[0]) - context, stretch.start)
    end = min(int(starts_N[-1]) + n_frames + context, stretch.stop)
    offsets_N = starts_N - begin
    span = _read_span(stretch, begin, end)

    blocks: dict[str, ChannelBlock] = {}
    filtered_NCT = np.zeros((run.n, len(settings.channels), settings.n_samples), dtype=np.float32)
    for c, channel in enumerate(settings.channels):
        if channel not in span:
            continue
        spec, codes = stretch.specs[channel], span[channel]
        fs_hz = record.fs_hz * spec.samples_per_frame
        # Windows are placed by the ratio that `resample` really applies, so that its rounding never adds up.
        ratio = float(Fraction(settings.sampling_rate_hz / fs_hz).limit_denominator(MAX_RATIO_DENOMINATOR))
        offsets_T = np.rint(offsets_N * spec.samples_per_frame * ratio).astype(np.int64)
        raw = resample(to_physical(codes, spec), fs_hz, settings.sampling_rate_hz)
        low_hz, high_hz = settings.ecg_band_hz if channel == "ECG" else settings.ppg_band_hz
        filtered = zero_phase(raw, low_hz, high_hz, settings.sampling_rate_hz)
        blocks[channel] = ChannelBlock(
            kind=channel,
            codes_NT=_cut(codes, offsets_N * spec.samples_per_frame, n_frames * spec.samples_per_frame),
            fs_hz=fs_hz,
            code_limits=_code_limits(spec, codes),
            raw_NT=_cut(raw, offsets_T, settings.n_samples),
            filtered_NT=_cut(filtered, offsets_T, settings.n_samples),
            calibrated=spec.calibrated,
        )
        filtered_NCT[:, c] = blocks[channel].filtered_NT
    filtered_NCT[np.isnan(filtered_NCT)] = 0.0
    times_N = np.full(run.n, UNKNOWN_TIME_US, dtype=np.int64)
    if record.start_time_us != UNKNOWN_TIME_US:
        times_N = record.start_time_us + np.rint(starts_N * (1e6 / record.fs_hz)).astype(np.int64)
    return RunWindows(record.record, starts_N, times_N, stretch.specs, blocks, filtered_NCT)


def _code_limits(spec: SignalSpec, codes: np.ndarray) -> tuple[int, int]:
    """Least and greatest code the ADC can give; the format's, where the run itself disproves the header's ADC."""
    half = -MISSING_CODE[spec.fmt]
    low, high = 1 - half, half - 1
    if 0 < spec.adc_resolution < 32:
        half = 1 << (spec.adc_resolution - 1)
        adc_low, adc_high = max(low, spec.adc_zero - half), min(high, spec.adc_zero + half - 1)
        if codes.max() <= adc_high and codes.min(where=codes != MISSING, initial=adc_high) >= adc_low:
            return adc_low, adc_high
    return low, high


def _read_span(stretch: Stretch, begin: int, end: int) -> dict[str, np.ndarray]:
    """Codes of record frames [begin, end) of every channel of the stretch, across its segments."""
    parts: dict[str, list[np.ndarray]] = {channel: [] for channel in stretch.specs}
    for piece in stretch.pieces:
        first, stop = max(begin, piece.start), min(end, piece.start + piece.n)
        if first < stop:
            start = piece.first + first - piece.start
            codes = read_signals(piece.header, list(piece.signals.values()), start, stop - first)
            for channel, read in zip(piece.signals, codes, strict=True):
                parts[channel].append(read)
    return {channel: read[0] if len(read) == 1 else np.concatenate(read) for channel, read in parts.items()}


def _cut(x: np.ndarray, starts_N: np.ndarray, n: int) -> np.ndarray:
    """Windows of `n` samples from `starts_N`; a sample or two lacking at the very end repeat the last one.

    They lack where rates are no whole numbers and the window ends with its stretch.
    """
    lacking = int(starts_N[-1]) + n - len(x)
    if lacking > 0:
        x = np.concatenate([x, np.repeat(x[-1:], lacking)])
    return x[starts_N[:, None] + np.arange(n)]
