"""ECG paper for matplotlib: a millimetre grid at 25 mm/s and 10 mm/mV, true to scale when printed at full size."""

from typing import TYPE_CHECKING

import numpy as np

from ecgppg.discovery.colours import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MM_PER_S = 25.0
MM_PER_INCH = 25.4
FINE, BOLD = "#f8e3df", "#eebfb7"
PPG_COLOUR = "#2563a8"


def ecg_range_mv(ecg_T: np.ndarray) -> tuple[float, float]:
    """Lower and upper end of the paper, whole half millivolts, at least -0.5 to 1.0."""
    low = np.floor(2 * (float(ecg_T.min()) - 0.1)) / 2
    high = np.ceil(2 * (float(ecg_T.max()) + 0.1)) / 2
    return min(low, -0.5), max(high, 1.0)


def mm_per_mv(low_mv: float, high_mv: float, most_mm: float) -> float:
    """Gain: 10 mm/mV, or the next lower standard step (5, 2.5, ...) that fits `most_mm` of paper."""
    gain = 10.0
    while (high_mv - low_mv) * gain > most_mm:
        gain /= 2
    return gain


def draw_ecg(axes: "Axes", ecg_T: np.ndarray, fs_hz: float, low_mv: float, high_mv: float, gain: float) -> None:
    """Draw an ECG on paper.

    Parameters
    ----------
    axes : Axes
        Its size is the caller's: 25 mm a second, `gain` mm a millivolt.
    ecg_T : array
        mV.
    fs_hz : float
    low_mv, high_mv : float
        Ends of the paper.
    gain : float
        mm per mV.
    """
    seconds = len(ecg_T) / fs_hz
    t = np.arange(len(ecg_T)) / fs_hz
    paper_grid(axes, seconds, low_mv, high_mv, gain)
    axes.plot(t, ecg_T, color=INK, linewidth=0.9, solid_joinstyle="round")
    axes.set_ylabel("mV", fontsize=8, color=MUTED, labelpad=2)


def paper_grid(axes: "Axes", seconds: float, low: float, high: float, gain: float) -> None:
    """Millimetre lines, every fifth bold, and bare axes around them."""
    for step_mm, colour, width in ((1, FINE, 0.4), (5, BOLD, 0.7)):
        step_s, step_mv = step_mm / MM_PER_S, step_mm / gain
        x = np.arange(0, seconds + step_s / 2, step_s)
        y = np.arange(np.ceil(low / step_mv - 1e-6), np.floor(high / step_mv + 1e-6) + 1) * step_mv
        axes.vlines(x, low, high, color=colour, linewidth=width, zorder=0)
        axes.hlines(y, 0, seconds, color=colour, linewidth=width, zorder=0)
    axes.set(xlim=(0, seconds), ylim=(low, high))
    axes.set_yticks(np.arange(np.ceil(low), np.floor(high) + 1))
    bare(axes)


def draw_ppg(axes: "Axes", ppg_T: np.ndarray, fs_hz: float) -> None:
    """Draw a PPG on its own scale: its unit has no meaning across patients, so no numbers."""
    axes.plot(np.arange(len(ppg_T)) / fs_hz, ppg_T, color=PPG_COLOUR, linewidth=1.0)
    axes.set_xlim(0, len(ppg_T) / fs_hz)
    axes.set_yticks([])
    axes.set_ylabel("PPG", fontsize=8, color=PPG_COLOUR, labelpad=2)
    bare(axes)


def bare(axes: "Axes") -> None:
    """No frame, small grey tick labels."""
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=7, colors=MUTED, pad=2)
