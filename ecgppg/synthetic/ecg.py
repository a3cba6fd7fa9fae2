"""ECG of given beats: sums of bell-shaped waves, after the model of McSharry et al. 2003 (10.1109/TBME.2003.808805).

Pure functions: the same beats, types and morphology give the same millivolts, so tests of a beat detector can make
their own ideal recordings.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgppg.synthetic.rhythm import AF, NORMAL, PAC, PVC
from ecgppg.synthetic.waves import Floats, Wave, add_waves, band_noise


@dataclass(frozen=True)
class Morphology:
    """Shape of one patient's beats in one lead, mV, at an RR interval of 1 s.

    Parameters
    ----------
    p, t : Wave
        Atrial wave and repolarisation; both move towards the QRS as the rate rises.
    qrs : tuple of Wave
        Conducted ventricular complex; the R peak is the beat's time.
    pvc : tuple of Wave
        The whole ventricular ectopic beat: wide complex, then a T wave of opposite sign.
    f_wave_mv, f_wave_hz : float
        Amplitude and frequency of the fibrillatory waves.
    jitter : float
        Beat-to-beat spread of amplitudes, as a share.
    """

    p: Wave
    t: Wave
    qrs: tuple[Wave, ...]
    pvc: tuple[Wave, ...]
    f_wave_mv: float = 0.07
    f_wave_hz: float = 6.0
    jitter: float = 0.02


TEXTBOOK_II = Morphology(
    p=Wave(0.12, -0.16, 0.022, 0.024),
    t=Wave(0.25, 0.30, 0.060, 0.042),
    qrs=(Wave(-0.08, -0.030, 0.009, 0.009), Wave(1.0, 0.0, 0.011, 0.011), Wave(-0.18, 0.032, 0.010, 0.013)),
    pvc=(Wave(1.4, 0.0, 0.030, 0.034), Wave(0.35, 0.065, 0.024, 0.028), Wave(-0.5, 0.34, 0.085, 0.06)),
)
"""Lead II as a textbook draws it."""


def draw_morphology(rng: np.random.Generator, lead: str = "II") -> Morphology:
    """Draw one patient's beat shape in a lead.

    Parameters
    ----------
    rng : numpy Generator
        Of the patient: amplitude, axis, T wave, conduction delay vary.
    lead : str
        "II" (R dominant) or "V" (a right precordial lead: small R, deep S, tall T).
    """
    wide = rng.uniform(1.45, 1.8) if rng.random() < 0.12 else rng.uniform(0.85, 1.15)
    r_mv = float(np.clip(rng.lognormal(np.log(0.85), 0.35), 0.45, 2.0))
    t_share = rng.choice(
        [rng.uniform(0.18, 0.38), rng.uniform(0.04, 0.08), -rng.uniform(0.08, 0.2)], p=[0.75, 0.1, 0.15]
    )
    s_share = rng.uniform(0.05, 0.45)
    if lead == "V":
        r_mv, s_share, t_share = r_mv * rng.uniform(0.35, 0.7), rng.uniform(1.5, 2.6), rng.uniform(0.4, 0.9)
    sign = 1.0 if rng.random() < 0.7 else -1.0
    tall_mv = sign * (r_mv * (1 + (s_share if lead == "V" else 0))) * rng.uniform(1.05, 1.7)
    spread = rng.uniform(0.025, 0.035)
    return Morphology(
        p=Wave(rng.uniform(0.06, 0.16), rng.uniform(-0.19, -0.14), 0.022, 0.024),
        t=Wave(t_share * r_mv, rng.uniform(0.28, 0.33), rng.uniform(0.05, 0.07), rng.uniform(0.036, 0.05)),
        qrs=(
            Wave(-rng.uniform(0.0, 0.12) * r_mv, -0.028 * wide, 0.009, 0.009 * wide),
            Wave(r_mv, 0.0, 0.011 * wide, 0.011 * wide),
            Wave(-s_share * r_mv, 0.033 * wide, 0.010 * wide, 0.013 * wide),
        ),
        pvc=(
            Wave(tall_mv, 0.0, spread, spread * 1.15),
            Wave(0.25 * tall_mv, 0.065, 0.024, 0.028),
            Wave(-rng.uniform(0.3, 0.45) * tall_mv, rng.uniform(0.32, 0.36), 0.085, 0.06),
        ),
        f_wave_mv=rng.uniform(0.03, 0.11),
        f_wave_hz=rng.uniform(4.5, 8.5),
        jitter=rng.uniform(0.01, 0.04),
    )


def render(
    beats_s: Floats,
    types: NDArray[np.integer],
    fs_hz: float,
    morphology: Morphology,
    n_samples: int | None = None,
    seed: int = 0,
) -> Floats:
    """Noise-free ECG of given beats.

    Parameters
    ----------
    beats_s : array (B,)
        R peaks, s from the first sample, ascending.
    types : array (B,)
        Index into `rhythm.BEAT_TYPES`.
    fs_hz : float
        Sampling rate.
    morphology : Morphology
        Shape of the beats.
    n_samples : int, optional
        Length; one second past the last beat if not given.
    seed : int
        Of the beat-to-beat jitter and the fibrillatory waves.

    Returns
    -------
    array (T,)
        mV, float64.
    """
    beats_s, types = np.asarray(beats_s, np.float64), np.asarray(types)
    if n_samples is None:
        n_samples = int(np.ceil((beats_s[-1] + 1) * fs_hz)) if len(beats_s) else 0
    rng = np.random.default_rng([seed, len(beats_s)])
    mv_T = np.zeros(n_samples)
    if not len(beats_s):
        return mv_T
    rr_s = np.clip(preceding_rr(beats_s), 0.3, 1.6)
    jitter_B = 1 + morphology.jitter * rng.standard_normal(len(beats_s))

    conducted = types != PVC
    for wave in morphology.qrs:
        _add(mv_T, beats_s[conducted], wave, jitter_B[conducted], fs_hz)
    # QT shortens about as the square root of RR (Bazett); its own width shortens less.
    _add(mv_T, beats_s[conducted], morphology.t, jitter_B[conducted], fs_hz, np.sqrt(rr_s[conducted]))
    for kind, height, reach in ((NORMAL, 1.0, 1.0), (PAC, 0.6, 0.8)):
        with_p = types == kind
        _add(mv_T, beats_s[with_p], morphology.p, height * jitter_B[with_p], fs_hz, reach * rr_s[with_p] ** 0.3)
    for wave in morphology.pvc:
        _add(mv_T, beats_s[~conducted], wave, jitter_B[~conducted], fs_hz)
    if (types == AF).any():
        mv_T += fibrillatory_waves(n_samples, fs_hz, morphology, rng) * _af_gate(beats_s, types, n_samples, fs_hz)
    return mv_T


def fibrillatory_waves(n: int, fs_hz: float, morphology: Morphology, rng: np.random.Generator) -> Floats:
    """Atrial activity in fibrillation, mV, shape (n,): a wandering tone with its overtone, waxing and waning."""
    hz_T = morphology.f_wave_hz * (1 + 0.12 * band_noise(n, 0, 1.0, fs_hz, rng))
    phase_T = 2 * np.pi * np.cumsum(hz_T) / fs_hz
    swell_T = 1 + 0.35 * np.clip(band_noise(n, 0, 0.6, fs_hz, rng), -2, 2)
    return morphology.f_wave_mv * swell_T * (np.sin(phase_T) + 0.4 * np.sin(2 * phase_T + 0.9))


def preceding_rr(beats_s: Floats) -> Floats:
    """Interval before each beat, s, shape (B,); the first takes the median of the others, or 1 s."""
    rr_s = np.diff(beats_s)
    return np.concatenate([[np.median(rr_s) if len(rr_s) else 1.0], rr_s])


def _add(
    mv_T: Floats, beats_s: Floats, wave: Wave, height_B: Floats, fs_hz: float, move_B: Floats | float = 1.0
) -> None:
    width_B = np.broadcast_to(np.sqrt(move_B), beats_s.shape)
    times_s = beats_s + wave.center_s * move_B
    add_waves(mv_T, times_s, wave.amplitude * height_B, wave.left_s * width_B, wave.right_s * width_B, fs_hz)


def _af_gate(beats_s: Floats, types: NDArray[np.integer], n: int, fs_hz: float) -> Floats:
    """1 where fibrillation holds, 0 elsewhere, sloping from beat to beat. An ectopic inside a run does not end it."""
    supraventricular = types != PVC
    return np.interp(np.arange(n) / fs_hz, beats_s[supraventricular], (types[supraventricular] == AF).astype(float))
