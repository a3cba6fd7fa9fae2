"""A trained encoder as files that any program can read: weights, their description, a card for people."""

from collections.abc import Sequence
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
        `val_subject_ids` (None where nothing tells), `n_train_windows`, `n_val_windows`, `dataset_content_hash`.
    """

    network: nn.Module
    description: dict[str, Any]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels it takes, in their order."""
        return tuple(self.description["input"]["channels"])

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return int(self.description["encoder"]["embedding_dim"])

    @property
    def train_subject_ids(self) -> frozenset[int]:
        """Patients whose windows moved the weights.

        Raises
        ------
        InputError
            If nothing tells who they are.
        """
        if self.description["train_subject_ids"] is None:
            raise InputError("nothing tells which patients this encoder was trained on")
        return frozenset(self.description["train_subject_ids"])

    def embed(
        self, signals_NCT: np.ndarray | Tensor, batch_size: int = 256, channels: Sequence[str] | None = None
    ) -> np.ndarray:
        """Embed windows, whole and unaugmented.

        Parameters
        ----------
        signals_NCT : ndarray or Tensor
            Windows in physical units, filtered and sampled as `description["input"]` says; absent channels zeros.
        batch_size : int
            Windows at a time.
        channels : sequence of str, optional
            Names of axis 1 where they are not the encoder's own in its order: each goes where the encoder has it,
            what it does not know is left out, what it misses is absent.

        Returns
        -------
        ndarray, float32
            (N, embedding_dim), not normalised.

        Raises
        ------
        InputError
            If the windows have not that many channels, or none that the encoder knows.
        """
        given = self.channels if channels is None else tuple(channels)
        if signals_NCT.ndim != 3 or signals_NCT.shape[1] != len(given):
            raise InputError(f"embed: needs windows of shape (N, {len(given)}, T), got {tuple(signals_NCT.shape)}")
        places = [given.index(name) if name in given else None for name in self.channels]
        if not any(place is not None for place in places):
            raise InputError(f"embed: the encoder takes {', '.join(self.channels)}; given are {', '.join(given)}")
        device = next(self.network.parameters()).device
        out = [np.empty((0, self.embedding_dim), np.float32)]
        with torch.no_grad():
            for start in range(0, len(signals_NCT), batch_size):
                block = np.ascontiguousarray(signals_NCT[start : start + batch_size], dtype=np.float32)
                z_BCT, present_BC = robust_zscore(torch.from_numpy(_placed(block, places)).to(device))
                out.append(self.network(z_BCT, present_BC).float().cpu().numpy())
        return np.concatenate(out)


def _placed(block_NCT: np.ndarray, places: list[int | None]) -> np.ndarray:
    """Channels where the encoder has them; zeros where it has one that is not given."""
    if places == list(range(block_NCT.shape[1])):
        return block_NCT
    placed = np.zeros((len(block_NCT), len(places), block_NCT.shape[2]), np.float32)
    for channel, place in enumerate(places):
        if place is not None:
            placed[:, channel] = block_NCT[:, place]
    return placed


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
        weights = load_file(folder / WEIGHTS)
        network = network_of(description["encoder"], weights)
        if (
            not all(isinstance(s, int) for s in description["train_subject_ids"])
            or not description["input"]["channels"]
        ):
            raise ValueError("train_subject_ids or input are not as they should be")
    except (OSError, SafetensorError, RuntimeError, ConfigError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: not a readable encoder ({str(error).splitlines()[0]})") from error
    return PretrainedEncoder(network.to(device), description)


def network_of(config: dict[str, Any], weights: dict[str, Tensor]) -> nn.Module:
    """The encoder of a description, with these weights, ready to embed.

    Raises
    ------
    ConfigError, RuntimeError, ValueError
        If the description is of no encoder, or the weights are not its own in float32.
    """
    # Built without memory first: a description alone must not be able to claim any.
    with torch.device("meta"):
        network = build_encoder(config)
    network.load_state_dict(weights, assign=True)
    if any(value.dtype != torch.float32 for value in weights.values()):
        raise ValueError("weights are not float32")
    return network.requires_grad_(False).eval()
