"""Runs of windows: spans are read with context on either side, made physical, resampled, filtered, then cut.

Shapes: N windows, C channels (in the order of `settings.channels`), T samples of a window, R runs, S samples of a span.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.config.schema import UNKNOWN_TIME_US
from ecgppg.core.compiled import compiled
from ecgppg.core.stopwatch import Stopwatch
from ecgppg.waveform.codes import MISSING, MISSING_CODE, missing_in
from ecgppg.waveform.filters import MAX_RATIO_DENOMINATOR, band_pass, resample, zero_phase_into
from ecgppg.waveform.header import SignalSpec
from ecgppg.waveform.plan import Run, frames_per_window, window_starts
from ecgppg.waveform.quality import ChannelBlock
from ecgppg.waveform.reader import read_narrow
from ecgppg.waveform.record import RecordPlan, Stretch
from ecgppg.waveform.window_checks import least_and_greatest

CONTEXT_SECONDS = 5.0


@dataclass(frozen=True)
class RunWindows:
    """Windows of one run, or of several runs of a stretch in the order they were asked for."""

    record: str
    start_sample_N: np.ndarray
    """int64 frames, in the record's own rate"""
    start_time_us_N: np.ndarray
    specs: Mapping[str, SignalSpec]
    """{channel: its signal}; a channel that is absent here is absent from it, and from `blocks`"""
    blocks: dict[str, ChannelBlock]
    """as recorded and as filtered, for the quality checks"""
    channels: Sequence[str]
    """of a segment, whether or not they are here"""

    @property
    def filtered_NCT(self) -> np.ndarray:
        """float32, physical units; 0 where a channel is absent or a sample missing."""
        return self.filtered(np.arange(len(self.start_sample_N)))

    def filtered(self, rows: np.ndarray) -> np.ndarray:
        """`filtered_NCT` of the windows at the given indices."""
        (n_samples,) = {block.filtered_NT.shape[1] for block in self.blocks.values()}
        filtered_NCT = np.zeros((len(rows), len(self.channels), n_samples), dtype=np.float32)
        for c, channel in enumerate(self.channels):
            if channel in self.blocks:
                _take_filled(self.blocks[channel].filtered_NT, rows, filtered_NCT[:, c])
        return filtered_NCT


def read_run(record: RecordPlan, run: Run, settings: BuildSettings) -> RunWindows:
    """Read, filter and cut one run: `read_runs` of it alone."""
    return read_runs(record, [run], settings, Stopwatch())


def read_runs(record: RecordPlan, runs: Sequence[Run], settings: BuildSettings, watch: Stopwatch) -> RunWindows:
    """Read, filter and cut runs of one stretch.

    Parameters
    ----------
    record : RecordPlan
        The record that the runs belong to.
    runs : sequence of Run
        Of one stretch. Each is filtered with its own context, so that a window never depends on which others were
        asked for.
    settings : BuildSettings
        channels, segment_seconds, sampling_rate_hz and the two bands.
    watch : Stopwatch
        Counts the steps `read` and `filter`.

    Returns
    -------
    RunWindows

    Raises
    ------
    DamagedRecord
        If a file cannot be read.
    """
    stretch = record.stretches[runs[0].stretch]
    n_frames = frames_per_window(record.fs_hz, settings.segment_seconds)
    context = round(CONTEXT_SECONDS * record.fs_hz)
    starts = [window_starts(np.arange(r.first, r.first + r.n), record.fs_hz, settings.segment_seconds) for r in runs]
    bounds = [
        (max(int(s[0]) - context, stretch.start), min(int(s[-1]) + n_frames + context, stretch.stop)) for s in starts
    ]
    offsets = [s - begin for s, (begin, _) in zip(starts, bounds, strict=True)]
    starts_N = np.concatenate(starts)
    with watch.step("read"):
        spans = _read_spans(stretch, bounds)
    blocks: dict[str, ChannelBlock] = {
        channel: _block(channel, stretch.specs[channel], spans[channel], offsets, n_frames, record, settings, watch)
        for channel in settings.channels
        if channel in spans
    }
    times_N = np.full(len(starts_N), UNKNOWN_TIME_US, dtype=np.int64)
    if record.start_time_us != UNKNOWN_TIME_US:
        times_N = record.start_time_us + np.rint(starts_N * (1e6 / record.fs_hz)).astype(np.int64)
    return RunWindows(record.record, starts_N, times_N, stretch.specs, blocks, settings.channels)


def _block(
    channel: str,
    spec: SignalSpec,
    spans: Sequence[np.ndarray],
    offsets: Sequence[np.ndarray],
    n_frames: int,
    record: RecordPlan,
    settings: BuildSettings,
    watch: Stopwatch,
) -> ChannelBlock:
    """One channel of several runs: spans of codes to windows as recorded and as filtered."""
    fs_hz = record.fs_hz * spec.samples_per_frame
    # Windows are placed by the ratio that `resample` really applies, so that its rounding never adds up.
    ratio = _ratio(fs_hz, settings.sampling_rate_hz)
    n_windows, n_codes = sum(map(len, offsets)), n_frames * spec.samples_per_frame
    codes_NT = np.empty((n_windows, n_codes), np.int32)
    raw_NT = np.empty((n_windows, settings.n_samples), np.float32)
    filtered_NT = np.empty((n_windows, settings.n_samples), np.float32)
    run_N, offset_N = np.repeat(np.arange(len(offsets)), [len(o) for o in offsets]), np.concatenate(offsets)
    with watch.step("read"):
        # One after the other, those of one length together: rows beside each other are filtered for less than in turn.
        order = sorted(range(len(spans)), key=lambda r: len(spans[r]))
        narrow_S = np.concatenate([spans[r] for r in order])
        bound_R2 = _bounds([len(span) for span in spans], order)
        codes_S, raw_S = np.empty(len(narrow_S), np.int32), np.empty(len(narrow_S), np.float32)
        range_R2 = _widen(
            narrow_S, missing_in(narrow_S), float(spec.baseline), 1.0 / spec.gain, bound_R2, codes_S, raw_S
        )
        _cut(codes_S, bound_R2[run_N, 0] + offset_N * spec.samples_per_frame, bound_R2[run_N, 1], codes_NT)
        limits_R2 = _code_limits(spec, range_R2)
    with watch.step("filter"):
        if ratio != 1:
            resampled = [resample(raw_S[b:e], fs_hz, settings.sampling_rate_hz) for b, e in bound_R2]
            bound_R2 = _bounds([len(raw) for raw in resampled], order)
            raw_S = np.concatenate([resampled[r] for r in order])
        low_hz, high_hz = settings.ecg_band_hz if channel == "ECG" else settings.ppg_band_hz
        filtered_S = _filter_alike(raw_S, bound_R2, low_hz, high_hz, settings.sampling_rate_hz)
        starts_N = bound_R2[run_N, 0] + np.rint(offset_N * spec.samples_per_frame * ratio).astype(np.int64)
        _cut(raw_S, starts_N, bound_R2[run_N, 1], raw_NT)
        _cut(filtered_S, starts_N, bound_R2[run_N, 1], filtered_NT)
    return ChannelBlock(
        kind="ECG" if channel == "ECG" else "PPG",
        codes_NT=codes_NT,
        fs_hz=fs_hz,
        code_limits=limits_R2[run_N],
        raw_NT=raw_NT,
        filtered_NT=filtered_NT,
        calibrated=spec.calibrated,
        unit_per_code=abs(1.0 / spec.gain),
    )


@lru_cache(maxsize=64)
def _ratio(fs_hz: float, to_hz: float) -> float:
    return float(Fraction(to_hz / fs_hz).limit_denominator(MAX_RATIO_DENOMINATOR))


def _bounds(lengths: Sequence[int], order: Sequence[int]) -> np.ndarray:
    """Begin and end of each span, int64 (R, 2), where they lie one after the other in the given order."""
    bound_R2 = np.zeros((len(lengths), 2), np.int64)
    end = 0
    for r in order:
        bound_R2[r] = end, end + lengths[r]
        end += lengths[r]
    return bound_R2


def _filter_alike(x_S: np.ndarray, bound_R2: np.ndarray, low_hz: float, high_hz: float, fs_hz: float) -> np.ndarray:
    """Spans band-passed, each by itself; those of one length lie together and are filtered together."""
    filtered_S = np.empty(len(x_S), np.float32)
    lengths = bound_R2[:, 1] - bound_R2[:, 0]
    sos = band_pass(low_hz, high_hz, fs_hz)
    for length in np.unique(lengths).tolist():
        begin, end = int(bound_R2[lengths == length, 0].min()), int(bound_R2[lengths == length, 1].max())
        rows_RS, filtered_RS = (values_S[begin:end].reshape(-1, length) for values_S in (x_S, filtered_S))
        zero_phase_into(filtered_RS, rows_RS, sos, fs_hz)
    return filtered_S


def _code_limits(spec: SignalSpec, range_R2: np.ndarray) -> np.ndarray:
    """Least and greatest code the ADC can give, int64 (R, 2); the format's where a run disproves the header's ADC."""
    half = -MISSING_CODE[spec.fmt]
    low, high = 1 - half, half - 1
    limits_R2 = np.full(range_R2.shape, (low, high))
    if 0 < spec.adc_resolution < 32:
        half = 1 << (spec.adc_resolution - 1)
        adc_low, adc_high = max(low, spec.adc_zero - half), min(high, spec.adc_zero + half - 1)
        inside_R = (range_R2[:, 1] <= adc_high) & (range_R2[:, 0] >= adc_low)
        if inside_R.any():  # a header may name a zero that no integer of numpy's holds
            limits_R2[inside_R] = adc_low, adc_high
    return limits_R2


def _read_spans(stretch: Stretch, bounds: Sequence[tuple[int, int]]) -> dict[str, list[np.ndarray]]:
    """{channel: codes of each span of record frames}; spans that overlap are read in one go."""
    spans: dict[str, list[np.ndarray]] = {channel: [] for channel in stretch.specs}
    first = 0
    while first < len(bounds):
        last = first
        while last + 1 < len(bounds) and bounds[last][0] <= bounds[last + 1][0] <= bounds[last][1]:
            last += 1
        begin = bounds[first][0]
        for channel, codes in _read_span(stretch, begin, bounds[last][1]).items():
            per_frame = stretch.specs[channel].samples_per_frame
            spans[channel] += [codes[(b - begin) * per_frame : (e - begin) * per_frame] for b, e in
                               bounds[first : last + 1]]  # fmt: skip
        first = last + 1
    return spans


def _read_span(stretch: Stretch, begin: int, end: int) -> dict[str, np.ndarray]:
    """Codes of record frames [begin, end) of every channel of the stretch, across its segments."""
    parts: dict[str, list[np.ndarray]] = {channel: [] for channel in stretch.specs}
    for piece in stretch.pieces:
        first, stop = max(begin, piece.start), min(end, piece.start + piece.n)
        if first < stop:
            start = piece.first + first - piece.start
            codes = read_narrow(piece.header, list(piece.signals.values()), start, stop - first)
            for channel, read in zip(piece.signals, codes, strict=True):
                parts[channel].append(read)
    return {channel: read[0] if len(read) == 1 else np.concatenate(read) for channel, read in parts.items()}


@compiled
def _widen(
    narrow_S: np.ndarray,
    missing: int,
    baseline: float,
    unit: float,
    bound_R2: np.ndarray,
    codes_S: np.ndarray,
    raw_S: np.ndarray,
) -> np.ndarray:
    """Fill in codes and physical values, NaN where missing; least and greatest code of each span, int64 (R, 2)."""
    range_R2 = np.empty((len(bound_R2), 2), np.int64)
    for r in range(len(bound_R2)):
        begin, end = bound_R2[r, 0], bound_R2[r, 1]
        codes, raw = codes_S[begin:end], raw_S[begin:end]
        n_missing = _widen_codes(narrow_S[begin:end], np.int32(missing), codes)
        range_R2[r, 0], range_R2[r, 1] = least_and_greatest(codes)
        for s in range(len(codes)):
            raw[s] = np.float32((codes[s] - baseline) * unit)
        if n_missing:
            for s in range(len(codes)):
                raw[s] = raw[s] if codes[s] != MISSING else np.float32(np.nan)
    return range_R2


@compiled
def _widen_codes(narrow_S: np.ndarray, missing: np.int32, codes_S: np.ndarray) -> np.int32:
    """Fill in codes; how many are missing."""
    n_missing = np.int32(0)
    for s in range(len(narrow_S)):
        code = np.int32(narrow_S[s])
        is_missing = code == missing
        codes_S[s] = np.int32(MISSING) if is_missing else code
        n_missing += np.int32(1) if is_missing else np.int32(0)
    return n_missing


@compiled
def _cut(x_S: np.ndarray, starts_N: np.ndarray, ends_N: np.ndarray, out_NT: np.ndarray) -> None:
    """Windows of spans; a sample or two lacking at the very end of a span repeat its last one.

    They lack where rates are no whole numbers and the window ends with its stretch.
    """
    n_samples = out_NT.shape[1]
    for row in range(len(starts_N)):
        there_T, out_T = x_S[starts_N[row] : min(starts_N[row] + n_samples, ends_N[row])], out_NT[row]
        for t in range(len(there_T)):
            out_T[t] = there_T[t]
        for t in range(len(there_T), n_samples):
            out_T[t] = x_S[ends_N[row] - 1]


@compiled
def _take_filled(x_NT: np.ndarray, rows: np.ndarray, out_MT: np.ndarray) -> None:
    """Rows of a block, with 0 where a sample is missing."""
    for m in range(len(rows)):
        x_T, out_T = x_NT[rows[m]], out_MT[m]
        for t in range(len(x_T)):
            out_T[t] = x_T[t] if x_T[t] == x_T[t] else np.float32(0)
