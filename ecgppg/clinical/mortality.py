"""Who died when, and how long we would know of it: dates of death have no hour, and follow-up differs by database."""

import numpy as np
import pandas as pd

from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import HOUR_US, day_of, known, minutes_between, to_us
from ecgppg.config.schema import UNKNOWN_LABEL, UNKNOWN_TIME_US

HORIZON_DAYS = {"death_90d": 90, "death_1y": 365}
CAREVUE_FOLLOW_UP_DAYS = 365
OTHER_FOLLOW_UP_DAYS = 90
LINKED_WITHIN_US = 12 * HOUR_US
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


def followed_until_days(tables: ClinicalTables, subject_id_N: np.ndarray, time_us_N: np.ndarray) -> np.ndarray:
    """Last day (since 1970) on which every death would be known, for a subject at a time.

    The discharge of the admission at hand is followed for 90 days; for a year where an ICU stay of that admission is
    CareVue's (dbsource `carevue`), whose patients were looked up in the death register for years. A stay known to both
    databases, or to none, gives 90 days. Later admissions do not count: only those who lived come back, so follow-up
    that they lengthen would be longer for survivors.

    Parameters
    ----------
    tables : ClinicalTables
    subject_id_N, time_us_N : ndarray of int64 (N,)
        The admission at hand is the last that began at most 12 h after the time (as far as linkage goes), or without
        one the first.

    Returns
    -------
    ndarray of int64 (N,)
        `NO_DAY` for a subject without admissions, and where the time is unknown.
    """
    stays = tables.icustays
    carevue = stays.loc[stays["dbsource"].str.lower() == "carevue", "hadm_id"]
    admissions = tables.admissions  # by patient and time
    long = admissions["hadm_id"].isin(carevue).to_numpy()
    until = day_of(to_us(admissions["dischtime"])) + np.where(long, CAREVUE_FOLLOW_UP_DAYS, OTHER_FOLLOW_UP_DAYS)
    subjects, begun_us = admissions["subject_id"].to_numpy(), to_us(admissions["admittime"])
    timed = known(time_us_N)
    limit_us_N = np.where(timed, time_us_N, 0) + LINKED_WITHIN_US
    first_N, over_N = np.searchsorted(subjects, subject_id_N), np.searchsorted(subjects, subject_id_N, "right")
    at_N = np.maximum(_last_begun(subjects, begun_us, subject_id_N, limit_us_N), first_N)
    there = timed & (first_N < over_N)
    until_N = np.full(len(subject_id_N), NO_DAY, np.int64)
    until_N[there] = until[at_N[there]]
    return until_N


def _last_begun(
    subjects: np.ndarray, begun_us: np.ndarray, subject_id_N: np.ndarray, limit_us_N: np.ndarray
) -> np.ndarray:
    """Position of each subject's last admission begun by a time, or below the subject's first where there is none."""
    n = len(subjects)
    everyone = np.concatenate([subjects, subject_id_N])
    times = np.concatenate([begun_us, limit_us_N])
    # Rows go after the admissions of their own time, so an admission that begins at the limit counts.
    order = np.lexsort((np.arange(len(everyone)) >= n, times, everyone))
    n_before = np.cumsum(order < n)
    position_N = np.empty(len(subject_id_N), np.int64)
    rows = order >= n
    position_N[order[rows] - n] = n_before[rows] - 1
    return position_N


def died_within(
    tables: ClinicalTables, subject_id_N: np.ndarray, time_us_N: np.ndarray, horizon_days: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each subject died within `horizon_days` of each time, by whole days.

    Parameters
    ----------
    tables : ClinicalTables
    subject_id_N, time_us_N : ndarray of int64 (N,)
    horizon_days : int
        The day that many days later still counts.

    Returns
    -------
    label : ndarray of int8 (N,)
        1 died; 0 alive then; -1 unknown: no time, no such patient, a time that lies after the death, or follow-up too
        short to know of every death: there a death that happens to be known is -1 too, or only the dead would have a
        label.
    death_day : ndarray of int64 (N,)
        Day of death, `NO_DAY` where none is known.
    """
    death_N = death_days(tables).reindex(subject_id_N, fill_value=NO_DAY).to_numpy()
    subject_id_N, time_us_N = np.asarray(subject_id_N, np.int64), np.asarray(time_us_N, np.int64)
    day_N = np.where(known(time_us_N), day_of(time_us_N), 0)
    followed = followed_until_days(tables, subject_id_N, time_us_N) >= day_N + horizon_days
    died = death_N != NO_DAY
    label_N = np.where(died & (death_N <= day_N + horizon_days), 1, 0)
    return np.where(followed & ~(died & (death_N < day_N)), label_N, UNKNOWN_LABEL).astype(np.int8), death_N


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
