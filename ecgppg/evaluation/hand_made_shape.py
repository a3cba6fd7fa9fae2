"""Hand-made measures of the shape of a window: where its power lies, and what its average beat looks like.

Shapes: N windows, T samples, B beats, L samples of a beat, F frequencies.
"""

import numpy as np

ECG_BANDS_HZ = ((0.5, 4.0), (4.0, 8.0), (8.0, 15.0), (15.0, 40.0))
PPG_BANDS_HZ = ((0.3, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0))
BEFORE_S, AFTER_S = 0.28, 0.44
"""An ECG beat is cut this far around its R peak: from before the P wave to past the T wave."""
P_WAVE_S = (-0.24, -0.08)
ATRIAL_HZ = (4.0, 9.0)
"""Where fibrillating atria oscillate."""
BEAT_MEASURES = (
    "beat_likeness", "p_wave_size", "p_wave_likeness", "t_wave_size", "qrs_size_cv", "residual_power",
    "residual_atrial_power",
)  # fmt: skip


def spectral_measures(
    x_NT: np.ndarray, fs_hz: float, bands_hz: tuple[tuple[float, float], ...]
) -> dict[str, np.ndarray]:
    """Share of the power in each band, the entropy of the spectrum, and its centre.

    Parameters
    ----------
    x_NT : ndarray of float (N, T)
        Filtered windows, all zeros where the channel is absent.
    fs_hz : float
    bands_hz : tuple of (low, high)

    Returns
    -------
    dict
        {name: float64 (N,)}; NaN where there is no signal.
    """
    frequency_F, power_NF = _power(x_NT, fs_hz)
    inside_F = (frequency_F >= bands_hz[0][0]) & (frequency_F < bands_hz[-1][1])
    total_N = power_NF[:, inside_F].sum(axis=1)
    share_NF = np.divide(power_NF, total_N[:, None], out=np.full_like(power_NF, np.nan), where=total_N[:, None] > 0)
    measures = {
        f"power_{low:g}_{high:g}_hz": share_NF[:, (frequency_F >= low) & (frequency_F < high)].sum(axis=1)
        for low, high in bands_hz
    }
    held_NF = share_NF[:, inside_F]
    measures["spectral_entropy"] = -(held_NF * np.log(np.where(held_NF > 0, held_NF, 1.0))).sum(axis=1) / np.log(
        inside_F.sum()
    )
    measures["spectral_centre_hz"] = (held_NF * frequency_F[inside_F]).sum(axis=1)
    return measures


def beat_measures(
    x_NT: np.ndarray, position_NB: np.ndarray, count_N: np.ndarray, fs_hz: float
) -> dict[str, np.ndarray]:
    """The average ECG beat, how alike the beats are, whether a P wave stands before them, and what is left without it.

    Parameters
    ----------
    x_NT : ndarray of float (N, T)
        Filtered ECG windows.
    position_NB, count_N : ndarray of int
        As `waveform.beats.Beats` has them.
    fs_hz : float

    Returns
    -------
    dict
        {name: float64 (N,)}; NaN with fewer than three whole beats in the window.
    """
    before, after = round(BEFORE_S * fs_hz), round(AFTER_S * fs_hz)
    out_NM = np.full((len(x_NT), len(BEAT_MEASURES)), np.nan)
    p_wave = slice(*(before + round(edge * fs_hz) for edge in P_WAVE_S))
    qrs, t_wave = (
        slice(before - round(0.06 * fs_hz), before + round(0.06 * fs_hz)),
        slice(before + round(0.1 * fs_hz), None),
    )
    for row, (x_T, position_B) in enumerate(zip(x_NT, position_NB, strict=True)):
        position_B = position_B[: count_N[row]]
        whole_B = position_B[(position_B >= before) & (position_B + after <= len(x_T))]
        if len(whole_B) < 3:
            continue
        beats_BL = x_T[whole_B[:, None] + np.arange(-before, after)].astype(np.float64)
        mean_L = np.median(beats_BL, axis=0)
        size = np.ptp(mean_L[qrs])
        if not size > 0:
            continue
        heights_B = np.ptp(beats_BL[:, qrs], axis=1)
        rest_T = x_T.astype(np.float64)
        for at, scale in zip(whole_B, _fit(beats_BL, mean_L), strict=True):
            rest_T[at - before : at + after] -= scale * mean_L
        frequency_F, power_F = _power(rest_T[None], fs_hz)
        total = power_F[0, frequency_F >= 0.5].sum()
        atrial_F = (frequency_F >= ATRIAL_HZ[0]) & (frequency_F < ATRIAL_HZ[1])
        out_NM[row] = (
            _likeness(beats_BL, mean_L),
            np.ptp(mean_L[p_wave]) / size,
            _likeness(beats_BL[:, p_wave], mean_L[p_wave]),
            np.ptp(mean_L[t_wave]) / size,
            heights_B.std() / heights_B.mean(),
            rest_T.var() / max(float(x_T.var()), 1e-12),
            power_F[0, atrial_F].sum() / total if total > 0 else np.nan,
        )
    return dict(zip(BEAT_MEASURES, out_NM.T, strict=True))


def _likeness(beats_BL: np.ndarray, mean_L: np.ndarray) -> float:
    """Mean correlation of the beats with their average."""
    beats = beats_BL - beats_BL.mean(axis=1, keepdims=True)
    mean = mean_L - mean_L.mean()
    size = np.sqrt((beats**2).sum(axis=1) * (mean**2).sum())
    return float(np.divide(beats @ mean, size, out=np.zeros(len(beats)), where=size > 0).mean())


def _fit(beats_BL: np.ndarray, mean_L: np.ndarray) -> np.ndarray:
    """How large the average beat is in each beat, by least squares."""
    return beats_BL @ mean_L / max(float(mean_L @ mean_L), 1e-12)


def _power(x_NT: np.ndarray, fs_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and power of Hann-tapered windows."""
    T = x_NT.shape[1]
    centred_NT = (x_NT - x_NT.mean(axis=1, keepdims=True)) * np.hanning(T)
    return np.fft.rfftfreq(T, 1 / fs_hz), np.abs(np.fft.rfft(centred_NT, axis=1)) ** 2
