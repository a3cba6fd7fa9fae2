"""Measures of a window's beats for a network to predict: how they follow one another, and what they look like.

No label is used. Two windows of equal rate and equal variation may differ in what a rhythm is told by: whether the
intervals come in any order, and whether a P wave stands before the beats.

Shapes: N windows, T samples, K beats, I intervals, L samples of a beat, S measures.

References
----------
.. [1] Lake, Moorman (2011). Accurate estimation of entropy in very short physiological time series. Am J Physiol Heart
   Circ Physiol 300:H319-H325.
"""

import torch
from torch import Tensor

from ecgppg.models.beat_finder import BEFORE_S, FoundBeats, cut_beats, find_beats

LEAST_INTERVALS = 4
LEAST_BEATS = 3
ALIKE = 0.06
"""Intervals that differ by less, as a share of their mean, are alike."""
P_WAVE_S, QRS_S, T_WAVE_S = (-0.24, -0.08), (-0.06, 0.06), (0.10, 0.45)
RHYTHM = {
    "log_rmssd": (-2.0, 1.1),
    "log_median_change": (-2.7, 1.1),
    "log_median_deviation": (-3.0, 0.9),
    "changes_over_50_ms": (0.43, 0.35),
    "changes_over_10_percent": (0.37, 0.34),
    "log_longest": (0.24, 0.25),
    "log_shortest": (-0.25, 0.28),
    "turning_points": (0.5, 0.22),
    "autocorrelation": (0.0, 0.37),
    "log_order": (0.7, 0.65),
}
SHAPE = {
    "log_unlikeness": (-2.3, 0.85),
    "log_p_wave": (-2.3, 0.6),
    "p_wave_likeness": (0.55, 0.3),
    "log_t_wave": (-1.15, 0.5),
    "log_qrs_variation": (-2.1, 0.65),
    "log_rest": (-2.4, 0.75),
}
"""Typical centre and spread of each measure, by which targets are standardised. Constants, so that losses of runs on
different data can be compared."""


@torch.no_grad()
def beat_measures(z_NT: Tensor, is_ecg_N: Tensor, fs_hz: float) -> tuple[Tensor, Tensor]:
    """Measures of `RHYTHM` and `SHAPE`, in this order, standardised.

    Parameters
    ----------
    z_NT : Tensor, float32
        Normalised windows, one channel of each.
    is_ecg_N : Tensor, bool
        Whether that is an ECG; the shape of other beats is not known.
    fs_hz : float

    Returns
    -------
    target_NS : Tensor, float32
        0 where not known.
    known_NS : Tensor, bool
    """
    beats = find_beats(z_NT, fs_hz)
    rhythm_NS, even_N = _rhythm(beats, fs_hz)
    shape_NS, enough_N = _shape(*cut_beats(z_NT, beats, fs_hz), fs_hz)
    value_NS = torch.cat([rhythm_NS, shape_NS], dim=1)
    known_shape_N = enough_N & is_ecg_N
    known_NS = torch.cat(
        [
            known_N[:, None].expand_as(value_NS)
            for known_N, value_NS in ((even_N, rhythm_NS), (known_shape_N, shape_NS))
        ],
        dim=1,
    )
    centre_S, spread_S = value_NS.new_tensor([*RHYTHM.values(), *SHAPE.values()]).T
    return torch.where(known_NS, (value_NS - centre_S) / spread_S, 0.0), known_NS


def _rhythm(beats: FoundBeats, fs_hz: float) -> tuple[Tensor, Tensor]:
    """Measures of the intervals (N, S), and whether there are enough of them."""
    known_NI = beats.unbroken_NI
    rr_NI = (beats.at_NK[:, 1:] - beats.at_NK[:, :-1]) / fs_hz * known_NI
    n_N1 = known_NI.sum(1, keepdim=True)
    mean_N1 = (rr_NI.sum(1, keepdim=True) / n_N1.clamp(min=1)).clamp(min=1e-3)
    share_NI = rr_NI / _median(rr_NI, known_NI).clamp(min=1e-3)
    follows_NI = known_NI[:, 1:] & known_NI[:, :-1]
    change_NI = rr_NI.diff(dim=1) / mean_N1
    turns_NI = follows_NI[:, 1:] & follows_NI[:, :-1]
    centred_NI = (rr_NI - mean_N1) * known_NI
    lagged_N = (centred_NI[:, 1:] * centred_NI[:, :-1]).sum(1)
    measures = [
        (_mean(change_NI.square(), follows_NI).sqrt() + 0.01).log(),
        (_median(change_NI.abs(), follows_NI)[:, 0] + 0.01).log(),
        (_median((share_NI - 1).abs(), known_NI)[:, 0] + 0.01).log(),
        _mean((change_NI.abs() * mean_N1 > 0.05).float(), follows_NI),
        _mean((change_NI.abs() > 0.1).float(), follows_NI),
        share_NI.where(known_NI, 1.0).amax(1).log(),
        share_NI.where(known_NI, 1.0).amin(1).log(),
        _mean((change_NI[:, 1:] * change_NI[:, :-1] < 0).float(), turns_NI),
        lagged_N / (centred_NI.square().sum(1) + 1e-6),
        _order(rr_NI / mean_N1, known_NI),
    ]
    return torch.stack(measures, dim=1), (n_N1[:, 0] >= LEAST_INTERVALS) & (follows_NI.sum(1) >= LEAST_INTERVALS - 1)


def _order(rr_NI: Tensor, known_NI: Tensor) -> Tensor:
    """How rarely intervals that follow two alike ones are alike, in logs: sample entropy [1]_ with m = 1."""
    pair_NII = (known_NI[:, :, None] & known_NI[:, None, :]).triu(1)
    alike_NII = ((rr_NI[:, :, None] - rr_NI[:, None, :]).abs() < ALIKE) & pair_NII
    first_NII = alike_NII[:, :-1, :-1] & pair_NII[:, 1:, 1:]
    return ((first_NII.sum((1, 2)) + 1) / ((first_NII & alike_NII[:, 1:, 1:]).sum((1, 2)) + 1)).log()


def _shape(beat_NKL: Tensor, whole_NK: Tensor, fs_hz: float) -> tuple[Tensor, Tensor]:
    """Measures of the beats (N, S), and whether there are enough of them."""
    n_N, L = whole_NK.sum(1), beat_NKL.shape[2]
    share_N1K = (whole_NK / n_N.clamp(min=1)[:, None])[:, None]
    mean_N1L = share_N1K @ beat_NKL
    p_wave, qrs, t_wave = (
        slice(*(round((BEFORE_S + edge) * fs_hz) for edge in edges)) for edges in (P_WAVE_S, QRS_S, T_WAVE_S)
    )
    size_N = _height(mean_N1L[:, 0, qrs]).clamp(min=1e-3)
    height_NK = _height(beat_NKL[..., qrs]) / size_N[:, None]
    # Beats and their mean have no mean of their own.
    likeness_NK, rest_NK = _likeness(beat_NKL, mean_N1L)
    before_NKP, before_N1P = beat_NKL[..., p_wave], mean_N1L[..., p_wave]
    before_NKP, before_N1P = (
        before_NKP - before_NKP.mean(2, keepdim=True),
        before_N1P - before_N1P.mean(2, keepdim=True),
    )
    measures = [
        (1 - _mean(likeness_NK, whole_NK) + 0.02).log(),
        (_height(mean_N1L[:, 0, p_wave]) / size_N + 0.02).log(),
        _mean(_likeness(before_NKP, before_N1P)[0], whole_NK),
        (_height(mean_N1L[:, 0, t_wave]) / size_N + 0.02).log(),
        (_mean((height_NK - _mean(height_NK, whole_NK)[:, None]).square(), whole_NK).sqrt() + 0.02).log(),
        ((_mean(rest_NK, whole_NK) / L).clamp(min=0).sqrt() / size_N + 0.01).log(),
    ]
    return torch.stack(measures, dim=1), n_N >= LEAST_BEATS


def _height(values: Tensor) -> Tensor:
    """From the lowest to the highest, along the last axis."""
    return values.amax(-1) - values.amin(-1)


def _likeness(beat_NKL: Tensor, mean_N1L: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation of each beat with another, both of mean 0 (0 where one is constant); their squared distance."""
    square_NK, square_N1 = beat_NKL.square().sum(2), mean_N1L.square().sum(2)
    product_NK = (beat_NKL @ mean_N1L.transpose(1, 2)).squeeze(2)
    correlation_NK = product_NK / (square_NK * square_N1).sqrt().clamp(min=1e-9)
    return correlation_NK, square_NK - 2 * product_NK + square_N1


def _mean(values_NI: Tensor, known_NI: Tensor) -> Tensor:
    """Mean of the known values of each row, 0 where there are none."""
    return (values_NI * known_NI).sum(1) / known_NI.sum(1).clamp(min=1)


def _median(values_NI: Tensor, known_NI: Tensor) -> Tensor:
    """Lower median of the known values of each row, (N, 1); 0 where there are none."""
    # Not torch's median, which has no deterministic kernel on a GPU.
    sorted_NI = values_NI.where(known_NI, torch.inf).sort(dim=1).values
    middle_N1 = ((known_NI.sum(1, keepdim=True) - 1) // 2).clamp(min=0)
    return sorted_NI.gather(1, middle_N1).nan_to_num(posinf=0.0)
