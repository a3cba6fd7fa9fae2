"""Who died when, and how long we would know of it: dates of death have no hour, and follow-up differs by database."""

import numpy as np
import pandas as pd

from ecgppg.clinical.earlier import ended_us
from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import DAY_US, day_of, known, minutes_between, to_us
from ecgppg.config.schema import UNKNOWN_LABEL, UNKNOWN_TIME_US

HORIZON_DAYS = {"death_90d": 90, "death_1y": 365}
CAREVUE_FOLLOW_UP_DAYS = 365
OTHER_FOLLOW_UP_DAYS = 90
NO_DAY = -(2**62)
"""Stands for an unknown day; far from every date and still safe to add days to."""


def death_days(tables: ClinicalTables) -> pd.Series:
    """Day of death (days since 1970) by subject_id; `NO_DAY` for patients not known to have died.

    The date of death of PATIENTS, or where it is missing, that of an admission's deathtime.
    """
    dod_us = to_us(tables.patients["dod"])
    days = pd.Series(np.where(known(dod_us), day_of(dod_us), NO_DAY), index=tables.patients["subject_id"])
    death_us = to_us(tables.admissions["deathtime"])
    died = known(death_us)
    in_hospital = pd.Series(day_of(death_us[died]), index=tables.admissions["subject_id"].to_numpy()[died])
    in_hospital = in_hospital.groupby(level=0).min().reindex(days.index, fill_value=NO_DAY)
    return days.where(days != NO_DAY, in_hospital)


def followed_until_days(tables: ClinicalTables, hadm_id_N: np.ndarray) -> np.ndarray:
    """Last day (since 1970) on which every death would be known, for each admission.

    The discharge is followed for 90 days; for a year where an ICU stay of the admission is CareVue's (dbsource
    `carevue`), whose patients were looked up in the death register for years. A stay known to both databases, or to
    none, gives 90 days. Later admissions do not count, however soon they begin: only those who lived come back, so
    follow-up that they lengthen would be longer for survivors.

    Parameters
    ----------
    tables : ClinicalTables
    hadm_id_N : ndarray of int64 (N,)

    Returns
    -------
    ndarray of int64 (N,)
        `NO_DAY` for an admission that the tables do not hold.
    """
    stays = tables.icustays
    carevue = stays.loc[stays["dbsource"].str.lower() == "carevue", "hadm_id"]
    hadm_ids = tables.admissions["hadm_id"]
    follow_up_days = np.where(hadm_ids.isin(carevue), CAREVUE_FOLLOW_UP_DAYS, OTHER_FOLLOW_UP_DAYS)
    until = pd.Series(day_of(ended_us(tables)) + follow_up_days, index=hadm_ids)
    return until.reindex(hadm_id_N, fill_value=NO_DAY).to_numpy(np.int64)


def died_within(
    tables: ClinicalTables, subject_id_N: np.ndarray, hadm_id_N: np.ndarray, time_us_N: np.ndarray, horizon_days: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each subject died within `horizon_days` of each time, by whole days.

    Parameters
    ----------
    tables : ClinicalTables
    subject_id_N, hadm_id_N, time_us_N : ndarray of int64 (N,)
        The admission at hand is the one whose follow-up counts.
    horizon_days : int
        The day that many days later still counts.

    Returns
    -------
    label : ndarray of int8 (N,)
        1 died; 0 alive then; -1 unknown: no time, no such patient or admission, a time that lies after the death (by
        its hour where the patient died in hospital, else by its day), or follow-up too short to know of every death:
        there a death that happens to be known is -1 too, or only the dead would have a label.
    death_day : ndarray of int64 (N,)
        Day of death, `NO_DAY` where none is known.
    """
    death_N = death_days(tables).reindex(subject_id_N, fill_value=NO_DAY).to_numpy()
    time_us_N, timed_N = np.asarray(time_us_N, np.int64), known(np.asarray(time_us_N, np.int64))
    day_N = np.where(timed_N, day_of(time_us_N), 0)
    followed_N = timed_N & (followed_until_days(tables, hadm_id_N) >= day_N + horizon_days)
    died_N = death_N != NO_DAY
    hour_us_N = _hours_of_death(tables).reindex(subject_id_N, fill_value=UNKNOWN_TIME_US).to_numpy()
    over_N = (died_N & (death_N < day_N)) | (known(hour_us_N) & (hour_us_N < time_us_N))
    label_N = np.where(died_N & (death_N <= day_N + horizon_days), 1, 0)
    return np.where(followed_N & ~over_N, label_N, UNKNOWN_LABEL).astype(np.int8), death_N


def told_us(label_N: np.ndarray, death_day_N: np.ndarray, time_us_N: np.ndarray, horizon_days: int) -> np.ndarray:
    """When each label of `died_within` became known: a death when its day is over, survival when the days have passed.

    Parameters
    ----------
    label_N, death_day_N : ndarray (N,)
        From `died_within`.
    time_us_N : ndarray of int64 (N,)
    horizon_days : int

    Returns
    -------
    ndarray of int64 (N,)
        Microseconds; `UNKNOWN_TIME_US` where the label is -1.
    """
    dead_us_N = (np.where(label_N == 1, death_day_N, 0) + 1) * DAY_US
    alive_us_N = np.where(label_N == 0, time_us_N, 0) + horizon_days * DAY_US
    return np.select([label_N == 1, label_N == 0], [dead_us_N, alive_us_N], UNKNOWN_TIME_US)


def _hours_of_death(tables: ClinicalTables) -> pd.Series:
    """The time of death of those who died in an admission, microseconds by subject_id."""
    admissions = tables.admissions
    died = admissions[(admissions["hospital_expire_flag"] == 1) & admissions["deathtime"].notna()]
    return pd.Series(to_us(died["deathtime"]), index=died["subject_id"]).groupby(level=0).min()


def hours_to_death(tables: ClinicalTables, hadm_id_N: np.ndarray, time_us_N: np.ndarray) -> np.ndarray:
    """Hours from each time to the death in that admission.

    Parameters
    ----------
    tables : ClinicalTables
    hadm_id_N, time_us_N : ndarray of int64 (N,)

    Returns
    -------
    ndarray of float32 (N,)
        NaN where the patient did not die in this admission, its `deathtime` is missing, the admission or the time is
        unknown, or the time lies after the death.
    """
    death_us = pd.Series(to_us(tables.admissions["deathtime"]), index=tables.admissions["hadm_id"])
    died_in_it = (tables.admissions["hospital_expire_flag"] == 1).to_numpy()
    death_us_N = death_us[died_in_it].reindex(hadm_id_N, fill_value=UNKNOWN_TIME_US).to_numpy()
    hours_N = minutes_between(np.asarray(time_us_N, np.int64), death_us_N) / 60
    return np.where(hours_N >= 0, hours_N, np.nan).astype(np.float32)
