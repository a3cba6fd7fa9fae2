"""Dates of the clinical tables as whole microseconds.

MIMIC-III shifts its dates to 2100-2200 and puts the births of the over-89 some 300 years earlier. A difference of that
size wraps silently in nanoseconds (their 64 bits span 292 years on either side of 1970), so every date here is
datetime64[us] or int64 microseconds since 1970, and missing is `schema.UNKNOWN_TIME_US`, which is also what NaT reads
as.
"""

import numpy as np
import pandas as pd

from ecgppg.config.schema import UNKNOWN_TIME_US

MINUTE_US = 60 * 10**6
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def to_us(times: pd.Series) -> np.ndarray:
    """Microseconds since 1970 of a datetime64[us] column.

    Parameters
    ----------
    times : Series
        datetime64[us].

    Returns
    -------
    ndarray of int64 (N,)
        `UNKNOWN_TIME_US` where the time is missing.
    """
    assert times.dtype == np.dtype("datetime64[us]"), f"dates travel in microseconds, not {times.dtype}"
    return times.to_numpy().view(np.int64).copy()


def known(times_us_N: np.ndarray) -> np.ndarray:
    """Where a time in microseconds is known, bool (N,)."""
    return times_us_N != UNKNOWN_TIME_US


def day_of(times_us_N: np.ndarray) -> np.ndarray:
    """Whole days since 1970 (floor), int64; only meaningful where the time is known."""
    return np.floor_divide(times_us_N, DAY_US)


def minutes_between(begin_us_N: np.ndarray, end_us_N: np.ndarray) -> np.ndarray:
    """(end - begin) in minutes, float64; NaN where either is unknown."""
    both = known(begin_us_N) & known(end_us_N)
    difference = np.where(both, end_us_N, 0) - np.where(both, begin_us_N, 0)
    return np.where(both, difference / MINUTE_US, np.nan)
