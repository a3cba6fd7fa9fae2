"""The rhythm a nurse charted, as a label of the windows just before the entry.

An entry tells what the monitor showed when it was made, so it speaks of the minutes before it, never of those after.
Unlike a diagnosis it has a time of its own; it is still one look at a screen, made about once an hour.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import ChartedRhythm
from ecgppg.clinical.times import MINUTE_US, known, to_us

RHYTHM_ITEM_IDS = (212, 220048)
"""Heart rhythm in CareVue and in MetaVision."""
MINUTES_BEFORE_ENTRY = 15


@dataclass(frozen=True)
class ChartedLabels:
    """Rhythm of each window.

    Attributes
    ----------
    codes_N : ndarray of uint8 (N,)
        Index into `names`; 255 unknown.
    names : tuple of str
        The rhythms of the definitions, in the order of the alphabet.
    counts : Counter of str
        entries, entries_of_no_rhythm, entries_that_disagree, windows_labelled.
    """

    codes_N: np.ndarray
    names: tuple[str, ...]
    counts: Counter[str]

    UNKNOWN = 255

    def notice(self) -> str:
        """One line for a log; no value of a patient is repeated."""
        counts = self.counts
        return (
            f"charted rhythm: {counts['windows_labelled']:,} windows lie within {MINUTES_BEFORE_ENTRY} min before an "
            f"entry; of {counts['entries']:,} entries {counts['entries_of_no_rhythm']:,} name no rhythm of the lists, "
            f"{counts['entries_that_disagree']:,} disagree with another of the same time"
        )


def charted_rhythm(
    entries: pd.DataFrame,
    rhythms: Mapping[str, ChartedRhythm],
    subject_id_N: np.ndarray,
    start_us_N: np.ndarray,
    end_us_N: np.ndarray,
) -> ChartedLabels:
    """Label windows with the next charted rhythm.

    Parameters
    ----------
    entries : DataFrame
        subject_id, charttime, value, as `chart_events.read_chart_events` gives them.
    rhythms : mapping of str to ChartedRhythm
    subject_id_N, start_us_N, end_us_N : ndarray of int64 (N,)
        Patient, first and one-past-last instant of each window.

    Returns
    -------
    ChartedLabels
        A window has the rhythm of the first entry at or after its end, where the window begins at most 15 min before
        that entry. An entry of no known rhythm, or entries of one time that disagree, leave it unknown: an older or a
        later entry does not stand in for them.
    """
    names = tuple(sorted(rhythms))
    code_of = {_spelling(value): code for code, name in enumerate(names) for value in rhythms[name].values}
    values = entries["value"].astype("category")
    by_category = np.array([*(code_of.get(_spelling(v), ChartedLabels.UNKNOWN) for v in values.cat.categories), 255])
    subject_id_N, start_us_N, end_us_N = (np.asarray(a, np.int64) for a in (subject_id_N, start_us_N, end_us_N))
    subject_id = entries["subject_id"].to_numpy(np.int64)
    frame = pd.DataFrame({"subject_id": subject_id, "time_us": to_us(entries["charttime"])})
    frame["code"] = by_category[values.cat.codes.to_numpy()]
    counts = Counter(entries=len(frame), entries_of_no_rhythm=int((frame["code"] == ChartedLabels.UNKNOWN).sum()))
    at_once = frame.groupby(["subject_id", "time_us"])["code"]
    disagree = at_once.transform("nunique") > 1
    counts["entries_that_disagree"] = int(disagree.sum())
    frame.loc[disagree, "code"] = ChartedLabels.UNKNOWN
    frame = frame.drop_duplicates(["subject_id", "time_us"])
    codes_N = _next_entry(frame, subject_id_N, start_us_N, end_us_N)
    counts["windows_labelled"] = int((codes_N != ChartedLabels.UNKNOWN).sum())
    return ChartedLabels(codes_N, names, counts)


def _next_entry(
    entries: pd.DataFrame, subject_id_N: np.ndarray, start_us_N: np.ndarray, end_us_N: np.ndarray
) -> np.ndarray:
    """Code of each window's next entry, if it is near enough."""
    windows = pd.DataFrame({"subject_id": subject_id_N, "start_us": start_us_N, "time_us": end_us_N})
    timed = windows[known(start_us_N) & known(end_us_N)].sort_values("time_us", kind="stable").reset_index(names="row")
    entries = entries.assign(entry_us=entries["time_us"]).sort_values("time_us", kind="stable")
    met = pd.merge_asof(timed, entries, on="time_us", by="subject_id", direction="forward")
    near = met["entry_us"].notna() & (met["entry_us"] - met["start_us"] <= MINUTES_BEFORE_ENTRY * MINUTE_US)
    codes_N = np.full(len(windows), ChartedLabels.UNKNOWN, np.uint8)
    codes_N[met.loc[near, "row"].to_numpy()] = met.loc[near, "code"].to_numpy(np.uint8)
    return codes_N


def _spelling(value: object) -> str:
    return " ".join(str(value).casefold().split())
