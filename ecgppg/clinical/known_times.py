"""When a label of an admission became known: at a discharge, since codes are given after it.

A 1 is known at the first discharge of an admission that has the code, a 0 when the last of the admissions it speaks of
was discharged.
"""

import numpy as np
import pandas as pd

from ecgppg.config.schema import UNKNOWN_LABEL, UNKNOWN_TIME_US

_NEVER_US = 2**63 - 1


def known_times(this_A: np.ndarray, subject_id_A: np.ndarray, discharge_us_A: np.ndarray) -> dict[str, np.ndarray]:
    """Microseconds at which a label of this, the earlier and the later admissions became known.

    Parameters
    ----------
    this_A : ndarray of int8 (number of admissions,)
        1, 0, -1 for each admission, in the order of patient and time.
    subject_id_A, discharge_us_A : ndarray of int64 (number of admissions,)

    Returns
    -------
    dict of str to ndarray of int64 (number of admissions,)
        Keys "this", "before", "after"; `UNKNOWN_TIME_US` where the label is -1. An admission of "before" may have been
        discharged after this one began: what it says was not known then.
    """
    this = np.where(this_A != UNKNOWN_LABEL, discharge_us_A, UNKNOWN_TIME_US)
    before = _told(this_A, subject_id_A, discharge_us_A)
    after = _told(this_A[::-1], subject_id_A[::-1], discharge_us_A[::-1])[::-1]
    return {"this": this, "before": before, "after": after}


def _told(this: np.ndarray, subject_id: np.ndarray, discharge_us: np.ndarray) -> np.ndarray:
    """When the rows of the same patient above each row had told: the first 1, or without one the last 0."""
    first_us = _running(pd.Series(np.where(this == 1, discharge_us, _NEVER_US)), subject_id, "cummin", _NEVER_US)
    told_us = np.where(this != UNKNOWN_LABEL, discharge_us, UNKNOWN_TIME_US)
    last_us = _running(pd.Series(told_us), subject_id, "cummax", UNKNOWN_TIME_US)
    return np.where(first_us != _NEVER_US, first_us, last_us)


def _running(values: pd.Series, subject_id: np.ndarray, how: str, nothing: int) -> np.ndarray:
    running = getattr(values.groupby(subject_id, sort=False), how)()
    return running.groupby(subject_id, sort=False).shift(1, fill_value=nothing).to_numpy(np.int64)
