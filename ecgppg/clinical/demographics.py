"""Age and sex of patients; nobody is reported older than 90."""

import numpy as np
import pandas as pd

from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import day_of, known, to_us

OLDEST_YEARS = 90.0


def age_years(dob_us_N: np.ndarray, at_us_N: np.ndarray) -> np.ndarray:
    """Age in years: birthdays passed, and the share of the year since the last; 90 for everyone of 90 and over.

    Parameters
    ----------
    dob_us_N, at_us_N : ndarray of int64 (N,)
        Birth and the time of interest, microseconds since 1970.

    Returns
    -------
    ndarray of float64 (N,)
        A year older from the birthday on, whatever leap years lie between; those born on February 29 have theirs on
        March 1 in other years. The database sets births of patients over 89 to 300 years before their first admission;
        these too are 90. NaN where a time is unknown or lies before birth.
    """
    both = known(dob_us_N) & known(at_us_N)
    born_N, at_N = (day_of(np.where(both, us_N, 0)).astype("datetime64[D]") for us_N in (dob_us_N, at_us_N))
    of_month_N = born_N - born_N.astype("datetime64[M]")
    month_N = born_N.astype("datetime64[M]").astype(np.int64) % 12

    def birthday(year_N: np.ndarray) -> np.ndarray:
        return (12 * year_N + month_N).astype("datetime64[M]").astype("datetime64[D]") + of_month_N

    year_N = at_N.astype("datetime64[Y]").astype(np.int64)
    year_N -= birthday(year_N) > at_N
    last_N = birthday(year_N)
    since_N = (at_N - last_N) / (birthday(year_N + 1) - last_N)
    years_N = year_N - born_N.astype("datetime64[Y]").astype(np.int64) + since_N
    return np.where(both & (at_N >= born_N), np.minimum(years_N, OLDEST_YEARS), np.nan)


def ages_at(tables: ClinicalTables, subject_id_N: np.ndarray, time_us_N: np.ndarray) -> np.ndarray:
    """Age of each subject at each time, years; NaN for a subject the tables do not hold."""
    dob_us = pd.Series(to_us(tables.patients["dob"]), index=tables.patients["subject_id"])
    found_N = np.isin(subject_id_N, dob_us.index)
    ages_N = np.full(len(subject_id_N), np.nan)
    ages_N[found_N] = age_years(dob_us.loc[subject_id_N[found_N]].to_numpy(), time_us_N[found_N])
    return ages_N


def patients_at_first_admission(tables: ClinicalTables) -> pd.DataFrame:
    """One row a patient who was ever admitted, in the order of subject_id.

    Returns
    -------
    DataFrame
        subject_id, age_years (90 for everyone of 90 and over), age_over_89 (bool), male (bool).
    """
    first = tables.admissions.groupby("subject_id", sort=True)["admittime"].min()
    subject_ids = first.index.to_numpy()
    ages = ages_at(tables, subject_ids, to_us(first))
    gender = tables.patients.set_index("subject_id")["gender"].reindex(subject_ids)
    return pd.DataFrame(
        {
            "subject_id": subject_ids,
            "age_years": ages,
            "age_over_89": ages >= OLDEST_YEARS,
            "male": (gender.str.upper() == "M").to_numpy(dtype=bool, na_value=False),
        }
    )


def old_enough(tables: ClinicalTables, min_age_years: int) -> np.ndarray:
    """subject_ids of patients at least `min_age_years` old at their first admission, sorted.

    A patient of unknown age is not among them.
    """
    patients = patients_at_first_admission(tables)
    return patients.loc[patients["age_years"] >= min_age_years, "subject_id"].to_numpy()
