"""What goes wrong at a bedside: noise bursts, loose electrodes, clipping, missing samples, wander, moving fingers.

Rates are the same for every rhythm, so that what a quality check keeps can be compared between rhythms.
"""

from dataclasses import dataclass

import numpy as np

from ecgppg.synthetic.waves import Floats, band_noise

ECG_LEADS = ("II", "V")
RAIL = 1e3
"""Far beyond every converter's range, in any unit: becomes the code at the limit."""


@dataclass(frozen=True)
class Artefact:
    """One planted artefact.

    Parameters
    ----------
    kind : str
        A key of `PER_MINUTE`.
    channels : tuple of str
        Signals it spoils.
    start, stop : int
        Samples of the record, half open.
    strength : float
        0 to 1, from barely visible to useless.
    """

    kind: str
    channels: tuple[str, ...]
    start: int
    stop: int
    strength: float


PER_MINUTE = {
    "muscle_noise": 0.10,
    "motion": 0.06,
    "electrode_off": 0.05,
    "saturation": 0.03,
    "baseline_wander": 0.12,
    "missing": 0.04,
    "probe_off": 0.05,
    "ppg_motion": 0.18,
    "ppg_clipping": 0.05,
}
"""How often each kind starts, per minute of recording."""


def plan_artefacts(n: int, fs_hz: float, channels: tuple[str, ...], rng: np.random.Generator) -> list[Artefact]:
    """Draw the artefacts of one record, in order of start.

    Parameters
    ----------
    n : int
        Samples of the record.
    fs_hz : float
        Sampling rate.
    channels : tuple of str
        Signals of the record.
    rng : numpy Generator
    """
    leads = tuple(c for c in channels if c in ECG_LEADS)
    planned = []
    for kind, per_minute in PER_MINUTE.items():
        for _ in range(rng.poisson(per_minute * n / fs_hz / 60)):
            start = int(rng.integers(n))
            seconds = float(np.clip(rng.lognormal(np.log(7), 0.8), 0.5, 60))
            one_lead = (leads[int(rng.integers(len(leads)))],)
            spoiled = {
                "muscle_noise": leads,
                "motion": (*leads, "PLETH"),
                "missing": channels if rng.random() < 0.5 else (channels[int(rng.integers(len(channels)))],),
                "probe_off": ("PLETH",),
                "ppg_motion": ("PLETH",),
                "ppg_clipping": ("PLETH",),
            }.get(kind, one_lead)
            stop = min(n, start + max(1, int(seconds * fs_hz)))
            planned.append(Artefact(kind, spoiled, start, stop, float(rng.random())))
    return sorted(planned, key=lambda a: (a.start, a.kind))


def spoil(signals: dict[str, Floats], artefacts: list[Artefact], fs_hz: float, rng: np.random.Generator) -> None:
    """Put artefacts into signals, in place.

    Parameters
    ----------
    signals : dict
        {name: (T,) physical}: ECG in mV, PLETH with a pulse of about 0.4. Missing samples become NaN.
    artefacts : list of Artefact
        Those that remove or replace the signal win over those that add to it.
    fs_hz : float
        Sampling rate.
    rng : numpy Generator
    """
    for artefact in sorted(artefacts, key=lambda a: a.kind in ("electrode_off", "saturation", "probe_off", "missing")):
        for channel in artefact.channels:
            signal_T = signals[channel]
            span = slice(artefact.start, artefact.stop)
            signal_T[span] = _spoiled(artefact, channel, signal_T[span], fs_hz, rng)


def _spoiled(artefact: Artefact, channel: str, x_T: Floats, fs_hz: float, rng: np.random.Generator) -> Floats:
    n, s = len(x_T), artefact.strength
    unit = 0.35 if channel == "PLETH" else 1.0
    match artefact.kind:
        case "muscle_noise":
            swell_T = 0.4 + np.abs(band_noise(n, 0, 1.5, fs_hz, rng)) if n > fs_hz else 1.0
            return x_T + (0.08 + 0.5 * s) * swell_T * band_noise(n, 12, 60, fs_hz, rng)
        case "motion" | "ppg_motion":
            return x_T + _faded((0.2 + 0.9 * s) * unit * band_noise(n, 0.4, 6, fs_hz, rng), fs_hz)
        case "baseline_wander":
            return x_T + _faded((0.15 + 0.6 * s) * band_noise(n, 0.05, 0.6, fs_hz, rng), fs_hz)
        case "ppg_clipping":
            return 0.5 + (x_T - 0.5) * (2 + 3 * s)
        case "electrode_off":
            return np.full(n, 0.0 if s < 0.6 else -RAIL)
        case "saturation":
            return np.where(band_noise(n, 0.05, 1.0, fs_hz, rng) > -0.8, RAIL, -RAIL)
        case "probe_off":
            return np.full(n, 0.5 if s < 0.5 else RAIL)
        case _:
            return np.full(n, np.nan)


def _faded(x_T: Floats, fs_hz: float) -> Floats:
    """Slopes of half a second at both ends, so that the artefact does not start with a step."""
    ramp = max(1, min(len(x_T) // 2, int(0.5 * fs_hz)))
    edge = np.minimum(np.arange(len(x_T)), np.arange(len(x_T))[::-1])
    return x_T * np.minimum(1.0, (edge + 1) / ramp)
