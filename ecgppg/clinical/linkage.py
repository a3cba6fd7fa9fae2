"""Recordings to admissions by time, with a grade that says how well; never by guessing.

The rule, for a recording from `start` to `end` of one patient:

- *inside*: admittime <= start < dischtime of an admission. The first minute belongs to it, the minute of discharge not.
- *within_6h*: start lies in none, but at most 6 h before an admittime or after a dischtime (both ends included).
- *within_12h*: the same with more than 6 h and at most 12 h.
- *none*: no admission so near, no such patient, or the time is unknown.
- *ambiguous*: two admissions share the best grade. Where that grade is not *inside* and the recording goes on into just
  one of the two, it is that one's; otherwise hadm_id is -1.

The grade goes by the start alone: a recording that begins 3 h before admission is *within_6h* whether it lasts 2 h or
14 h, and overlap_minutes tells how much of it the admission shares. ICU stays do not stretch an admission: a few begin
before its admittime or end after its dischtime, and a recording there has that stay's id and a grade of *within_6h*.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ecgppg.clinical.tables import ClinicalTables
from ecgppg.clinical.times import HOUR_US, MINUTE_US, known, to_us
from ecgppg.config.schema import LINK_GRADES, UNKNOWN_ID

NONE, INSIDE, WITHIN_6H, WITHIN_12H, AMBIGUOUS = (
    LINK_GRADES.index(name) for name in ("none", "inside", "within_6h", "within_12h", "ambiguous")
)
_FAR = np.uint8(255)


def link_times(
    tables: ClinicalTables, subject_id_N: np.ndarray, start_us_N: np.ndarray, end_us_N: np.ndarray
) -> pd.DataFrame:
    """Admission, ICU stay and grade of each recording or segment.

    Parameters
    ----------
    tables : ClinicalTables
    subject_id_N, start_us_N, end_us_N : ndarray of int64 (N,)
        Patient, first and one-past-last instant, microseconds since 1970; `UNKNOWN_TIME_US` where unknown.

    Returns
    -------
    DataFrame
        One row each, in the order given:
        hadm_id, icustay_id : int64, -1 unknown. The ICU stay is that of hadm_id which holds the start.
        link_grade : uint8, index in `LINK_GRADES`.
        care_unit : str, the stay's first_careunit; empty where unknown.
        offset_minutes : float, from the admission to the start: 0 inside, below 0 before, above 0 after; NaN without
        hadm_id.
        overlap_minutes : float, what recording and admission share; without hadm_id, the most that any admission of
        the patient shares.
    """
    subject_id_N, start_us_N, end_us_N = (np.asarray(a, np.int64) for a in (subject_id_N, start_us_N, end_us_N))
    admissions = tables.admissions
    best = _BestAdmission(len(subject_id_N))
    begins = to_us(admissions["admittime"])
    ends = np.maximum(to_us(admissions["dischtime"]), begins)
    for rows, candidates in _pairs(subject_id_N, start_us_N, admissions["subject_id"].to_numpy()):
        best.consider(rows, candidates, start_us_N[rows], end_us_N[rows], begins[candidates], ends[candidates])
    grade_N, admission_N = best.decide()
    linked = admission_N >= 0
    hadm_id_N = np.full(len(subject_id_N), UNKNOWN_ID, np.int64)
    hadm_id_N[linked] = admissions["hadm_id"].to_numpy()[admission_N[linked]]
    icustay_id_N, care_unit_N = _icu_stays(tables, subject_id_N, start_us_N, hadm_id_N)
    return pd.DataFrame(
        {
            "hadm_id": hadm_id_N,
            "icustay_id": icustay_id_N,
            "link_grade": grade_N,
            "care_unit": care_unit_N,
            "offset_minutes": np.where(linked, best.offset_us_N / MINUTE_US, np.nan),
            "overlap_minutes": np.where(linked, best.overlap_us_N, best.most_overlap_us_N) / MINUTE_US,
        }
    )


def link_records(tables: ClinicalTables, records: pd.DataFrame) -> pd.DataFrame:
    """Linkage of whole records by their start and overlap.

    Parameters
    ----------
    tables : ClinicalTables
    records : DataFrame
        subject_id, record, start_time_us, end_time_us; further columns are kept.

    Returns
    -------
    DataFrame
        record and these columns, those of `link_times`, and link_grade_name.
    """
    times = (records[name].to_numpy(np.int64) for name in ("subject_id", "start_time_us", "end_time_us"))
    links = link_times(tables, *times)
    links["link_grade_name"] = np.array(LINK_GRADES, dtype=object)[links["link_grade"]]
    first = ["record", "subject_id", "start_time_us", "end_time_us"]
    others = [name for name in records if name not in first]
    return pd.concat([records[first].reset_index(drop=True), links, records[others].reset_index(drop=True)], axis=1)


class _BestAdmission:
    """The best admission of each of N recordings so far, and how many are as good.

    An admission's rank is twice its grade, plus one where the recording does not go on into it.
    """

    def __init__(self, n: int) -> None:
        self.rank_N = np.full(n, _FAR, np.uint8)
        self.ties_N = np.zeros(n, np.int64)
        self.admission_N = np.full(n, -1, np.int64)
        self.offset_us_N = np.zeros(n, np.int64)
        self.overlap_us_N = np.zeros(n, np.int64)
        self.most_overlap_us_N = np.zeros(n, np.int64)

    def consider(
        self,
        rows: np.ndarray,
        candidates: np.ndarray,
        start_us: np.ndarray,
        end_us: np.ndarray,
        begin_us: np.ndarray,
        over_us: np.ndarray,
    ) -> None:
        """Compare one more admission (index `candidates`, begin_us to over_us) for each of the recordings `rows`."""
        offset_us = np.where(start_us < begin_us, start_us - begin_us, np.maximum(start_us - over_us, 0))
        inside = (begin_us <= start_us) & (start_us < over_us)
        distance_us = np.abs(offset_us)
        grade = np.select(
            [inside, distance_us <= 6 * HOUR_US, distance_us <= 12 * HOUR_US], [INSIDE, WITHIN_6H, WITHIN_12H], 0
        )
        known_end = np.where(known(end_us), end_us, start_us)
        overlap_us = np.maximum(np.minimum(known_end, over_us) - np.maximum(start_us, begin_us), 0)
        rank = np.where(grade == NONE, _FAR, 2 * grade + (overlap_us == 0) * ~inside).astype(np.uint8)
        self.most_overlap_us_N[rows] = np.maximum(self.most_overlap_us_N[rows], overlap_us)
        tied = (rank == self.rank_N[rows]) & (rank != _FAR)
        self.ties_N[rows[tied]] += 1
        better = rank < self.rank_N[rows]
        won = rows[better]
        self.rank_N[won], self.ties_N[won], self.admission_N[won] = rank[better], 1, candidates[better]
        self.offset_us_N[won], self.overlap_us_N[won] = offset_us[better], overlap_us[better]

    def decide(self) -> tuple[np.ndarray, np.ndarray]:
        """(grade uint8, index of the admission or -1) of each recording."""
        linked = self.ties_N == 1
        grade_N = np.where(linked, self.rank_N // 2, np.where(self.ties_N > 1, AMBIGUOUS, NONE)).astype(np.uint8)
        return grade_N, np.where(linked, self.admission_N, -1)


def _pairs(
    subject_id_N: np.ndarray, start_us_N: np.ndarray, owners: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For k = 0, 1, ...: (rows, index of their patient's k-th interval); `owners` is sorted by patient."""
    first_N = np.searchsorted(owners, subject_id_N, "left")
    count_N = np.where(known(start_us_N), np.searchsorted(owners, subject_id_N, "right") - first_N, 0)
    rows = np.flatnonzero(count_N)
    k = 0
    while len(rows):
        yield rows, first_N[rows] + k
        k += 1
        rows = rows[count_N[rows] > k]


def _icu_stays(
    tables: ClinicalTables, subject_id_N: np.ndarray, start_us_N: np.ndarray, hadm_id_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(icustay_id, first_careunit) of the one ICU stay of the linked admission that holds the start."""
    stays = tables.icustays.sort_values(["subject_id", "intime", "icustay_id"])
    begins, ends, hadm_ids = to_us(stays["intime"]), to_us(stays["outtime"]), stays["hadm_id"].to_numpy()
    stay_N = np.full(len(subject_id_N), -1, np.int64)
    found_N = np.zeros(len(subject_id_N), np.int64)
    for rows, candidates in _pairs(subject_id_N, start_us_N, stays["subject_id"].to_numpy()):
        start_us = start_us_N[rows]
        holds = (begins[candidates] <= start_us) & (start_us < ends[candidates]) & known(begins[candidates])
        holds &= hadm_ids[candidates] == hadm_id_N[rows]
        stay_N[rows[holds]] = candidates[holds]
        found_N[rows[holds]] += 1
    one = found_N == 1
    icustay_id_N = np.full(len(subject_id_N), UNKNOWN_ID, np.int64)
    icustay_id_N[one] = stays["icustay_id"].to_numpy()[stay_N[one]]
    care_unit_N = np.full(len(subject_id_N), "", dtype=object)
    care_unit_N[one] = stays["first_careunit"].to_numpy()[stay_N[one]]
    return icustay_id_N, care_unit_N
