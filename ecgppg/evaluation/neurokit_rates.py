"""Heart rates of 10 s windows by neurokit2's detectors, from the window alone or from the recording it was cut from.

None of them is the truth. Told one window, a detector does not see a beat in its first 0.3 to 0.5 s; the default one
seeks R peaks that point up, knows no rate above 200 bpm, and in a long pause takes T waves for beats; the others have
blind spots of their own. So a judge may hear the recording as it was taped, turn it upright first, or be a panel.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgppg.config.errors import InputError

WITHIN_BPM = 5.0
DEFAULT = "neurokit"
PANEL = ("pantompkins1985", "hamilton2002", "elgendi2010", "kalidas2017", "rodrigues2021")
WITHOUT_FILTER = ("rodrigues2021",)
"""Detectors that have no filter of their own in neurokit2; they get its default one."""

PANEL_MAJORITY = 4
"""A window is clear where so many of the panel lie within `WITHIN_BPM` of the panel's median."""


@dataclass(frozen=True)
class Judge:
    """A configuration of neurokit2.

    Attributes
    ----------
    method : str
        Detector and its filter, as `ecg_clean` and `ecg_peaks` name them.
    upright : bool
        Ask `ecg_invert` first whether the ECG is upside down.
    """

    method: str = DEFAULT
    upright: bool = False


def neurokit_beats(ecg_T: np.ndarray, fs_hz: float, judge: Judge) -> np.ndarray:
    """Samples of the R peaks one judge finds; empty where it finds nothing.

    Parameters
    ----------
    ecg_T : np.ndarray
        Filtered or not, finite; cleaned by the method's own filter.
    fs_hz : float
        Hz.
    judge : Judge
    """
    import neurokit2 as nk

    rate_hz = round(fs_hz)
    ecg_T = np.asarray(ecg_T, dtype=np.float64)
    cleaning = DEFAULT if judge.method in WITHOUT_FILTER else judge.method
    try:
        if judge.upright:
            ecg_T, _ = nk.ecg_invert(ecg_T, sampling_rate=rate_hz)
        cleaned_T = nk.ecg_clean(ecg_T, sampling_rate=rate_hz, method=cleaning)
        _, found = nk.ecg_peaks(cleaned_T, sampling_rate=rate_hz, method=judge.method)
    except (ValueError, IndexError, ZeroDivisionError):  # its detectors fail so where they find nothing
        return np.zeros(0, dtype=np.int64)
    return np.unique(found["ECG_R_Peaks"]).astype(np.int64)


def median_rate_bpm(beats: np.ndarray, fs_hz: float) -> float:
    """60 / median RR of beats given as samples; NaN under 3 beats."""
    return 60 * fs_hz / float(np.median(np.diff(beats))) if len(beats) >= 3 else np.nan


def neurokit_rate_bpm(ecg_T: np.ndarray, fs_hz: float, method: str = DEFAULT) -> float:
    """60 / median RR of one window by one of neurokit2's detectors; NaN under 3 beats."""
    return median_rate_bpm(neurokit_beats(ecg_T, fs_hz, Judge(method)), fs_hz)


def panel_rate_bpm(ecg_T: np.ndarray, fs_hz: float) -> float:
    """Rate of one window by the panel; NaN where it is not of one mind."""
    return agreed_rate_bpm(np.array([neurokit_rate_bpm(ecg_T, fs_hz, method) for method in PANEL]))


def agreed_rate_bpm(rates_bpm: np.ndarray) -> float:
    """Median of the rates; NaN where fewer than `PANEL_MAJORITY` of them agree with it."""
    if np.isnan(rates_bpm).all():
        return np.nan
    median = float(np.nanmedian(rates_bpm))
    return median if (np.abs(rates_bpm - median) <= WITHIN_BPM).sum() >= PANEL_MAJORITY else np.nan


def recording_rates_bpm(
    ecg_T: np.ndarray, fs_hz: float, start_sample_N: np.ndarray, seconds: float, judge: Judge
) -> np.ndarray:
    """Rates of windows of a recording, the judge having heard all of it: float (N,).

    Parameters
    ----------
    ecg_T : np.ndarray
        The whole recording, as taped.
    fs_hz : float
        Hz.
    start_sample_N : np.ndarray
        First sample of each window.
    seconds : float
        Length of a window.
    judge : Judge
    """
    beats = neurokit_beats(ecg_T, fs_hz, judge)
    length = round(seconds * fs_hz)
    within = [beats[(beats >= start) & (beats < start + length)] for start in start_sample_N.tolist()]
    return np.array([median_rate_bpm(found, fs_hz) for found in within])


def read_recording(folder: Path, record: str, lead: str) -> tuple[np.ndarray, float]:
    """One lead of a whole WFDB record as taped, its gaps closed by straight lines.

    Parameters
    ----------
    folder : Path
        Of the records.
    record, lead : str
        As the dataset names them.

    Returns
    -------
    (np.ndarray, float)
        float64 (T,) in the record's units, and Hz.

    Raises
    ------
    InputError
        If the record cannot be read, or holds no such lead.
    """
    import wfdb

    path = folder / record
    try:
        header = wfdb.rdheader(str(path), rd_segments=True)
        names = [name for name in header.sig_name or header.get_sig_name() if _same_lead(name, lead)]
        taped = wfdb.rdrecord(str(path), channel_names=names[:1]) if names else None
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise InputError(f"{path}: not a readable WFDB record ({error})") from error
    if taped is None or taped.p_signal is None:
        raise InputError(f"{path}: has no lead {lead}")
    ecg_T = taped.p_signal[:, 0].astype(np.float64)
    finite_T = np.isfinite(ecg_T)
    if not finite_T.any():
        raise InputError(f"{path}: lead {lead} holds no samples")
    return np.interp(np.arange(len(ecg_T)), np.flatnonzero(finite_T), ecg_T[finite_T]), float(taped.fs)


def _same_lead(name: str, lead: str) -> bool:
    return name.strip(" ,").upper() == lead.strip(" ,").upper()
