"""The encoder inside a training checkpoint."""

from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from ecgppg.config.errors import ConfigError, RefusedError
from ecgppg.config.settings import Settings
from ecgppg.training.checkpoint import Checkpoint, load_checkpoint
from ecgppg.training.export import PretrainedEncoder, network_of
from ecgppg.training.step import encoder_config

PREFIX = "encoder."


def encoder_of_checkpoint(path: Path, device: torch.device | str = "cpu") -> PretrainedEncoder:
    """The best weights of a checkpoint by validation loss, or the last where none were chosen.

    A checkpoint counts its windows and does not list its patients: `train_subject_ids` and `val_subject_ids` are None.

    Parameters
    ----------
    path : Path
        A .pth that training wrote. No code in it is run.
    device : torch.device or str

    Raises
    ------
    RefusedError
        If it is truncated, or no checkpoint of this release.
    """
    checkpoint = load_checkpoint(path)
    try:
        settings = Settings(
            **{key: checkpoint.identity[key] for key in Settings.model_fields if key in checkpoint.identity}
        )
        weights = checkpoint.best or {
            name.removeprefix(PREFIX): value.float()
            for name, value in checkpoint.model.items()
            if name.startswith(PREFIX)
        }
        config = encoder_config(settings)
        network = network_of(config, weights)
    except (ValidationError, ConfigError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise RefusedError(f"{path}: a checkpoint of another release ({str(error).splitlines()[0]})") from error
    return PretrainedEncoder(network.to(device), _description(settings, config, checkpoint))


def input_description(settings: Settings) -> dict[str, Any]:
    """What an encoder trained with these settings expects of a window."""
    bands = {"ECG": settings.ecg_band_hz, "PPG": settings.ppg_band_hz}
    return {
        "channels": list(settings.channels),
        "sampling_rate_hz": settings.sampling_rate_hz,
        "segment_seconds": settings.segment_seconds,
        "filters": ", ".join(f"{c} {bands[c][0]:g}-{bands[c][1]:g} Hz zero-phase" for c in settings.channels),
        "normalisation": "robust_zscore",
    }


def _description(settings: Settings, config: dict[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    state = checkpoint.state
    chosen_by_val = checkpoint.best is not None
    return {
        "encoder": config,
        "input": input_description(settings),
        "weights": {
            "chosen": "lowest validation loss" if chosen_by_val else "as training left them",
            "epoch": state.best_epoch if chosen_by_val else state.epoch,
            "epochs_trained": state.epoch,
            "val_loss": state.best_loss if chosen_by_val else None,
        },
        "training": settings.content("run", "train"),
        "train_subject_ids": None,
        "val_subject_ids": None,
        "dataset_content_hash": str(checkpoint.identity.get("dataset", "")),
    }
