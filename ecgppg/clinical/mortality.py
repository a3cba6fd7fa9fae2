"""Who died when, and how long we would know of it: dates of death have no hour, and follow-up differs by database."""

import numpy as np
import pandas as pd

from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import day_of, known, minutes_between, to_us
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


def followed_until_days(tables: ClinicalTables) -> pd.Series:
    """Last day (since 1970) on which a death would be known, by subject_id of admitted patients.

    Each discharge is followed for 90 days; for a year where an ICU stay of that admission is CareVue's (dbsource
    `carevue`), whose patients were looked up in the death register for years. A stay known to both databases, or to
    none, gives 90 days.
    """
    stays = tables.icustays
    carevue = stays.loc[stays["dbsource"].str.lower() == "carevue", "hadm_id"]
    admissions = tables.admissions
    long = admissions["hadm_id"].isin(carevue).to_numpy()
    until = day_of(to_us(admissions["dischtime"])) + np.where(long, CAREVUE_FOLLOW_UP_DAYS, OTHER_FOLLOW_UP_DAYS)
    return pd.Series(until, index=admissions["subject_id"].to_numpy()).groupby(level=0).max()


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
        1 died; 0 alive then, by a later death or by follow-up; -1 unknown: no time, no such patient, follow-up too
        short, or a time that lies after the death.
    death_day : ndarray of int64 (N,)
        Day of death, `NO_DAY` where none is known.
    """
    death_N = death_days(tables).reindex(subject_id_N, fill_value=NO_DAY).to_numpy()
    until_N = followed_until_days(tables).reindex(subject_id_N, fill_value=NO_DAY).to_numpy()
    timed = known(time_us_N)
    day_N = np.where(timed, day_of(time_us_N), 0)
    died = death_N != NO_DAY
    alive_then = np.where(died, death_N > day_N + horizon_days, until_N >= day_N + horizon_days)
    label_N = np.full(len(death_N), UNKNOWN_LABEL, np.int8)
    label_N[timed & alive_then] = 0
    label_N[timed & died & (death_N >= day_N) & (death_N <= day_N + horizon_days)] = 1
    return label_N, death_N


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
