"""The same noise planted in clean recordings of two rhythms: are they kept alike?"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ecgppg.config.errors import DamagedRecord, InputError
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import hash63
from ecgppg.evaluation.intervals import Interval, share_with_interval
from ecgppg.evaluation.neurokit_rates import read_recording
from ecgppg.evaluation.retention import judge_records, percent_range
from ecgppg.evaluation.retention_noise import KINDS, CleanWindows, Measure, clean_windows, make_noise, noise_envelope
from ecgppg.sources.find import Patient
from ecgppg.waveform.record import open_record

MIN_FS_HZ = 100.0
FULL_SCALE = 32767


@dataclass(frozen=True)
class CleanRecording:
    """A recording with clean windows, as taped."""

    subject_id: int
    record: str
    group: str
    ecg_T: np.ndarray
    fs_hz: float
    gain: float
    units: str
    lead: str
    clean: CleanWindows


@dataclass(frozen=True)
class Comparison:
    """Two groups at one kind and strength of noise ("" and NaN: all of them together).

    Attributes
    ----------
    kind, snr_db : str, float
    kept : tuple of Interval
        Share kept in each group.
    difference : Interval
        First less second, with the interval of two independent shares put together (Newcombe 1998, method 10).
    """

    kind: str
    snr_db: float
    kept: tuple[Interval, Interval]
    difference: Interval


def find_clean(
    root: Path, patients: Sequence[Patient], by: str, groups: tuple[str, str], settings: Settings
) -> list[CleanRecording]:
    """Recordings of two groups that hold clean windows.

    Raises
    ------
    InputError
        If a group has fewer than two of them.
    """
    found = []
    for patient in patients:
        for name in patient.records:
            group = patient.labels.get(name, {}).get(by, "")
            recording = _clean_recording(root, patient.subject_id, name, group, settings) if group in groups else None
            if recording is not None:
                found.append(recording)
    for group in groups:
        if sum(recording.group == group for recording in found) < 2:
            raise InputError(f"{root}: fewer than two recordings with {by} {group} hold a clean window")
    return found


def at_height(recording: CleanRecording, height: float) -> CleanRecording:
    """The recording made larger or smaller, so that its clean windows are typically so high, top to bottom.

    The checks let pass a noise of fixed size as the recorder's own, so a small ECG is kept more readily at the same
    ratio. Of equal height, recordings differ by their rhythm and not by where the electrode lay.

    Parameters
    ----------
    recording : CleanRecording
    height : float
        In the recording's unit.
    """
    clean = recording.clean
    factor = height / float(np.sqrt(8) * np.median(clean.strength["height"][clean.clean_N]))
    strength = {measure: factor * strength_N for measure, strength_N in clean.strength.items()}
    return replace(recording, ecg_T=factor * recording.ecg_T, clean=replace(clean, strength=strength))


def plant_and_judge(
    recordings: Sequence[CleanRecording],
    settings: Settings,
    snrs_db: Sequence[float],
    measure: Measure,
    kinds: Sequence[str] = tuple(KINDS),
    draws: int = 1,
) -> pd.DataFrame:
    """Write every recording with noise, and judge its clean windows as the build would.

    Parameters
    ----------
    recordings : sequence of CleanRecording
    settings : Settings
        ECG only.
    snrs_db : sequence of float
        Strengths, dB; infinity: no noise.
    measure : "height" or "power"
        What of the signal the noise is measured against.
    kinds : sequence of str
        Of `retention_noise.KINDS`.
    draws : int
        Times each is repeated with other noise.

    Returns
    -------
    pd.DataFrame
        A row a window, kind, strength and draw.
    """
    owners = [(recording.subject_id, recording.record) for recording in recordings]
    clean = {recording.record: recording.clean.clean_N for recording in recordings}
    group = {recording.record: recording.group for recording in recordings}
    tables = []
    for kind in kinds:
        for snr in snrs_db:
            for draw in range(draws):
                with tempfile.TemporaryDirectory() as folder:
                    for recording in recordings:
                        codes_T = noisy_codes(recording, kind, snr, measure, draw, settings.segment_seconds)
                        _write_record(Path(folder), recording, codes_T)
                    judged = judge_records(Path(folder), owners, settings)
                window_N = np.rint(judged["start_s"] / settings.segment_seconds).astype(int)
                keep = [clean[r][k] for r, k in zip(judged["record"], window_N, strict=True)]
                group_N = judged["record"].map(group)
                tables.append(judged.assign(group=group_N, kind=kind, snr_db=snr, draw=draw)[keep])
    return pd.concat(tables, ignore_index=True)


def noisy_codes(
    recording: CleanRecording, kind: str, snr_db: float, measure: Measure, draw: int, segment_seconds: float
) -> np.ndarray:
    """The whole recording with noise, in codes of its own recorder's size with room for all of them: int16 (T,)."""
    rng = np.random.default_rng(hash63("planted noise", recording.record, kind, draw))
    n, length = len(recording.ecg_T), round(segment_seconds * recording.fs_hz)
    rms_T = noise_envelope(recording.clean.strength[measure], n, length, snr_db)
    noisy_T = recording.ecg_T + rms_T * make_noise(kind, n, recording.fs_hz, rng)
    return np.clip(np.rint(noisy_T * recording.gain), -FULL_SCALE, FULL_SCALE).astype("<i2")


def compare(planted: pd.DataFrame, groups: tuple[str, str]) -> list[Comparison]:
    """Kept shares of two groups: for each kind and strength, for each kind, and over all."""
    kinds, snrs_db = (planted[column].unique().tolist() for column in ("kind", "snr_db"))
    of_kind = {kind: planted[planted["kind"] == kind] for kind in kinds}
    found = [
        _comparison(kind, snr, rows[rows["snr_db"] == snr], groups) for kind, rows in of_kind.items() for snr in snrs_db
    ]
    found += [_comparison(kind, np.nan, rows, groups) for kind, rows in of_kind.items()]
    return [*found, _comparison("all", np.nan, planted, groups)]


def markdown(comparisons: Sequence[Comparison], groups: tuple[str, str]) -> str:
    """A table of text."""
    head = [
        "noise",
        "SNR, dB",
        *(f"{group} kept, % (95 % interval)" for group in groups),
        "difference, points (95 % interval)",
    ]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for c in comparisons:
        strength = "all" if np.isnan(c.snr_db) else f"{c.snr_db:g}"
        shares = [f"{100 * share.estimate:.1f} ({percent_range(share)})" for share in c.kept]
        difference = (
            f"{100 * c.difference.estimate:+.1f} ({100 * c.difference.low:+.1f} to {100 * c.difference.high:+.1f})"
        )
        lines.append(" | ".join([c.kind, strength, *shares, difference]))
    return "\n".join(f"| {line} |" for line in lines)


def _comparison(kind: str, snr: float, rows: pd.DataFrame, groups: tuple[str, str]) -> Comparison:
    a, b = (_share(rows[rows["group"] == group]) for group in groups)
    difference = a.estimate - b.estimate
    below = np.hypot(a.estimate - a.low, b.high - b.estimate)
    above = np.hypot(a.high - a.estimate, b.estimate - b.low)
    n_patients = a.n_patients + b.n_patients
    return Comparison(kind, snr, (a, b), Interval(difference, difference - below, difference + above, n_patients))


def _share(rows: pd.DataFrame) -> Interval:
    return share_with_interval(rows["kept"].to_numpy(bool), rows["subject_id"].to_numpy())


def _clean_recording(root: Path, subject_id: int, name: str, group: str, settings: Settings) -> CleanRecording | None:
    """The recording, if it is one unbroken stretch of ECG and any of it is clean."""
    try:
        plan = open_record(root, name, ["ECG"], ["ECG"])
    except DamagedRecord:
        return None
    if len(plan.stretches) != 1 or plan.fs_hz <= MIN_FS_HZ:
        return None
    spec = plan.stretches[0].specs["ECG"]
    ecg_T, fs_hz = read_recording(root, name, spec.name)
    if len(ecg_T) < settings.segment_seconds * fs_hz:
        return None
    clean = clean_windows(ecg_T, fs_hz, settings.segment_seconds)
    if not clean.clean_N.any():
        return None
    units = spec.units if spec.calibrated else "NU"
    return CleanRecording(subject_id, name, group, ecg_T, fs_hz, spec.gain, units, spec.name, clean)


def _write_record(folder: Path, recording: CleanRecording, codes_T: np.ndarray) -> None:
    path = folder / recording.record
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f"{path.name}.dat").write_bytes(codes_T.tobytes())
    signal = f"{path.name}.dat 16 {recording.gain:g}(0)/{recording.units} 16 0 {codes_T[0]} 0 0 {recording.lead}"
    path.with_name(f"{path.name}.hea").write_text(f"{path.name} 1 {recording.fs_hz:g} {len(codes_T)}\n{signal}\n")
