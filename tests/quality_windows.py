"""Windows to prove the batched checks on: real ones of four collections, and made ones that hold every fault."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgppg.config.settings import Settings
from ecgppg.sources.find import find_patients
from ecgppg.waveform.filters import zero_phase
from ecgppg.waveform.plan import plan_patient
from ecgppg.waveform.record import open_record
from ecgppg.waveform.windows import read_run
from tests.planted_beats import FS_HZ, af_times, ecg_of, ppg_of, sinus_times

MISSING = -(2**31)
COLLECTIONS = {
    "bidmc": ("bidmc", 480),
    "challenge2015": ("challenge2015/training", 480),
    "cinc2017": ("cinc2017/training2017", 800),
    "mimic3wdb": ("mimic3wdb-samples", 300),
}
"""{name: (its folder, windows taken of it)}."""


@dataclass(frozen=True)
class Windows:
    """One channel of N windows alike, as the checks are given them."""

    kind: str
    fs_hz: float
    limits_N2: np.ndarray
    codes_NT: np.ndarray
    raw_NT: np.ndarray
    filtered_NT: np.ndarray

    @property
    def method(self) -> str:
        return self.kind.lower()


def real_windows(data_dir: Path) -> tuple[int, list[Windows]]:
    """How many windows, and their channels in groups of like rate."""
    n, groups = 0, {}
    for folder, limit in COLLECTIONS.values():
        taken = 0
        for blocks in _runs(data_dir / folder):
            if taken >= limit:
                break
            taken += len(next(iter(blocks.values())).codes_NT)
            for b in blocks.values():
                limits_N2 = np.broadcast_to(b.code_limits, (len(b.codes_NT), 2))
                key = (b.kind, b.fs_hz, b.codes_NT.shape[1])
                groups.setdefault(key, []).append((limits_N2, b.codes_NT, b.raw_NT, b.filtered_NT))
        n += taken
    joined = [
        Windows(*key[:2], *(np.concatenate(parts) for parts in zip(*members, strict=True)))
        for key, members in groups.items()
    ]
    return n, joined


def _runs(root: Path) -> Iterator[dict]:
    """Blocks of the first run of every record, then of the second, and so on: all recordings have their say."""
    settings = Settings(source="wfdb", waveforms_dir=str(root), required_channels=["ECG"])
    names = [record for patient in find_patients(settings) for record in patient.records]
    records = [open_record(root, name, settings.channels, settings.required_channels) for name in names]
    plans = [(record, plan_patient([record], settings).runs) for record in records]
    for k in range(max(len(runs) for _, runs in plans)):
        for record, runs in plans:
            if k < len(runs):
                yield read_run(record, runs[k], settings).blocks


def made_windows() -> list[Windows]:
    """ECG and PPG of sinus rhythm, AF, ectopy, pauses, nothing and chance, each whole and with every fault, twice."""
    rng = np.random.default_rng(12)
    sinus, af = sinus_times(70, rng), af_times(110, rng)
    bigeminy = np.cumsum(np.tile([0.5, 0.95], 12)) - 1
    hearts_mv = [
        ecg_of(sinus),
        -ecg_of(sinus, t_wave=0.6),
        ecg_of(af, p_wave=0),
        ecg_of(bigeminy, ectopic=np.arange(24) % 2 == 1),
        ecg_of(np.array([0.6, 1.4, 7.5, 8.4])),
        0.03 * rng.standard_normal(1250),
        np.zeros(1250),
    ]
    pulses = [ppg_of(times) for times in (sinus, af, bigeminy, np.array([0.6, 1.4, 7.5, 8.4]))]
    hearts_mv += [_uneven(ecg_of, rng) for _ in range(20)]
    pulses += [_uneven(ppg_of, rng) for _ in range(20)]
    return [
        *(_made("ECG", hearts_mv, 40.0, (-127, 127), fs_hz, rng) for fs_hz in (FS_HZ, 250.0)),
        *(_made("PPG", pulses, 60.0, (-127, 127), fs_hz, rng) for fs_hz in (FS_HZ, 250.0)),
    ]


def _uneven(beat_of: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Beats of every height at every distance: some of them stand at the very edge of what a beat is."""
    times = np.cumsum(rng.uniform(0.2, 1.2, 20)) - 1
    return sum(10 ** rng.uniform(-1, 0) * beat_of(times[i : i + 1]) for i in range(20))


def _made(kind: str, signals: list, gain: float, limits: tuple[int, int], fs_hz: float, rng) -> Windows:
    faulty = []
    for x_T in signals:
        x_T = np.interp(np.arange(round(10 * fs_hz)) / fs_hz, np.arange(1250) / FS_HZ, x_T)
        t = np.arange(len(x_T)) / fs_hz
        codes_T = np.round(gain * x_T).astype(np.int32)
        for fault in ("none", "noise", "sway", "gap", "gaps", "limits", "plateau", "stuck", "step", "giant", "all"):
            c = codes_T.copy()
            if fault in ("noise", "all"):
                c += np.round(0.3 * gain * rng.standard_normal(len(c))).astype(np.int32)
            if fault in ("sway", "all"):
                c += np.round(1.5 * gain * np.sin(2 * np.pi * 0.2 * t)).astype(np.int32)
            if fault == "giant":
                c *= 60
            if fault in ("limits", "all"):
                c = np.clip(2 * c, *limits)
            if fault == "plateau":
                # Entered by a jump that may or may not be one: none is cut where the signal is smooth.
                height = int(rng.integers(8, 20))
                c = np.where(c > height, height + int(rng.integers(1, 4)), c)
            if fault == "stuck":
                c[400:1000] = 7
            if fault == "step":
                c *= 8
            if fault in ("gap", "all"):
                c[200:290] = MISSING
            if fault == "gaps":
                c[rng.random(len(c)) < 0.05] = MISSING
                c[:30] = MISSING
            faulty.append(c)
    faulty.append(np.full(len(faulty[0]), MISSING))
    codes_NT = np.stack(faulty).astype(np.int32)
    missing_NT = codes_NT == MISSING
    # At 250 Hz every other sample stands for the dataset's rate: what is filtered need not be what a resampler made.
    raw_NT = np.where(missing_NT, np.nan, codes_NT / gain).astype(np.float32)[:, :: round(fs_hz / FS_HZ)]
    band_hz = (0.5, 40.0) if kind == "ECG" else (0.3, 8.0)
    limits_N2 = np.broadcast_to(limits, (len(codes_NT), 2))
    return Windows(kind, fs_hz, limits_N2, codes_NT, raw_NT, zero_phase(raw_NT, *band_hz, FS_HZ))
