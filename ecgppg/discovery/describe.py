"""What a cluster's windows have in common, said with intervals over patients; and whether it is one patient."""

from typing import Any

import numpy as np
import pandas as pd

from ecgppg.config.schema import FLAGS
from ecgppg.evaluation.intervals import patient_bootstrap, share_with_interval

DESCRIPTORS = ("heart_rate_bpm", "rr_cv", "quality")
FLAG_DESCRIPTORS = ("no_beats", "flat_stretch", "template_mismatch", "rates_disagree")
PATIENT_CLUSTER_SHARE = 0.5
N_BOOTSTRAP = 500
CONFIDENCE = 0.95


def patient_balance(subject_id: np.ndarray) -> dict[str, Any]:
    """Whose windows a cluster holds.

    Returns
    -------
    dict
        n_patients; largest_patient_share; effective_patients (inverse Simpson index: 1 where one patient holds all,
        n_patients where all hold the same); patient_cluster: one patient holds half of it or more.
    """
    counts = np.unique(subject_id, return_counts=True)[1]
    shares = counts / counts.sum()
    return {
        "n_patients": len(counts),
        "largest_patient_share": round(float(shares.max()), 4),
        "effective_patients": round(float(1 / (shares**2).sum()), 2),
        "patient_cluster": bool(shares.max() >= PATIENT_CLUSTER_SHARE),
    }


def descriptors(frame: pd.DataFrame | None, seed: int) -> dict[str, Any]:
    """Medians of heart rate, RR irregularity and quality, and shares of flagged windows, each with its interval.

    Parameters
    ----------
    frame : DataFrame or None
        Metadata of a cluster's windows, with subject_id; None where there is no metadata.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        {name: {estimate, low, high, n_patients, n_windows} or None}; a column that is absent gives None.
    """
    found: dict[str, Any] = {}
    for name in DESCRIPTORS:
        found[name] = None
        if frame is None or name not in frame:
            continue
        values = frame[name].to_numpy(np.float64)
        defined = np.isfinite(values)
        if defined.any():
            interval = patient_bootstrap(
                _median, values[defined], subject_id=frame["subject_id"].to_numpy()[defined],
                n_bootstrap=N_BOOTSTRAP, confidence=CONFIDENCE, seed=seed,
            )  # fmt: skip
            found[name] = {**interval.to_json(), "n_windows": int(defined.sum())}
    for name in FLAG_DESCRIPTORS:
        found[f"share_{name}"] = None
        if frame is not None and "flags" in frame:
            raised = (frame["flags"].to_numpy(np.int64) >> FLAGS.index(name)) & 1
            share = share_with_interval(raised, frame["subject_id"].to_numpy(), N_BOOTSTRAP, CONFIDENCE, seed)
            found[f"share_{name}"] = {**share.to_json(), "n_windows": len(frame)}
    return found


def _median(values: np.ndarray) -> float:
    return float(np.median(values))
