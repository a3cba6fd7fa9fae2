"""One record of one person: all signals of the same beats, with the truth about them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgppg.synthetic import ecg, ppg
from ecgppg.synthetic.artefacts import ECG_LEADS, Artefact, plan_artefacts, spoil
from ecgppg.synthetic.montage import Piece, draw_channels, plan_pieces
from ecgppg.synthetic.rhythm import BeatSeries, make_beats
from ecgppg.synthetic.waves import Floats, band_noise, slow_drift

FS_HZ = 125.0
LARGEST_SHIFT_S = 0.5
CLEAN_MARGIN_S = 0.5
"""A beat this near to an artefact does not count as clean."""


@dataclass(frozen=True)
class Body:
    """What stays the same in all records of a person: beat shapes, pulse, breathing, pressure."""

    lead_ii: ecg.Morphology
    lead_v: ecg.Morphology
    pulse: ppg.PulseShape
    respiration_hz: float
    systolic_mmhg: float
    diastolic_mmhg: float
    noise_mv: float


@dataclass(frozen=True)
class Recording:
    """A simulated record before it is digitised.

    Parameters
    ----------
    signals : dict
        {channel: (T,) physical}, NaN where samples are missing.
    beats : BeatSeries
    ppg_peaks : array (B,) int64
        Sample of each beat's pulse maximum; may lie past the end.
    ppg_heights : array (B,)
        Height of each pulse, 1 at the usual interval.
    shift_s : tuple of float
        PPG against ECG beyond the pulse arrival, at the record's start and end.
    artefacts : list of Artefact
    pieces : list of Piece
    fmt : str
    """

    signals: dict[str, Floats]
    beats: BeatSeries
    ppg_peaks: NDArray[np.int64]
    ppg_heights: Floats
    shift_s: tuple[float, float]
    artefacts: list[Artefact]
    pieces: list[Piece]
    fmt: str

    @property
    def n_samples(self) -> int:
        """Samples of the record, gaps included."""
        return self.pieces[-1].stop


def draw_body(rng: np.random.Generator) -> Body:
    """Draw one person's body."""
    diastolic = rng.uniform(50, 75)
    return Body(
        ecg.draw_morphology(rng, "II"),
        ecg.draw_morphology(rng, "V"),
        ppg.draw_pulse_shape(rng),
        rng.uniform(0.2, 0.35),
        diastolic + rng.uniform(30, 65),
        diastolic,
        rng.uniform(0.006, 0.02),
    )


def simulate_recording(person: dict[str, Any], body: Body, n: int, rng: np.random.Generator) -> Recording:
    """Simulate one record.

    Parameters
    ----------
    person : dict
        A row of `people.simulate_people`: rhythm, paroxysmal, rate_bpm.
    body : Body
    n : int
        Samples at `FS_HZ`.
    rng : numpy Generator
        Of the record.
    """
    duration_s = n / FS_HZ
    rate_bpm = person["rate_bpm"] * rng.uniform(0.96, 1.04)
    beats = make_beats(person["rhythm"], duration_s, rate_bpm, body.respiration_hz, rng, person["paroxysmal"])
    shift_s = _draw_shift(rng)
    channels = draw_channels(rng)
    signals, peaks = _signals(channels, body, beats, shift_s, n, rng)
    fmt = "80" if rng.random() < 0.7 else "16"
    artefacts = plan_artefacts(n, FS_HZ, channels, rng)
    spoil(signals, artefacts, FS_HZ, rng)
    pieces = plan_pieces(n, FS_HZ, channels, fmt, rng)
    heights = ppg.pulse_heights(beats.times_s, beats.types)
    return Recording(signals, beats, peaks, heights, shift_s, artefacts, pieces, fmt)


def beat_truth(recording: Recording) -> dict[str, NDArray[Any]]:
    """What is true of every beat of a record.

    Returns
    -------
    dict
        beat_samples int64, beat_types uint8 (index into `rhythm.BEAT_TYPES`), ppg_peaks int64, ppg_heights float32,
        and bool columns: ecg_recorded, ppg_recorded (a segment holds the sample), ecg_clean, ppg_clean (and no artefact
        is near; ECG means lead II, or V in segments without it).
    """
    n = recording.n_samples
    beat = np.rint(recording.beats.times_s * FS_HZ).astype(np.int64)
    ecg_T, ecg_clean_T = _held(recording, ECG_LEADS)
    ppg_T, ppg_clean_T = _held(recording, ("PLETH",))

    def at(mask_T: NDArray[np.bool_], samples: NDArray[np.int64]) -> NDArray[np.bool_]:
        return mask_T[np.clip(samples, 0, n - 1)] & (samples >= 0) & (samples < n)

    return {
        "beat_samples": beat,
        "beat_types": recording.beats.types,
        "ppg_peaks": recording.ppg_peaks,
        "ppg_heights": recording.ppg_heights.astype(np.float32),
        "ecg_recorded": at(ecg_T, beat),
        "ecg_clean": at(ecg_clean_T, beat),
        "ppg_recorded": at(ppg_T, recording.ppg_peaks),
        "ppg_clean": at(ppg_clean_T, recording.ppg_peaks),
    }


def _held(recording: Recording, names: tuple[str, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the first of the named channels that a segment has is recorded, and where it is clean too."""
    held_T = np.zeros(recording.n_samples, bool)
    clean_T = np.zeros(recording.n_samples, bool)
    margin = int(CLEAN_MARGIN_S * FS_HZ)
    for piece in recording.pieces:
        name = next((c for c in names if c in piece.channels), None)
        if name is None:
            continue
        held_T[piece.start : piece.stop] = clean_T[piece.start : piece.stop] = True
        for artefact in recording.artefacts:
            if name in artefact.channels:
                low, high = max(artefact.start - margin, piece.start), min(artefact.stop + margin, piece.stop)
                clean_T[low : max(low, high)] = False
    return held_T, clean_T


def _draw_shift(rng: np.random.Generator) -> tuple[float, float]:
    """Most records keep ECG and PPG together; three in ten shift them by a constant that drifts."""
    if rng.random() < 0.7:
        return 0.0, 0.0
    start = rng.uniform(-0.2, LARGEST_SHIFT_S)
    end = float(np.clip(start + rng.uniform(-0.15, 0.15), -LARGEST_SHIFT_S, LARGEST_SHIFT_S))
    return float(start), end


def _signals(
    channels: tuple[str, ...],
    body: Body,
    beats: BeatSeries,
    shift_s: tuple[float, float],
    n: int,
    rng: np.random.Generator,
) -> tuple[dict[str, Floats], NDArray[np.int64]]:
    """Clean signals with the background of any recording, and the samples of the PPG peaks."""
    breath_T = _breathing(n, body.respiration_hz, rng)
    shift_B = np.interp(beats.times_s, [0, n / FS_HZ], shift_s)
    pulse_T, peaks = ppg.render(beats.times_s, beats.types, FS_HZ, body.pulse, n, shift_B)
    signals: dict[str, Floats] = {}
    for channel in channels:
        noise_T = rng.standard_normal(n)
        if channel in ECG_LEADS:
            shape = body.lead_ii if channel == "II" else body.lead_v
            mv_T = ecg.render(beats.times_s, beats.types, FS_HZ, shape, n, int(rng.integers(2**31)))
            mains_T = np.sin(2 * np.pi * 60 * np.arange(n) / FS_HZ + rng.uniform(0, 6))
            wander_T = 0.5 * breath_T + slow_drift(n, 4.0, FS_HZ, rng)
            mv_T = mv_T * (1 + 0.04 * breath_T) * (1 + 0.04 * slow_drift(n, 120, FS_HZ, rng))
            signals[channel] = (
                mv_T + rng.uniform(0.01, 0.05) * wander_T + body.noise_mv * (noise_T + rng.uniform(0, 1) * mains_T)
            )
        elif channel == "PLETH":
            perfusion_T = np.clip(1 + 0.15 * slow_drift(n, 60, FS_HZ, rng), 0.5, 1.5)
            swing_T = 0.02 * breath_T + 0.02 * slow_drift(n, 6, FS_HZ, rng)
            signals[channel] = 0.24 + 0.40 * pulse_T * perfusion_T * (1 + 0.08 * breath_T) + swing_T + 0.004 * noise_T
        elif channel == "ABP":
            later_T, _ = ppg.render(beats.times_s, beats.types, FS_HZ, body.pulse, n, -0.08)
            signals[channel] = (
                ppg.pressure_mmhg(later_T, body.systolic_mmhg, body.diastolic_mmhg) + 2 * breath_T + noise_T
            )
        else:
            signals[channel] = 0.5 + 0.25 * breath_T + 0.01 * noise_T
    return signals, peaks


def _breathing(n: int, respiration_hz: float, rng: np.random.Generator) -> Floats:
    """Chest movement about -1 to 1, shape (n,), with a rate that wanders by a few per cent."""
    wobble_T = 1 + 0.06 * np.clip(band_noise(n, 0, 0.05, FS_HZ, rng), -2, 2)
    return np.sin(2 * np.pi * np.cumsum(respiration_hz * wobble_T) / FS_HZ + rng.uniform(0, 2 * np.pi))
