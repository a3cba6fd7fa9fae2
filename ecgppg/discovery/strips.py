"""A cluster's exemplars as a cardiologist reads them: ECG on paper, the PPG below on the same seconds."""

from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.core.files import atomic_path
from ecgppg.discovery.colours import INK, MUTED, cluster_colour
from ecgppg.discovery.paper import MM_PER_INCH, MM_PER_S, draw_ecg, draw_ppg, ecg_range_mv, mm_per_mv
from ecgppg.discovery.strip_data import Strip

LEFT_MM, RIGHT_MM, TOP_MM, FOOT_MM = 14.0, 5.0, 19.0, 8.0
CAPTION_MM, PPG_MM, GAP_MM, MOST_ECG_MM = 6.0, 13.0, 4.0, 45.0


def draw_strips(path: Path, strips: list[Strip], cluster_id: int, heading: str) -> None:
    """Write the exemplars of one cluster as a PNG.

    Parameters
    ----------
    path : Path
    strips : list of Strip
        In the order to show.
    cluster_id : int
        For the colour and the title.
    heading : str
        One line below the title.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    papers = [_Paper(s) for s in strips]
    seconds = max(len(x_T) / s.fs_hz for s in strips for x_T in (s.ecg_T, s.ppg_T) if x_T is not None)
    width_mm = LEFT_MM + seconds * MM_PER_S + RIGHT_MM
    height_mm = TOP_MM + sum(p.height_mm for p in papers) + FOOT_MM
    figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)

    def place(top_mm: float, high_mm: float) -> tuple[float, float, float, float]:
        bottom = 1 - (top_mm + high_mm) / height_mm
        return (LEFT_MM / width_mm, bottom, seconds * MM_PER_S / width_mm, high_mm / height_mm)

    def write(top_mm: float, text: str, size: float, **style: Any) -> None:
        figure.text(LEFT_MM / width_mm, 1 - top_mm / height_mm, text, fontsize=size, va="top", **style)

    write(4.0, f"Cluster {cluster_id}", 14, color=cluster_colour(cluster_id), weight="bold")
    write(11.0, heading, 9, color=MUTED)
    top = TOP_MM
    axes = None
    for paper in papers:
        strip = paper.strip
        write(top + 1, strip.caption, 9, color=INK, weight="bold")
        figure.text(
            1 - RIGHT_MM / width_mm,
            1 - (top + 1) / height_mm,
            paper.note,
            fontsize=7.5,
            va="top",
            ha="right",
            color=MUTED,
        )
        top += CAPTION_MM
        if strip.ecg_T is not None:
            axes = figure.add_axes(place(top, paper.ecg_mm))
            draw_ecg(axes, paper.ecg, strip.fs_hz, paper.low, paper.high, paper.gain)
            if not strip.calibrated:
                axes.set_ylabel("a.u.", fontsize=8, color=MUTED)
            axes.set_xticklabels([])
            top += paper.ecg_mm
        if strip.ppg_T is not None:
            axes = figure.add_axes(place(top + 0.5, PPG_MM - 0.5))
            draw_ppg(axes, strip.ppg_T, strip.fs_hz)
            axes.set_xticklabels([])
            top += PPG_MM
        top += GAP_MM
    if axes is not None:
        ticks = np.arange(0, seconds + 0.01)
        axes.set_xticks(ticks, [f"{t:.0f}" for t in ticks])
        axes.set_xlabel("seconds", fontsize=8, color=MUTED, labelpad=2)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


class _Paper:
    """How much paper one strip takes, and its gain."""

    def __init__(self, strip: Strip) -> None:
        self.strip = strip
        self.ecg_mm = 0.0
        words = ["25 mm/s"]
        if strip.ecg_T is not None:
            # Without calibration the amplitude means nothing: one "unit" is then 1.5 of the trace's own height.
            span = float(np.ptp(strip.ecg_T)) or 1.0
            self.ecg = strip.ecg_T if strip.calibrated else strip.ecg_T * (1.5 / span)
            self.low, self.high = ecg_range_mv(self.ecg)
            self.gain = mm_per_mv(self.low, self.high, MOST_ECG_MM)
            self.ecg_mm = (self.high - self.low) * self.gain
            words.append(f"{self.gain:g} mm/mV" if strip.calibrated else "ECG uncalibrated")
        words.append(f"segment {strip.segment_id}")
        self.note = "  ·  ".join(words)

    @property
    def height_mm(self) -> float:
        """Caption, ECG, PPG and the gap below."""
        return CAPTION_MM + self.ecg_mm + (PPG_MM if self.strip.ppg_T is not None else 0) + GAP_MM
