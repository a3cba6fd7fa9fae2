"""The stage that trains the encoder, or continues, and writes it out."""

import logging
from typing import Any

import numpy as np

from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, write_completion
from ecgppg.core.side_files import fingerprint, side_files
from ecgppg.data.dataset import SplitWindows, select_windows
from ecgppg.stages.split import read_splits
from ecgppg.store.reader import open_dataset
from ecgppg.training.checkpoint import TrainingPaths, refuse_changes
from ecgppg.training.export import CARD, DESCRIPTION, WEIGHTS, write_encoder
from ecgppg.training.loop import Trainer, identity_of
from ecgppg.training.step import encoder_config

_log = logging.getLogger("ecgppg.training")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Train to num_epochs from wherever training stands, then write encoder/.

    Returns
    -------
    dict
        `epochs`, `best_epoch`, `best_val_loss`, `train_windows`, `val_windows`, and `done_before`.

    Raises
    ------
    InputError
        If the dataset cannot serve.
    RefusedError
        If what is there was trained with other content settings or on other windows, or cannot be read.
    """
    train, val = (windows_of(layout, name) for name in ("train", "val"))
    identity = identity_of(settings, train, val)
    weights_path = layout.encoder / WEIGHTS
    record = read_completion(weights_path)
    if record is not None:
        refuse_changes(weights_path, record["content"], identity)
        if record["summary"]["epochs"] >= settings.num_epochs:
            _log.info("training: %d epochs are done", record["summary"]["epochs"])
            return {**record["summary"], "done_before": True}
    paths = TrainingPaths(layout.latest_checkpoint, layout.checkpoint, layout.metrics, layout.tensorboard)
    trainer = Trainer(settings, train, val, paths)
    trainer.run()
    summary = {
        "epochs": trainer.state.epoch,
        "best_epoch": trainer.state.best_epoch,
        "best_val_loss": trainer.state.best_loss,
        "train_windows": len(train),
        "val_windows": len(val),
    }
    completion_path(weights_path).unlink(missing_ok=True)
    write_encoder(layout.encoder, trainer.encoder_weights(), _description(settings, train, val, summary))
    beside = side_files(layout.encoder, [layout.encoder / DESCRIPTION, layout.encoder / CARD])
    write_completion(
        weights_path, identity, len(train), summary=summary, files=beside, metrics=fingerprint(layout.metrics)
    )
    return {**summary, "done_before": False}


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
