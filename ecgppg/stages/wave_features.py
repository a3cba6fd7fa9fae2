"""What the first day of recording says about a patient, one row an admission."""

import numpy as np
import pandas as pd

from ecgppg.config.schema import UNKNOWN_ID, UNKNOWN_TIME_US

FIRST_DAY_US = 24 * 3600 * 1_000_000
IRREGULAR_RR_CV = 0.15
MEANINGS = {
    "f_wave_heart_rate_bpm": ("median heart rate of the windows", "beats per minute"),
    "f_wave_heart_rate_p05_bpm": ("5th percentile of their heart rates", "beats per minute"),
    "f_wave_heart_rate_p95_bpm": ("95th percentile of their heart rates", "beats per minute"),
    "f_wave_rr_cv": ("median of standard deviation / mean of the RR intervals", "ratio"),
    "f_wave_rr_cv_p90": ("90th percentile of the same", "ratio"),
    "f_wave_irregular_share": (f"share of windows where it is over {IRREGULAR_RR_CV}", "0 to 1"),
    "f_wave_no_beats_share": ("share of windows without a beat", "0 to 1"),
    "f_wave_quality": ("median quality", "0 to 1"),
}
"""{column: (what it is, its unit or values)}."""


def admission_rows(columns: dict[str, np.ndarray], segment_us: int) -> pd.DataFrame:
    """Waveform features of each (subject, admission) from the 24 h after its first kept window.

    Parameters
    ----------
    columns : dict of (N,) arrays
        subject_id, hadm_id, start_time_us, heart_rate_bpm, rr_cv, n_beats, quality.
    segment_us : int
        Length of a segment, microseconds.

    Returns
    -------
    DataFrame
        subject_id, hadm_id, index_time_us (end of the last window used), n_windows, known_f_wave (that same end: when
        what follows was known), and `f_wave_` columns: heart
        rate (median, 5th and 95th percentile, bpm), rr_cv (median, 90th percentile), share of irregular windows
        (rr_cv over 0.15), share of windows without beats, median quality. The number of windows is no feature: it
        tells how long a patient stayed.
    """
    names = ("subject_id", "hadm_id", "start_time_us", "heart_rate_bpm", "rr_cv", "n_beats", "quality")
    frame = pd.DataFrame({name: columns[name] for name in names})
    frame = frame[(frame["hadm_id"] != UNKNOWN_ID) & (frame["start_time_us"] != UNKNOWN_TIME_US)]
    keys = ["subject_id", "hadm_id"]
    first_us = frame.groupby(keys)["start_time_us"].transform("min")
    frame = frame[frame["start_time_us"] < first_us + FIRST_DAY_US]
    by_stay = frame.assign(
        irregular=(frame["rr_cv"] > IRREGULAR_RR_CV).where(frame["rr_cv"].notna()).astype(float),
        without_beats=(frame["n_beats"] == 0).astype(float),
    ).groupby(keys)
    rows = pd.DataFrame(
        {
            "index_time_us": by_stay["start_time_us"].max() + segment_us,
            "n_windows": by_stay.size(),
            "known_f_wave": by_stay["start_time_us"].max() + segment_us,
            "f_wave_heart_rate_bpm": by_stay["heart_rate_bpm"].median(),
            "f_wave_heart_rate_p05_bpm": by_stay["heart_rate_bpm"].quantile(0.05),
            "f_wave_heart_rate_p95_bpm": by_stay["heart_rate_bpm"].quantile(0.95),
            "f_wave_rr_cv": by_stay["rr_cv"].median(),
            "f_wave_rr_cv_p90": by_stay["rr_cv"].quantile(0.9),
            "f_wave_irregular_share": by_stay["irregular"].mean(),
            "f_wave_no_beats_share": by_stay["without_beats"].mean(),
            "f_wave_quality": by_stay["quality"].median(),
        }
    )
    return rows.reset_index()
