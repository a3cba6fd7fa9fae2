"""Which windows of a run are kept: a bad required channel drops a window, a bad optional one is left out of it.

Shapes: N windows, C channels (in the order of `settings.channels`).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecgppg.config.build import BuildSettings
from ecgppg.waveform.quality import ChannelBlock, assess
from ecgppg.waveform.windows import RunWindows


@dataclass(frozen=True)
class Verdict:
    """What becomes of N windows, and the channels each keeps.

    Attributes
    ----------
    keep_N : np.ndarray
        bool.
    reason_N : np.ndarray
        str, of `schema.WINDOW_REASONS`; "" where kept.
    present_NC : np.ndarray
        bool; False where the source has no such channel, or an optional one that does not pass.
    flags_N, quality_N, heart_rate_bpm_N, rr_cv_N, n_beats_N, ppg_lag_s_N : np.ndarray
        As the columns of the schema.
    """

    keep_N: np.ndarray
    reason_N: np.ndarray
    present_NC: np.ndarray
    flags_N: np.ndarray
    quality_N: np.ndarray
    heart_rate_bpm_N: np.ndarray
    rr_cv_N: np.ndarray
    n_beats_N: np.ndarray
    ppg_lag_s_N: np.ndarray


def judge(runs: Sequence[RunWindows], settings: BuildSettings, describe_dropped: bool = True) -> list[Verdict]:
    """Judge runs, those alike in one block: a call costs much the same for six windows as for sixty.

    Parameters
    ----------
    runs : sequence of RunWindows
        Of any records.
    settings : BuildSettings
        Channels and quality limits.
    describe_dropped : bool
        As for `quality.assess`.

    Returns
    -------
    list of Verdict
        One per run, in their order; what stands beside a run changes nothing in its verdict.
    """
    alike: dict[Hashable, list[int]] = {}
    for i, windows in enumerate(runs):
        alike.setdefault(_kind(windows), []).append(i)
    verdicts: dict[int, Verdict] = {}
    for members in alike.values():
        blocks = _joined([runs[i].blocks for i in members])
        verdict = _judge_over_optional(blocks, settings, describe_dropped)
        cuts = np.cumsum([len(runs[i].start_sample_N) for i in members])[:-1]
        parts = [np.split(values, cuts) for values in vars(verdict).values()]
        verdicts |= {i: Verdict(*part) for i, part in zip(members, zip(*parts, strict=True), strict=True)}
    return [verdicts[i] for i in range(len(runs))]


def _kind(windows: RunWindows) -> Hashable:
    """What two runs must share to be judged in one block."""
    return tuple(
        (channel, b.fs_hz, b.unit_per_code, b.calibrated, b.codes_NT.shape[1]) for channel, b in windows.blocks.items()
    )


def _joined(runs: Sequence[Mapping[str, ChannelBlock]]) -> dict[str, ChannelBlock]:
    """The blocks of several runs as one."""
    if len(runs) == 1:
        return dict(runs[0])
    return {
        channel: replace(
            first,
            code_limits=np.concatenate([_limits_N2(blocks[channel]) for blocks in runs]),
            codes_NT=np.concatenate([blocks[channel].codes_NT for blocks in runs]),
            raw_NT=np.concatenate([blocks[channel].raw_NT for blocks in runs]),
            filtered_NT=np.concatenate([blocks[channel].filtered_NT for blocks in runs]),
        )
        for channel, first in runs[0].items()
    }


def _rows_of(block: ChannelBlock, rows: np.ndarray) -> ChannelBlock:
    return replace(
        block,
        code_limits=_limits_N2(block)[rows],
        codes_NT=block.codes_NT[rows],
        raw_NT=block.raw_NT[rows],
        filtered_NT=block.filtered_NT[rows],
    )


def _limits_N2(block: ChannelBlock) -> np.ndarray:
    return np.broadcast_to(block.code_limits, (len(block.codes_NT), 2))


def _judge_over_optional(
    blocks: Mapping[str, ChannelBlock], settings: BuildSettings, describe_dropped: bool
) -> Verdict:
    """Judge all channels, and the windows that fail there once more over the required ones alone."""
    verdict = _judge(list(blocks.values()), settings, describe_dropped)
    required = [block for channel, block in blocks.items() if channel in settings.required_channels]
    if len(required) == len(blocks) or verdict.keep_N.all():
        return verdict
    failed = np.flatnonzero(~verdict.keep_N)
    alone = _judge([_rows_of(block, failed) for block in required], settings, describe_dropped)
    merged = {name: values.copy() for name, values in vars(verdict).items()}
    for name, values in merged.items():
        values[failed] = getattr(alone, name)
    return Verdict(**merged)


def _judge(blocks: Sequence[ChannelBlock], settings: BuildSettings, describe_dropped: bool) -> Verdict:
    quality = assess(blocks, settings, describe_dropped)
    present_C = np.array([any(block.kind == channel for block in blocks) for channel in settings.channels])
    return Verdict(
        keep_N=quality.keep_N,
        reason_N=quality.reason_N,
        present_NC=np.repeat(present_C[None], len(quality.keep_N), axis=0),
        flags_N=quality.flags_N,
        quality_N=quality.quality_N,
        heart_rate_bpm_N=quality.rhythm.heart_rate_bpm_N,
        rr_cv_N=quality.rhythm.rr_cv_N,
        n_beats_N=quality.rhythm.n_beats_N,
        ppg_lag_s_N=quality.ppg_lag_s_N,
    )
