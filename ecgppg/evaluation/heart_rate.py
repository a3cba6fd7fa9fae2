"""Heart rates of a dataset beside those of neurokit2, window by window.

The judge is neurokit2's default: `ecg_clean(method="neurokit")` and `ecg_peaks(method="neurokit")` of the one window,
60 / median RR. It is no truth: it does not see a beat in the first 0.3 s, seeks R peaks that point up, knows no rate
above 200 bpm, and in a long pause takes T waves for beats. Where it disagrees, a panel of neurokit2's other detectors
can say who of the two stands alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.evaluation.intervals import Interval, share_with_interval
from ecgppg.store.reader import SegmentDataset

WITHIN_BPM = 5.0
PANEL = ("pantompkins1985", "hamilton2002", "elgendi2010", "kalidas2017", "rodrigues2021")
WITHOUT_FILTER = ("rodrigues2021",)
"""Detectors that have no filter of their own in neurokit2; they get its default one."""

PANEL_MAJORITY = 4
"""A window is clear where so many of the panel lie within `WITHIN_BPM` of the panel's median."""


@dataclass(frozen=True)
class RateAgreement:
    """How a group of windows fares.

    Attributes
    ----------
    group : str
        "all", or a category of the label.
    n_windows : int
        Windows with an ECG.
    n_unjudged : int
        Of these, those in which neurokit2 finds fewer than 3 beats; they are left out of `within`.
    within : Interval
        Share within `WITHIN_BPM` of neurokit2, its 95 % interval over patients; no rate of ours counts as apart.
    n_clear : int
        Windows on which the panel is of one mind; 0 without a panel.
    ours_clear, judge_clear : Interval or None
        Share of the clear windows in which our rate, and neurokit2's default, lie within `WITHIN_BPM` of the panel's.
    """

    group: str
    n_windows: int
    n_unjudged: int
    within: Interval
    n_clear: int
    ours_clear: Interval | None
    judge_clear: Interval | None


def neurokit_rate_bpm(ecg_T: np.ndarray, fs_hz: float, method: str = "neurokit") -> float:
    """60 / median RR by one of neurokit2's detectors; NaN under 3 beats.

    Parameters
    ----------
    ecg_T : np.ndarray
        One window, filtered or not; cleaned by the method's own filter.
    fs_hz : float
        Hz.
    method : str
        As neurokit2 names it.
    """
    import neurokit2 as nk

    cleaning = "neurokit" if method in WITHOUT_FILTER else method
    try:
        cleaned = nk.ecg_clean(np.asarray(ecg_T, dtype=np.float64), sampling_rate=int(fs_hz), method=cleaning)
        _, info = nk.ecg_peaks(cleaned, sampling_rate=int(fs_hz), method=method)
    except (ValueError, IndexError, ZeroDivisionError):  # its detectors fail so where they find nothing
        return np.nan
    peaks = np.unique(info["ECG_R_Peaks"])
    return 60 * fs_hz / float(np.median(np.diff(peaks))) if len(peaks) >= 3 else np.nan


def panel_rate_bpm(ecg_T: np.ndarray, fs_hz: float) -> float:
    """Median rate of `PANEL`; NaN where fewer than `PANEL_MAJORITY` of its members agree with it."""
    rates = np.array([neurokit_rate_bpm(ecg_T, fs_hz, method) for method in PANEL])
    if np.isnan(rates).all():
        return np.nan
    median = float(np.nanmedian(rates))
    return median if (np.abs(rates - median) <= WITHIN_BPM).sum() >= PANEL_MAJORITY else np.nan


def check_heart_rates(dataset: SegmentDataset, by: str | None = None, panel: bool = False) -> list[RateAgreement]:
    """Compare `heart_rate_bpm` with neurokit2 on the stored ECG of every window.

    Parameters
    ----------
    dataset : SegmentDataset
        With an ECG channel.
    by : str, optional
        A label of categories; each of its categories gets a row of its own.
    panel : bool
        Ask the panel too: some ten times slower.

    Returns
    -------
    list of RateAgreement
        "all" first.

    Raises
    ------
    InputError
        If the dataset has no ECG, or `by` is not a label of categories.
    """
    if "ECG" not in dataset.channel_names:
        raise InputError(f"{dataset.path}: has no ECG channel to judge heart rates by")
    names = dataset.categories(by) if by else ()
    if names is None:
        raise InputError(f"{dataset.path}: {by} is not a label of categories")
    ecg = dataset.channel_names.index("ECG")
    rows = np.flatnonzero(dataset.scale[:, ecg] > 0)
    judge_N, panel_N = (np.full(len(rows), np.nan) for _ in range(2))
    for i, row in enumerate(rows.tolist()):
        ecg_T = dataset.read([row])[0, ecg]
        judge_N[i] = neurokit_rate_bpm(ecg_T, dataset.fs_hz)
        if panel:
            panel_N[i] = panel_rate_bpm(ecg_T, dataset.fs_hz)
    ours_N, subject_N = dataset.column("heart_rate_bpm")[rows], dataset.column("subject_id")[rows]
    groups = [("all", np.ones(len(rows), dtype=bool))]
    if by:
        code_N = dataset.column(by)[rows]
        groups += [(name, code_N == i) for i, name in enumerate(names)]
    return [_agreement(name, ours_N[m], judge_N[m], panel_N[m], subject_N[m]) for name, m in groups]


def describe(agreements: Sequence[RateAgreement]) -> str:
    """A line of text for each group."""
    lines = []
    for a in agreements:
        line = f"{a.group}: {_percent(a.within)} of {a.n_windows - a.n_unjudged} windows within {WITHIN_BPM:g} bpm"
        line += f" of neurokit2 ({a.within.n_patients} patients; {a.n_unjudged} more have under 3 beats in neurokit2)"
        if a.ours_clear and a.judge_clear:
            line += f"\n  {a.n_clear} windows clear to neurokit2's other detectors: ours {_percent(a.ours_clear)},"
            line += f" neurokit2's default {_percent(a.judge_clear)}"
        lines.append(line)
    return "\n".join(lines)


def _agreement(
    group: str, ours_N: np.ndarray, judge_N: np.ndarray, panel_N: np.ndarray, subject_N: np.ndarray
) -> RateAgreement:
    def share_within(rate_N: np.ndarray, reference_N: np.ndarray) -> Interval:
        known_N = np.isfinite(reference_N)
        return share_with_interval(np.abs(rate_N - reference_N)[known_N] <= WITHIN_BPM, subject_N[known_N])

    n_clear = int(np.isfinite(panel_N).sum())
    return RateAgreement(
        group=group,
        n_windows=len(ours_N),
        n_unjudged=int(np.isnan(judge_N).sum()),
        within=share_within(ours_N, judge_N),
        n_clear=n_clear,
        ours_clear=share_within(ours_N, panel_N) if n_clear else None,
        judge_clear=share_within(judge_N, panel_N) if n_clear else None,
    )


def _percent(interval: Interval) -> str:
    return f"{100 * interval.estimate:.1f} % (95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f})"
