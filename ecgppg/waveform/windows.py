"""One run of windows: its span is read with context on either side, made physical, resampled, filtered, then cut.

Shapes: N windows, C channels (in the order of `settings.channels`), T samples of a window in the dataset's rate,
S samples of a window in the source's rate.
"""

from dataclasses import dataclass

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.config.schema import UNKNOWN_TIME_US
from ecgppg.waveform.codes_80_16_212 import MISSING_CODE
from ecgppg.waveform.filters import resample, zero_phase
from ecgppg.waveform.header import SignalSpec
from ecgppg.waveform.plan import Run, frames_per_window, window_starts
from ecgppg.waveform.reader import read_signals, to_physical
from ecgppg.waveform.record import RecordPlan, Stretch

CONTEXT_SECONDS = 5.0


@dataclass(frozen=True)
class ChannelWindows:
    """One channel of a run as the source has it, before any filter."""

    channel: str
    spec: SignalSpec
    fs_hz: float
    codes_NS: np.ndarray
    """int32 ADC codes; `reader.MISSING` where missing"""

    @property
    def physical_NS(self) -> np.ndarray:
        """float32 in `spec.units`, unfiltered; NaN where missing."""
        return to_physical(self.codes_NS, self.spec)

    @property
    def code_limits(self) -> tuple[int, int]:
        """Least and greatest code that the ADC and the format can give; the format's missing code is not one."""
        half = -MISSING_CODE[self.spec.fmt]
        low, high = 1 - half, half - 1
        if 0 < self.spec.adc_resolution < 32:
            half = 1 << (self.spec.adc_resolution - 1)
            low, high = max(low, self.spec.adc_zero - half), min(high, self.spec.adc_zero + half - 1)
        return low, high


@dataclass(frozen=True)
class RunWindows:
    """Windows of one run."""

    record: str
    start_sample_N: np.ndarray
    """int64 frames, in the record's own rate"""
    start_time_us_N: np.ndarray
    channels: dict[str, ChannelWindows]
    """as the source has them; a channel that is absent here is absent from it"""
    filtered_NCT: np.ndarray
    """float32, physical units; 0 where a channel is absent or a sample missing"""
    fs_hz: float
    """rate of `filtered_NCT`, Hz"""


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

    channels: dict[str, ChannelWindows] = {}
    filtered_NCT = np.zeros((run.n, len(settings.channels), settings.n_samples), dtype=np.float32)
    for c, channel in enumerate(settings.channels):
        if channel not in span:
            continue
        spec, codes = stretch.specs[channel], span[channel]
        fs_hz = record.fs_hz * spec.samples_per_frame
        codes_NS = _cut(codes, offsets_N * spec.samples_per_frame, n_frames * spec.samples_per_frame)
        channels[channel] = ChannelWindows(channel, spec, fs_hz, codes_NS)
        physical = resample(to_physical(codes, spec), fs_hz, settings.sampling_rate_hz)
        low_hz, high_hz = settings.ecg_band_hz if channel == "ECG" else settings.ppg_band_hz
        filtered = np.nan_to_num(zero_phase(physical, low_hz, high_hz, settings.sampling_rate_hz), copy=False)
        offsets_T = np.rint(offsets_N * (settings.sampling_rate_hz / record.fs_hz)).astype(np.int64)
        filtered_NCT[:, c] = _cut(filtered, offsets_T, settings.n_samples)
    times_N = np.full(run.n, UNKNOWN_TIME_US, dtype=np.int64)
    if record.start_time_us != UNKNOWN_TIME_US:
        times_N = record.start_time_us + np.rint(starts_N * (1e6 / record.fs_hz)).astype(np.int64)
    return RunWindows(record.record, starts_N, times_N, channels, filtered_NCT, settings.sampling_rate_hz)


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
    return np.lib.stride_tricks.sliding_window_view(x, n)[starts_N]
