"""When the heart beats: RR series and beat types of each planted rhythm.

Sinus rhythm carries respiratory arrhythmia and 1/f variability; atrial fibrillation draws its intervals from a
lognormal; a ventricular ectopic comes early and leaves a compensatory pause, an atrial one resets the sinus node.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgppg.synthetic.waves import Floats, pink_noise

BEAT_TYPES = ("normal", "af", "pac", "pvc")
NORMAL, AF, PAC, PVC = range(4)
RHYTHMS = ("sinus", "af", "ectopy", "tachycardia", "pauses")
RATE_BPM = {
    "sinus": (58.0, 98.0),
    "af": (70.0, 140.0),
    "ectopy": (58.0, 95.0),
    "tachycardia": (105.0, 150.0),
    "pauses": (45.0, 58.0),
    "neonate": (125.0, 150.0),
}
SHORTEST_RR_S = 0.3
"""Refractory period: no two beats lie closer."""


@dataclass(frozen=True)
class Episode:
    """A stretch of one rhythm."""

    rhythm: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class BeatSeries:
    """Beats of one record.

    Parameters
    ----------
    times_s : array (B,)
        R peaks, s from the record's start, ascending.
    types : array (B,) uint8
        Index into `BEAT_TYPES`.
    episodes : tuple of Episode
        Cover the record without overlap.
    """

    times_s: Floats
    types: NDArray[np.uint8]
    episodes: tuple[Episode, ...]


def sinus_rr(n: int, mean_s: float, respiration_hz: float, rng: np.random.Generator) -> Floats:
    """RR intervals of sinus rhythm, s, shape (n,): respiratory arrhythmia of 1-4 % and 1/f variability of 1-3 %."""
    depth, spread, phase = rng.uniform(0.01, 0.04), rng.uniform(0.01, 0.03), rng.uniform(0, 2 * np.pi)
    slow = 1 + np.clip(spread * pink_noise(n, rng), -0.12, 0.12)
    time_s = np.cumsum(mean_s * slow)
    return mean_s * slow * (1 + depth * np.sin(2 * np.pi * respiration_hz * time_s + phase))


def af_rr(n: int, mean_s: float, cv: float, rng: np.random.Generator) -> Floats:
    """RR intervals of atrial fibrillation, s, shape (n,): independent, lognormal, never under the refractory period."""
    sigma = np.sqrt(np.log1p(cv**2))
    drift = 1 + 0.05 * np.clip(pink_noise(n, rng), -2, 2)
    return np.maximum(mean_s * drift * rng.lognormal(-(sigma**2) / 2, sigma, n), SHORTEST_RR_S)


def add_ectopy(
    rr_s: Floats, pvc_share: float, pac_share: float, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.uint8]]:
    """Turn some beats of a regular series into ectopic ones.

    Parameters
    ----------
    rr_s : array (n,)
        Interval before each beat.
    pvc_share, pac_share : float
        Chance of each kind at a beat that does not follow an ectopic one.
    rng : numpy Generator

    Returns
    -------
    rr_s : array (n,)
        A ventricular beat at c of its interval is followed by 2 - c of the next (fully compensatory pause), an
        atrial one by about one interval.
    types : array (n,) uint8
    """
    rr_s, n = rr_s.copy(), len(rr_s)
    types = np.full(n, NORMAL, np.uint8)
    draw, early = rng.random(n), rng.uniform(0.55, 0.78, n)
    candidates = np.flatnonzero(draw < pvc_share + pac_share)
    last = -2
    for i in candidates[(candidates > 0) & (candidates < n - 1)]:
        if i - last < 2:
            continue
        last = i
        is_pvc = draw[i] < pvc_share
        types[i] = PVC if is_pvc else PAC
        share = early[i] if is_pvc else early[i] + 0.08
        basic_s = rr_s[i]
        rr_s[i] = max(share * basic_s, SHORTEST_RR_S)
        rr_s[i + 1] = 2 * basic_s - rr_s[i] if is_pvc else 1.05 * basic_s
    return rr_s, types


def add_pauses(rr_s: Floats, every_s: float, rng: np.random.Generator) -> Floats:
    """Lengthen some intervals to sinus pauses of 2 to 4 s, on average one in `every_s` seconds."""
    pause = rng.random(len(rr_s)) < rr_s / every_s
    return np.where(pause, rng.uniform(2.0, 4.0, len(rr_s)), rr_s)


def make_beats(
    kind: str, duration_s: float, rate_bpm: float, respiration_hz: float, rng: np.random.Generator, paroxysmal: bool
) -> BeatSeries:
    """Beats of one record of a patient with the given rhythm.

    Parameters
    ----------
    kind : str
        One of `RHYTHMS`.
    duration_s : float
        Length of the record.
    rate_bpm : float
        Mean heart rate; in paroxysmal fibrillation the sinus stretches run at 0.75 of it.
    respiration_hz : float
        Of the respiratory arrhythmia.
    rng : numpy Generator
    paroxysmal : bool
        Fibrillation comes and goes in episodes instead of filling the record.

    Returns
    -------
    BeatSeries
    """
    pvc_share, pac_share = _ectopic_shares(kind, rng)
    episodes: list[Episode] = []
    times: list[Floats] = []
    types: list[NDArray[np.uint8]] = []
    cv = rng.uniform(0.18, 0.28)
    for episode in _episodes(kind, duration_s, rng, paroxysmal):
        span_s = episode.end_s - episode.start_s
        paroxysm_free = paroxysmal and episode.rhythm == "sinus"
        mean_s = 60 / (rate_bpm * 0.75 if paroxysm_free else rate_bpm)
        n = int(span_s / mean_s * 1.6) + 20
        if episode.rhythm == "af":
            rr_s = af_rr(n, mean_s, cv, rng)
            kinds = np.where(rng.random(n) < 0.005, PVC, AF).astype(np.uint8)
        else:
            rr_s, kinds = add_ectopy(sinus_rr(n, mean_s, respiration_hz, rng), pvc_share, pac_share, rng)
            if episode.rhythm == "pauses":
                rr_s = add_pauses(rr_s, 40.0, rng)
        # The first interval runs from the last beat of the episode before, so no beat comes too early.
        origin_s = times[-1][-1] if times and len(times[-1]) else episode.start_s - mean_s * rng.random()
        time_s = origin_s + np.cumsum(rr_s)
        kept = (time_s >= episode.start_s) & (time_s < episode.end_s)
        episodes.append(episode)
        times.append(time_s[kept])
        types.append(kinds[kept])
    return BeatSeries(np.concatenate(times), np.concatenate(types), tuple(episodes))


def _ectopic_shares(kind: str, rng: np.random.Generator) -> tuple[float, float]:
    if kind == "ectopy":
        return rng.uniform(0.06, 0.18), rng.uniform(0.02, 0.10)
    return 0.002, 0.003


def _episodes(kind: str, duration_s: float, rng: np.random.Generator, paroxysmal: bool) -> list[Episode]:
    if not paroxysmal:
        return [Episode(kind, 0.0, duration_s)]
    out, start_s, rhythm = [], 0.0, str(rng.choice(["af", "sinus"]))
    while start_s < duration_s:
        end_s = min(duration_s, start_s + max(20.0, rng.exponential(duration_s / 4)))
        out.append(Episode(rhythm, start_s, end_s))
        start_s, rhythm = end_s, "sinus" if rhythm == "af" else "af"
    return out
