"""The stage that trains the encoder, or continues, and writes it out."""

import logging
from contextlib import nullcontext
from typing import Any

import numpy as np

from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, remove_unfinished, write_completion
from ecgppg.core.lock import only_one
from ecgppg.core.side_files import fingerprint, side_files
from ecgppg.data.dataset import SplitWindows, select_windows
from ecgppg.stages.split import read_splits
from ecgppg.store.reader import open_dataset
from ecgppg.training.checkpoint import TrainingPaths, refuse_changes
from ecgppg.training.device import choose_device
from ecgppg.training.distributed import Ranks, joined_ranks
from ecgppg.training.export import CARD, DESCRIPTION, WEIGHTS, write_encoder
from ecgppg.training.loop import Trainer, identity_of
from ecgppg.training.schedule import stopped_early
from ecgppg.training.step import encoder_config

_log = logging.getLogger("ecgppg.training")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Train to num_epochs from wherever training stands, then write encoder/.

    Started by torchrun, all processes train together and the first one writes.

    Returns
    -------
    dict
        `epochs`, `best_epoch`, `best_val_loss`, `train_windows`, `val_windows`, and `done_before`.

    Raises
    ------
    InputError
        If the dataset cannot serve.
    RefusedError
        If what is there was trained with other content settings or on other windows, or cannot be read; or another
        training is at work there.
    RunError
        If another process of a torchrun ended.
    """
    with (
        joined_ranks(choose_device(settings.device)) as ranks,
        only_one(layout.root, "training") if ranks.first else nullcontext(),
    ):
        return _run(settings, layout, ranks)


def _run(settings: Settings, layout: OutputLayout, ranks: Ranks) -> dict[str, Any]:
    train, val = (windows_of(layout, name) for name in ("train", "val"))
    identity = identity_of(settings, train, val)
    weights_path = layout.encoder / WEIGHTS
    record = read_completion(weights_path)
    if record is not None:
        refuse_changes(weights_path, record["content"], identity)
    before = record["summary"] if record is not None and _suffices(record["summary"], settings) else None
    before = ranks.from_first(before)
    if before is not None:
        _log.info("training: %d epochs are done", before["epochs"])
        return {**before, "done_before": True}
    paths = TrainingPaths(layout.latest_checkpoint, layout.checkpoint, layout.metrics, layout.tensorboard)
    trainer = Trainer(settings, train, val, paths, ranks)
    trainer.run()
    summary = {
        "epochs": trainer.state.epoch,
        "best_epoch": trainer.state.best_epoch,
        "best_val_loss": trainer.state.best_loss,
        "train_windows": len(train),
        "val_windows": len(val),
    }
    if ranks.first:
        completion_path(weights_path).unlink(missing_ok=True)
        remove_unfinished(layout.encoder)
        write_encoder(layout.encoder, trainer.encoder_weights(), _description(settings, train, val, summary))
        beside = side_files(layout.encoder, [layout.encoder / DESCRIPTION, layout.encoder / CARD])
        write_completion(
            weights_path, identity, len(train), summary=summary, files=beside, metrics=fingerprint(layout.metrics)
        )
    return {**summary, "done_before": False}


def _suffices(summary: dict[str, Any], settings: Settings) -> bool:
    """Whether an encoder that was written needs no more training under these settings."""
    epochs = summary["epochs"]
    return epochs >= settings.num_epochs or stopped_early(epochs, summary["best_epoch"], settings.early_stopping_epochs)


def windows_of(layout: OutputLayout, *names: str) -> SplitWindows:
    """Windows of the patients in the named splits."""
    splits = read_splits(layout.splits)
    subject_ids = splits.loc[splits["split"].isin(names), "subject_id"].to_numpy(np.int64)
    return select_windows(open_dataset(layout.dataset), subject_ids)


def _description(settings: Settings, train: SplitWindows, val: SplitWindows, summary: dict[str, Any]) -> dict[str, Any]:
    bands = {"ECG": settings.ecg_band_hz, "PPG": settings.ppg_band_hz}
    filters = ", ".join(f"{c} {bands[c][0]:g}-{bands[c][1]:g} Hz zero-phase" for c in settings.channels)
    chosen_by_val = summary["best_epoch"] is not None
    return {
        "encoder": encoder_config(settings),
        "input": {
            "channels": list(settings.channels),
            "sampling_rate_hz": settings.sampling_rate_hz,
            "segment_seconds": settings.segment_seconds,
            "filters": filters,
            "normalisation": "robust_zscore",
        },
        "weights": {
            "file": WEIGHTS,
            "chosen": "lowest validation loss" if chosen_by_val else "last epoch, there being no validation windows",
            "epoch": summary["best_epoch"] if chosen_by_val else summary["epochs"],
            "epochs_trained": summary["epochs"],
            "val_loss": summary["best_val_loss"],
        },
        "training": settings.content("run", "train"),
        "train_subject_ids": np.unique(train.subject_id_N).tolist(),
        "val_subject_ids": np.unique(val.subject_id_N).tolist(),
        "n_train_windows": len(train),
        "n_val_windows": len(val),
        "dataset_content_hash": str(train.source.attributes.get("content_hash", "")),
    }
