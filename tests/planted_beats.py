"""Short ECG and PPG of planted beats, and how well a detector finds them."""

import numpy as np

FS_HZ = 125.0
SECONDS = 10.0
TOLERANCE_S = 0.15
"""As in AAMI EC57: a beat within 150 ms of a planted one is that beat; so near to the window's ends none counts."""


def sinus_times(rate_bpm: float, rng: np.random.Generator) -> np.ndarray:
    """Beats from before the window to after it, s."""
    rr_s = 60 / rate_bpm * (1 + 0.02 * rng.standard_normal(80))
    return np.cumsum(rr_s) - 1.5 + rng.uniform(0, 60 / rate_bpm)


def af_times(rate_bpm: float, rng: np.random.Generator) -> np.ndarray:
    """Beats of irregular RR intervals, none under 0.3 s."""
    rr_s = np.maximum(60 / rate_bpm * (1 + 0.22 * rng.standard_normal(80)), 0.3)
    return np.cumsum(rr_s) - 1.5 + rng.uniform(0, 0.5)


def ecg_of(
    times_s: np.ndarray, t_wave: float = 0.25, p_wave: float = 0.1, ectopic: np.ndarray | None = None
) -> np.ndarray:
    """(T,) mV: narrow beats with P, QRS and T; the ectopic ones wide, twice as tall, without P, T turned over."""
    t = np.arange(round(SECONDS * FS_HZ)) / FS_HZ
    ectopic = np.zeros(len(times_s), dtype=bool) if ectopic is None else ectopic
    x = np.zeros_like(t)
    for time_s, wide in zip(times_s, ectopic, strict=True):
        waves = (
            [(2.0, 0.0, 0.040), (-0.9, 0.09, 0.035), (-0.5, 0.32, 0.06)]
            if wide
            else [
                (p_wave, -0.16, 0.025),
                (-0.12, -0.028, 0.009),
                (1, 0, 0.011),
                (-0.2, 0.03, 0.011),
                (t_wave, 0.25, 0.045),
            ]
        )
        for height_mv, lag_s, width_s in waves:
            x += height_mv * np.exp(-0.5 * ((t - time_s - lag_s) / width_s) ** 2)
    return x


def ppg_of(times_s: np.ndarray) -> np.ndarray:
    """(T,) pulses 0.25 s after the beats, each with a dicrotic wave."""
    t = np.arange(round(SECONDS * FS_HZ)) / FS_HZ
    x = np.zeros_like(t)
    for time_s in times_s:
        for height, lag_s, width_s in ((1.0, 0.25, 0.09), (0.35, 0.52, 0.10)):
            x += height * np.exp(-0.5 * ((t - time_s - lag_s) / width_s) ** 2)
    return x


def with_noise(x: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """The signal and white noise of so much less power."""
    return x + rng.standard_normal(x.shape) * x.std() * 10 ** (-snr_db / 20)


def count_beats(found_s: np.ndarray, planted_s: np.ndarray) -> np.ndarray:
    """True positives, false positives, false negatives of one window, each planted beat found once at most."""
    start, stop = TOLERANCE_S, SECONDS - TOLERANCE_S
    free = np.sort(found_s).tolist()
    matched = set()
    missed = 0
    for time_s in planted_s[(planted_s >= 0) & (planted_s <= SECONDS)]:
        near = [f for f in free if abs(f - time_s) <= TOLERANCE_S and f not in matched]
        if near:
            matched.add(min(near, key=lambda f: abs(f - time_s)))
        elif start <= time_s <= stop:
            missed += 1
    false = sum(start <= f <= stop for f in free if f not in matched)
    return np.array([len(matched), false, missed])


def f1(counts: np.ndarray) -> float:
    """F1 of summed counts."""
    true, false, missed = counts
    return 2 * true / (2 * true + false + missed)
