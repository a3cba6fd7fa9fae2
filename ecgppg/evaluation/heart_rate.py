"""Heart rates of a dataset beside those of neurokit2, window by window.

The judge is neurokit2's default: `ecg_clean(method="neurokit")` and `ecg_peaks(method="neurokit")` of the one stored
window, 60 / median RR. Another detector may judge, it may be given the recordings as taped, and where judge and dataset
disagree a panel of neurokit2's other detectors can say who of the two stands alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.evaluation.intervals import Interval, share_with_interval
from ecgppg.evaluation.neurokit_rates import (
    PANEL,
    WITHIN_BPM,
    Judge,
    agreed_rate_bpm,
    median_rate_bpm,
    neurokit_beats,
    read_recording,
    recording_rates_bpm,
)
from ecgppg.store.reader import SegmentDataset


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
        Of these, those in which the judge finds fewer than 3 beats; they are left out of `within`.
    within : Interval
        Share within `WITHIN_BPM` of the judge, its 95 % interval over patients; no rate of ours counts as apart.
    n_clear : int
        Windows on which the panel is of one mind; 0 without a panel.
    ours_clear, judge_clear : Interval or None
        Share of the clear windows in which our rate, and the judge's, lie within `WITHIN_BPM` of the panel's.
    """

    group: str
    n_windows: int
    n_unjudged: int
    within: Interval
    n_clear: int
    ours_clear: Interval | None
    judge_clear: Interval | None


def check_heart_rates(
    dataset: SegmentDataset,
    by: str | None = None,
    panel: bool = False,
    judge: Judge | None = None,
    recordings: Path | None = None,
) -> list[RateAgreement]:
    """Compare `heart_rate_bpm` with neurokit2 on the ECG of every window.

    Parameters
    ----------
    dataset : SegmentDataset
        With an ECG channel.
    by : str, optional
        A label of categories; each of its categories gets a row of its own.
    panel : bool
        Ask the panel too: some ten times slower.
    judge : Judge, optional
        neurokit2's default.
    recordings : Path, optional
        Folder of the WFDB records the dataset was built from: judge and panel are given each record whole and as
        taped, at its own rate. Without it they are given the stored windows one by one.

    Returns
    -------
    list of RateAgreement
        "all" first.

    Raises
    ------
    InputError
        If the dataset has no ECG, `by` is not a label of categories, or a record cannot be read.
    """
    if "ECG" not in dataset.channel_names:
        raise InputError(f"{dataset.path}: has no ECG channel to judge heart rates by")
    names = dataset.categories(by) if by else ()
    if names is None:
        raise InputError(f"{dataset.path}: {by} is not a label of categories")
    rows = np.flatnonzero(dataset.scale[:, dataset.channel_names.index("ECG")] > 0)
    judges = [judge or Judge(), *(Judge(method) for method in PANEL if panel)]
    rates_JN = _of_recordings(dataset, rows, judges, recordings) if recordings else _of_windows(dataset, rows, judges)
    judge_N, panel_JN = rates_JN[0], rates_JN[1:]
    panel_N = np.array([agreed_rate_bpm(panel_J) for panel_J in panel_JN.T]) if panel else np.full(len(rows), np.nan)
    ours_N, subject_N = dataset.column("heart_rate_bpm")[rows], dataset.column("subject_id")[rows]
    groups = [("all", np.ones(len(rows), dtype=bool))]
    if by:
        code_N = dataset.column(by)[rows]
        groups += [(name, code_N == i) for i, name in enumerate(names)]
    return [_agreement(name, ours_N[m], judge_N[m], panel_N[m], subject_N[m]) for name, m in groups]


def describe(agreements: Sequence[RateAgreement]) -> str:
    """A line of text for each group, and one more where a panel was asked."""
    lines = []
    for a in agreements:
        line = f"{a.group}: {_percent(a.within)} of {a.n_windows - a.n_unjudged} windows within {WITHIN_BPM:g} bpm"
        line += f" of neurokit2 ({a.within.n_patients} patients; {a.n_unjudged} more have under 3 beats there)"
        if a.ours_clear and a.judge_clear:
            line += f"\n  {a.n_clear} windows clear to a panel of neurokit2's detectors: ours {_percent(a.ours_clear)},"
            line += f" the judge {_percent(a.judge_clear)}"
        lines.append(line)
    return "\n".join(lines)


def _of_windows(dataset: SegmentDataset, rows: np.ndarray, judges: Sequence[Judge]) -> np.ndarray:
    """Rates (J, N) by each judge, who is given the stored windows."""
    ecg = dataset.channel_names.index("ECG")
    rates_JN = np.full((len(judges), len(rows)), np.nan)
    for i, row in enumerate(rows.tolist()):
        ecg_T = dataset.read([row])[0, ecg]
        for j, judge in enumerate(judges):
            rates_JN[j, i] = median_rate_bpm(neurokit_beats(ecg_T, dataset.fs_hz, judge), dataset.fs_hz)
    return rates_JN


def _of_recordings(dataset: SegmentDataset, rows: np.ndarray, judges: Sequence[Judge], folder: Path) -> np.ndarray:
    """Rates (J, N) by each judge, who is given whole recordings."""
    seconds = float(dataset.attributes["segment_seconds"])
    start_N = dataset.column("start_sample")[rows]
    records, leads = (dataset.column(name)[rows] for name in ("record", "ecg_lead"))
    tape_N = np.array([f"{record}\n{lead}" for record, lead in zip(records, leads, strict=True)])
    rates_JN = np.full((len(judges), len(rows)), np.nan)
    for tape in np.unique(tape_N):
        here_N = tape_N == tape
        ecg_T, fs_hz = read_recording(folder, *tape.split("\n"))
        for j, judge in enumerate(judges):
            rates_JN[j, here_N] = recording_rates_bpm(ecg_T, fs_hz, start_N[here_N], seconds, judge)
    return rates_JN


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
