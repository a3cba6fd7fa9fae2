"""Admissions of a patient that were over by a time: the only ones whose codes may be features."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import known, to_us
from ecgppg.config.schema import UNKNOWN_TIME_US


@dataclass(frozen=True, eq=False)
class EarlierAdmissions:
    """Pairs of a row and an admission that had ended by the row's index time.

    Attributes
    ----------
    row_P : ndarray of int (P,)
        Rows, rising.
    admission_P : ndarray of int (P,)
        Positions in `tables.admissions`.
    index_time_us_N : ndarray of int64 (N,)
        Index time of each row.
    last_discharge_us_N : ndarray of int64 (N,)
        Latest discharge among each row's pairs; unknown where it has none.
    """

    row_P: np.ndarray
    admission_P: np.ndarray
    index_time_us_N: np.ndarray
    last_discharge_us_N: np.ndarray

    @property
    def known_us_N(self) -> np.ndarray:
        """When what the pairs say was known: the last discharge, and with none before, the index time."""
        return np.where(known(self.last_discharge_us_N), self.last_discharge_us_N, self.index_time_us_N)

    def count(self) -> np.ndarray:
        """Earlier admissions of each row, int (N,)."""
        return np.bincount(self.row_P, minlength=len(self.index_time_us_N))

    def any(self, flag_AG: np.ndarray) -> np.ndarray:
        """Whether any earlier admission has each flag.

        Parameters
        ----------
        flag_AG : ndarray of bool (number of admissions, G)

        Returns
        -------
        ndarray of float64 (N, G)
            1, 0; NaN where the index time is unknown.
        """
        found_NG = np.zeros((len(self.index_time_us_N), flag_AG.shape[1]))
        rows, starts = np.unique(self.row_P, return_index=True)
        if len(rows) and flag_AG.shape[1]:
            found_NG[rows] = np.logical_or.reduceat(flag_AG[self.admission_P], starts, axis=0)
        found_NG[~known(self.index_time_us_N)] = np.nan
        return found_NG


def ended_us(tables: ClinicalTables) -> np.ndarray:
    """When each admission was over and its codes could be known, microseconds, in the order of `tables.admissions`.

    Its discharge, or its beginning where the tables have it end before it began: a later stay whose discharge is a
    slip of the pen must not pass for an earlier one.
    """
    return np.maximum(to_us(tables.admissions["dischtime"]), to_us(tables.admissions["admittime"]))


def earlier_admissions(
    tables: ClinicalTables, subject_id_N: np.ndarray, hadm_id_N: np.ndarray, index_time_us_N: np.ndarray
) -> EarlierAdmissions:
    """Find the admissions of each row's patient that ended at or before its index time.

    Parameters
    ----------
    tables : ClinicalTables
    subject_id_N, hadm_id_N, index_time_us_N : ndarray of int64 (N,)
        The admission hadm_id itself never counts, not even after its discharge.
    """
    admissions = tables.admissions
    ended = pd.DataFrame(
        {
            "subject_id": admissions["subject_id"],
            "earlier": admissions["hadm_id"],
            "admission": np.arange(len(admissions)),
            "ended_us": ended_us(tables),
        }
    )
    rows = pd.DataFrame({"subject_id": subject_id_N, "hadm_id": hadm_id_N, "index_us": index_time_us_N})
    pairs = rows.reset_index(names="row").merge(ended, on="subject_id")
    pairs = pairs[(pairs["ended_us"] <= pairs["index_us"]) & (pairs["earlier"] != pairs["hadm_id"])]
    pairs = pairs.sort_values(["row", "admission"])
    last_us = pairs.groupby("row")["ended_us"].max().reindex(range(len(rows)), fill_value=UNKNOWN_TIME_US)
    return EarlierAdmissions(
        pairs["row"].to_numpy(), pairs["admission"].to_numpy(), np.asarray(index_time_us_N), last_us.to_numpy(np.int64)
    )
