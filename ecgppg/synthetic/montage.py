"""How a record falls into segments: lengths, gaps, and which channels each segment has at what gain."""

from dataclasses import dataclass

import numpy as np

BASE_CHANNELS = ("II", "PLETH")
OPTIONAL_CHANNELS = {"V": 0.6, "ABP": 0.4, "RESP": 0.5}
UNITS = {"II": "mV", "V": "mV", "PLETH": "NU", "ABP": "mmHg", "RESP": "pm"}
CONVERTERS: dict[str, dict[str, tuple[tuple[float, int], ...]]] = {
    "80": {
        "II": ((26, 0), (55, -32), (83, -58), (127, -64)),
        "V": ((26, 0), (55, -16), (83, -32), (127, -32)),
        "PLETH": ((255, -128), (230, -115)),
        "ABP": ((1.28, -109), (1.0, -80)),
        "RESP": ((64, 0), (81, -20)),
    },
    "16": {
        "II": ((255, 0), (511, 0), (1023, -512)),
        "V": ((255, 0), (511, 0)),
        "PLETH": ((1023, -100), (2046, -1000)),
        "ABP": ((6.4, -600), (10, -800)),
        "RESP": ((512, 0), (1023, -100)),
    },
}
"""(gain in ADC units per physical unit, baseline) that each format meets; 127(-64) holds -0.5 to 1.5 mV."""
UNCALIBRATED_SHARE = 0.04


@dataclass(frozen=True)
class Piece:
    """One segment, or a gap (no channels), of `n_samples` from `start` of the record.

    Parameters
    ----------
    start, n_samples : int
        Samples of the record.
    channels : tuple of str
        In file order.
    gains : tuple of float
    baselines : tuple of int
    uncalibrated_ecg : bool
        The header gives 1 ADC unit per mV for the ECG, which means that nobody calibrated it.
    """

    start: int
    n_samples: int
    channels: tuple[str, ...] = ()
    gains: tuple[float, ...] = ()
    baselines: tuple[int, ...] = ()
    uncalibrated_ecg: bool = False

    @property
    def stop(self) -> int:
        """One past the last sample."""
        return self.start + self.n_samples


def draw_channels(rng: np.random.Generator) -> tuple[str, ...]:
    """Channels of one record, in an order of its own: always an ECG lead II and a PPG."""
    names = [*BASE_CHANNELS, *(c for c, share in OPTIONAL_CHANNELS.items() if rng.random() < share)]
    return tuple(names[i] for i in rng.permutation(len(names)))


def plan_pieces(n: int, fs_hz: float, channels: tuple[str, ...], fmt: str, rng: np.random.Generator) -> list[Piece]:
    """Divide a record into segments and gaps.

    Parameters
    ----------
    n : int
        Samples of the record; the pieces add up to it.
    fs_hz : float
        Sampling rate.
    channels : tuple of str
        Channels of the record.
    fmt : str
        "80" or "16".
    rng : numpy Generator

    Returns
    -------
    list of Piece
        The longest segment has every channel. Some records begin with a gap, some with segments of a few samples.
    """
    lengths: list[tuple[bool, int]] = []
    if rng.random() < 0.5:
        lengths.append((False, int(rng.integers(20, 400))))
    if rng.random() < 0.4:
        lengths += [(True, 4), (True, int(rng.integers(20, 130)))]
    left = n - sum(length for _, length in lengths)
    n_long = int(rng.integers(3, 8)) if n > 300 * fs_hz else 2
    shares = rng.dirichlet(np.full(n_long, 2.0))
    gaps = np.where(rng.random(n_long) < 0.45, rng.integers(50, max(60, int(0.02 * n)), n_long), 0)
    gaps[-1] = 0
    long = np.maximum(4, (shares * (left - gaps.sum())).astype(int))
    long[long.argmax()] += left - gaps.sum() - long.sum()
    for length, gap in zip(long, gaps, strict=True):
        lengths += [(True, int(length)), (False, int(gap))]

    pieces, start, previous = [], 0, None
    for is_segment, length in lengths:
        if not is_segment:
            pieces += [Piece(start, length)] if length else []
        else:
            # Long segments keep ECG and PPG, so that nobody's signals are mostly of no use.
            keep = channels if length == long.max() else BASE_CHANNELS if length > 0.15 * n else ()
            previous = _segment(start, length, channels, fmt, previous, keep, rng)
            pieces.append(previous)
        start += length
    return pieces


def _segment(
    start: int,
    n: int,
    channels: tuple[str, ...],
    fmt: str,
    previous: Piece | None,
    keep: tuple[str, ...],
    rng: np.random.Generator,
) -> Piece:
    """A segment that keeps the channels, order and gains of the one before, or changes some of them."""
    chosen = list(channels)
    chosen = [c for c in chosen if c in keep or rng.random() > 0.08]
    if not {"II", "V"} & set(chosen):
        chosen.append("II")
    if rng.random() < 0.25:
        chosen = [chosen[i] for i in rng.permutation(len(chosen))]
    converters = CONVERTERS[fmt]
    old = (
        dict(zip(previous.channels, zip(previous.gains, previous.baselines, strict=True), strict=True))
        if previous
        else {}
    )
    if rng.random() < 0.3:
        old = {}
    drawn = {c: converters[c][int(rng.integers(len(converters[c])))] for c in chosen}
    pairs = [old.get(c, drawn[c]) for c in chosen]
    uncalibrated = rng.random() < UNCALIBRATED_SHARE
    return Piece(start, n, tuple(chosen), tuple(g for g, _ in pairs), tuple(b for _, b in pairs), uncalibrated)
