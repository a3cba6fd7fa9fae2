"""Training as anybody would first write it: an item at a time through h5py, augmented in numpy, float32 throughout.

Nothing of the project is used but the network, so that both sides train the same one. The distortions are those of
ours and of the same strength; only how they are computed differs.

Shapes: B windows, C channels, T samples, D dimensions.
"""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor, nn

CROP_S, FS_HZ = 8.0, 125.0


def write_plain(path: Path, x_NCT: np.ndarray) -> None:
    """Windows as float32 in gzip, chunked as h5py sees fit."""
    with h5py.File(path, "w") as file:
        file.create_dataset("signals", data=x_NCT.astype(np.float32), compression="gzip", chunks=True)


class PlainItems:
    """One window at a time from a file that is open.

    Parameters
    ----------
    file : h5py.File
        With `signals`, and `scale` where those are codes.
    rows : ndarray
        Rows that may be asked for.
    """

    def __init__(self, file: h5py.File, rows: np.ndarray) -> None:
        self.signals, self.scale, self.rows = file["signals"], file.get("scale"), rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> np.ndarray:
        row = self.rows[index]
        x_CT = self.signals[row].astype(np.float32)
        return x_CT if self.scale is None else x_CT * self.scale[row][:, None]


def normalise(x_CT: np.ndarray) -> np.ndarray:
    """Median and 95th percentile of absolute deviation, as ours."""
    deviation_CT = x_CT - np.median(x_CT, axis=1, keepdims=True)
    width_C1 = np.percentile(np.abs(deviation_CT), 95, axis=1, keepdims=True) / 1.96
    return np.clip(deviation_CT / np.where(width_C1 > 0, width_C1, 1), -20, 20) * (width_C1 > 0)


def augment(z_CT: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random view of a normalised window."""
    C, n = len(z_CT), round(CROP_S * FS_HZ)
    start = rng.integers(z_CT.shape[1] - n + 1)
    view_CT = z_CT[:, start : start + n]
    spectrum_CF = np.fft.rfft(view_CT)
    octave_F = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / FS_HZ), 0.5)) + 1
    for c in range(C):
        spectrum_CF[c] *= np.exp(np.interp(octave_F, np.arange(8), rng.normal(0, 0.2, 8)))
    view_CT = np.fft.irfft(spectrum_CF, n) * np.exp(rng.uniform(-1, 1, (C, 1)) * np.log(1.5))
    time_s = np.arange(n) / FS_HZ
    for c in range(C):
        for _ in range(3):
            turns = rng.uniform(0.05, 0.5) * time_s + rng.uniform()
            view_CT[c] += rng.uniform(0, 0.3) * np.sin(2 * np.pi * turns)
        view_CT[c] += rng.uniform(0, 0.15) * rng.normal(size=n)
        masked = int(rng.uniform(0, 0.15) * n)
        begin = rng.integers(n - masked + 1)
        view_CT[c, begin : begin + masked] = 0
    return view_CT.astype(np.float32) * z_CT.any(axis=1, keepdims=True)


def two_views(x_CT: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What training takes of one window."""
    z_CT = normalise(x_CT)
    return augment(z_CT, rng), augment(z_CT, rng)


class NaiveTraining:
    """Steps in plain float32, each after its items were read and augmented one by one.

    Parameters
    ----------
    items : PlainItems
    model : ModuleDict
        `encoder` and `projector`, on `device`.
    batch_size : int
    device : torch.device
    """

    def __init__(self, items: PlainItems, model: nn.ModuleDict, batch_size: int, device: torch.device) -> None:
        self.items, self.model, self.batch_size, self.device = items, model, batch_size, device
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
        self.rng = np.random.default_rng(0)

    def step(self) -> int:
        """One step; returns the windows in it."""
        chosen = self.rng.permutation(len(self.items))[: self.batch_size]
        pairs = [two_views(self.items[i], self.rng) for i in chosen]
        views_MCT = torch.from_numpy(np.stack([view for pair in zip(*pairs, strict=True) for view in pair]))
        views_MCT = views_MCT.to(self.device)
        present_MC = views_MCT.abs().amax(-1).gt(0).float()
        a_BP, b_BP = self.model["projector"](self.model["encoder"](views_MCT, present_MC)).chunk(2)
        loss = _nt_xent(a_BP, b_BP)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        loss.item()
        return len(chosen)


def _nt_xent(a_BP: Tensor, b_BP: Tensor, temperature: float = 0.1) -> Tensor:
    z_MP = nn.functional.normalize(torch.cat([a_BP, b_BP]).float(), dim=1)
    logits_MM = (z_MP @ z_MP.T / temperature).fill_diagonal_(-torch.inf)
    B = len(a_BP)
    return nn.functional.cross_entropy(logits_MM, torch.arange(2 * B, device=z_MP.device).roll(B))
