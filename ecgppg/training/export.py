"""A trained encoder as files that any program can read: weights, their description, a card for people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecgppg.config.errors import ConfigError, InputError
from ecgppg.core.files import atomic_path, read_json, write_json, write_text
from ecgppg.data.normalise import robust_zscore
from ecgppg.models.registry import build_encoder
from ecgppg.training.model_card import model_card

FORMAT = "ecgppg encoder 1"
WEIGHTS, DESCRIPTION, CARD = "encoder.safetensors", "encoder.json", "model_card.md"


@dataclass(frozen=True)
class PretrainedEncoder:
    """An encoder ready to embed windows.

    Attributes
    ----------
    network : nn.Module
        In evaluation mode, on the device it was loaded to.
    description : dict
        encoder.json: `encoder`, `input`, `weights`, `training`, and what it saw: `train_subject_ids`,
        `val_subject_ids`, `n_train_windows`, `n_val_windows`, `dataset_content_hash`.
    """

    network: nn.Module
    description: dict[str, Any]

    @property
    def train_subject_ids(self) -> frozenset[int]:
        """Patients whose windows moved the weights."""
        return frozenset(self.description["train_subject_ids"])

    def embed(self, signals_NCT: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Embed windows, whole and unaugmented.

        Parameters
        ----------
        signals_NCT : ndarray
            Windows in physical units, filtered and sampled as `description["input"]` says; absent channels zeros.
        batch_size : int
            Windows at a time.

        Returns
        -------
        ndarray, float32
            (N, embedding_dim), not normalised.
        """
        n_channels = len(self.description["input"]["channels"])
        if signals_NCT.ndim != 3 or signals_NCT.shape[1] != n_channels:
            raise InputError(f"embed: needs windows of shape (N, {n_channels}, T), got {signals_NCT.shape}")
        device = next(self.network.parameters()).device
        out = [np.empty((0, self.description["encoder"]["embedding_dim"]), np.float32)]
        with torch.no_grad():
            for start in range(0, len(signals_NCT), batch_size):
                block = np.ascontiguousarray(signals_NCT[start : start + batch_size], dtype=np.float32)
                z_BCT, present_BC = robust_zscore(torch.from_numpy(block).to(device))
                out.append(self.network(z_BCT, present_BC).float().cpu().numpy())
        return np.concatenate(out)


def write_encoder(folder: Path, weights: dict[str, Tensor], description: dict[str, Any]) -> Path:
    """Write weights, description and card; the path of the weights.

    Parameters
    ----------
    folder : Path
        Made if absent.
    weights : dict
        State of the encoder, on the CPU.
    description : dict
        As `PretrainedEncoder.description`, without `format`.
    """
    from safetensors.torch import save_file

    with atomic_path(folder / WEIGHTS) as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary, {"format": FORMAT})
    write_json(folder / DESCRIPTION, {"format": FORMAT, **description})
    write_text(folder / CARD, model_card(description))
    return folder / WEIGHTS


def read_encoder(folder: Path, device: torch.device | str = "cpu") -> PretrainedEncoder:
    """Load an encoder; no code in the files is run.

    Raises
    ------
    InputError
        If a file is absent or damaged, or weights and description do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    description = read_json(folder / DESCRIPTION)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise InputError(f"{folder / DESCRIPTION}: absent, or not the description of an encoder")
    try:
        # Built without memory first: a description alone must not be able to claim any.
        with torch.device("meta"):
            network = build_encoder(description["encoder"])
        weights = load_file(folder / WEIGHTS)
        network.load_state_dict(weights, assign=True)
        if any(value.dtype != torch.float32 for value in weights.values()):
            raise ValueError("weights are not float32")
        if (
            not all(isinstance(s, int) for s in description["train_subject_ids"])
            or not description["input"]["channels"]
        ):
            raise ValueError("train_subject_ids or input are not as they should be")
    except (OSError, SafetensorError, RuntimeError, ConfigError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: not a readable encoder ({str(error).splitlines()[0]})") from error
    return PretrainedEncoder(network.requires_grad_(False).eval().to(device), description)
