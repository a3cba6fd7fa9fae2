"""Windows as recorded, kept and dropped: what a reason looks like. Shapes: T samples of one lead."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecgppg.config.settings import Settings
from ecgppg.core.files import atomic_path
from ecgppg.evaluation.retention_noise import Measure
from ecgppg.evaluation.retention_planted import CleanRecording, noisy_codes
from ecgppg.waveform.plan import runs
from ecgppg.waveform.reader import MISSING
from ecgppg.waveform.record import open_record
from ecgppg.waveform.windows import read_run

KEPT_COLOUR, DROPPED_COLOUR = "#1f5fa8", "#b03030"
STRIP_INCHES, MARGIN_INCHES = (5.0, 1.05), 0.6
PER_REASON = 2


@dataclass(frozen=True)
class Strip:
    """One window to draw."""

    title: str
    x_T: np.ndarray
    fs_hz: float
    kept: bool


def draw_reasons(path: Path, root: Path, windows: pd.DataFrame, by: Sequence[str], settings: Settings) -> None:
    """Of every group the kept window of least quality, of every reason two dropped windows: as a PNG.

    Parameters
    ----------
    path : Path
    root : Path
        Folder of the records.
    windows : pd.DataFrame
        As `retention.judge_records` and `with_labels` make it.
    by : sequence of str
        Labels that make the groups.
    settings : Settings
        The first of its channels is drawn.
    """
    kept = windows[windows["kept"]].sort_values(["quality", "record", "start_s"])
    shown = kept.groupby(list(by), sort=True).head(1).sort_values(list(by)) if by else kept.head(2)
    dropped = windows[~windows["kept"]].drop_duplicates(["reason", "record"])
    shown = pd.concat([shown, dropped.groupby("reason").head(PER_REASON).sort_values("reason")])
    draw_strips(path, [_strip(root, row, by, settings) for _, row in shown.iterrows()])


def draw_planted(
    path: Path,
    recordings: Sequence[CleanRecording],
    planted: pd.DataFrame,
    kind: str,
    measure: Measure,
    segment_seconds: float,
) -> None:
    """One clean window of each group under noise of falling ratio, kept or dropped: as a PNG."""
    rows = planted[(planted["kind"] == kind) & (planted["draw"] == 0)].sort_values(
        ["snr_db", "group"], ascending=[False, True]
    )
    first = rows.drop_duplicates("group").set_index("group")[["record", "start_s"]]
    by_name = {recording.record: recording for recording in recordings}
    strips = []
    for _, row in rows.iterrows():
        if (row["record"], row["start_s"]) != tuple(first.loc[row["group"]]):
            continue
        recording = by_name[row["record"]]
        codes_T = noisy_codes(recording, kind, row["snr_db"], measure, 0, segment_seconds)
        begin = round(row["start_s"] * recording.fs_hz)
        x_T = codes_T[begin : begin + round(segment_seconds * recording.fs_hz)] / recording.gain
        what = f"{row['group']}, {kind} noise, {row['snr_db']:g} dB: {_verdict(row)}"
        strips.append(Strip(what, x_T, recording.fs_hz, bool(row["kept"])))
    draw_strips(path, strips)


def draw_strips(path: Path, strips: Sequence[Strip]) -> None:
    """Write windows as a PNG, two in a row, each at its own height."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n_rows = -(-len(strips) // 2)
    size = (2 * STRIP_INCHES[0], n_rows * STRIP_INCHES[1] + MARGIN_INCHES)
    figure = Figure(figsize=size, dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, 2, squeeze=False, sharex=True).ravel()
    for axis, strip in zip(axes, strips, strict=False):
        colour = KEPT_COLOUR if strip.kept else DROPPED_COLOUR
        axis.plot(np.arange(len(strip.x_T)) / strip.fs_hz, strip.x_T, color=colour, linewidth=0.7)
        axis.set_title(strip.title, fontsize=8, color=colour, loc="left", pad=2)
        axis.set_yticks([])
        axis.tick_params(labelsize=7)
        axis.spines[["left", "right", "top"]].set_visible(False)
    for axis in axes[len(strips) :]:
        axis.set_visible(False)
    figure.supxlabel("seconds", fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


def _strip(root: Path, row: pd.Series, by: Sequence[str], settings: Settings) -> Strip:
    record = open_record(root, row["record"], settings.channels, settings.required_channels)
    k = round(row["start_s"] / settings.segment_seconds)
    run = next(run for run in runs(record, settings.segment_seconds) if run.first <= k < run.first + run.n)
    block = read_run(record, run, settings).blocks[settings.channels[0]]
    codes_T = block.codes_NT[k - run.first].astype(np.float64)
    codes_T[codes_T == MISSING] = np.nan
    group = "".join(f"{name.removeprefix('label_')} {row[name]}, " for name in by)
    title = f"{group}{row['record']} at {row['start_s']:.0f} s: {_verdict(row)}"
    return Strip(title, codes_T, block.fs_hz, bool(row["kept"]))


def _verdict(row: pd.Series) -> str:
    return f"kept, quality {row['quality']:.2f}" if row["kept"] else f"dropped, {row['reason']}"
