"""Small WFDB records written by hand, so that tests can name every byte."""

from pathlib import Path

import numpy as np


def write_segment(
    folder: Path,
    name: str,
    codes: dict[str, np.ndarray],
    fs_hz: float = 125,
    gain: str = "100(0)/mV",
    n_samples: int | None = None,
    when: str = "",
) -> None:
    """One segment of format 16, all signals in `name.dat`; `codes` maps sig_name to int codes of one length."""
    stacked = np.stack(list(codes.values()), axis=1).astype("<i2")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.dat").write_bytes(stacked.tobytes())
    lines = [f"{name} {len(codes)} {fs_hz:g} {len(stacked) if n_samples is None else n_samples} {when}"]
    lines += [f"{name}.dat 16 {gain} 16 0 0 0 0 {sig_name}" for sig_name in codes]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")


def write_master(folder: Path, name: str, segments: list[tuple[str, int]], fs_hz: float = 125, when: str = "") -> None:
    """A master header over `segments`, (name, samples) each."""
    total = sum(n for _, n in segments)
    lines = [f"{name}/{len(segments)} 2 {fs_hz:g} {total} {when}", *(f"{s} {n}" for s, n in segments)]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")


def beats(n: int, seed: int = 0, fs_hz: float = 125) -> dict[str, np.ndarray]:
    """ECG and PPG codes of a steady rhythm with a little noise, at 100 codes per unit."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / fs_hz
    phase = (t * 1.2) % 1.0
    ecg = np.exp(-0.5 * ((phase - 0.3) / 0.015) ** 2) + 0.2 * np.exp(-0.5 * ((phase - 0.6) / 0.05) ** 2)
    ppg = 0.5 * np.exp(-0.5 * ((phase - 0.6) / 0.12) ** 2)
    noisy = {"II": ecg, "PLETH": ppg}
    return {k: np.rint(100 * x + rng.normal(0, 1, n)).astype(np.int64) for k, x in noisy.items()}
