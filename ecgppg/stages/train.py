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
from ecgppg.data.dataset import BatchLoader, SplitWindows, select_windows
from ecgppg.stages.split import read_splits
from ecgppg.store.reader import open_dataset
from ecgppg.training.checkpoint import TrainingPaths, refuse_changes
from ecgppg.training.device import choose_device
from ecgppg.training.distributed import Ranks, joined_ranks
from ecgppg.training.embedding_sample import SAMPLE_WINDOWS, ordinals, write_embedding_sample
from ecgppg.training.export import CARD, DESCRIPTION, WEIGHTS, read_encoder, write_encoder
from ecgppg.training.from_checkpoint import input_description
from ecgppg.training.loop import Trainer, identity_of
from ecgppg.training.schedule import stopped_early
from ecgppg.training.step import encoder_config

EMBEDDED_TOGETHER = 256
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
        _write_sample(settings, layout, val)
        beside = side_files(layout.encoder, [layout.encoder / DESCRIPTION, layout.encoder / CARD])
        write_completion(
            weights_path, identity, len(train), summary=summary, files=beside, metrics=fingerprint(layout.metrics)
        )
    return {**summary, "done_before": False}


def _suffices(summary: dict[str, Any], settings: Settings) -> bool:
    """Whether an encoder that was written needs no more training under these settings."""
    epochs = summary["epochs"]
    return epochs >= settings.num_epochs or stopped_early(epochs, summary["best_epoch"], settings.early_stopping_epochs)


def _write_sample(settings: Settings, layout: OutputLayout, val: SplitWindows) -> None:
    """Validation windows for TensorBoard's projector; their order is that of hashes, so the first ones are a sample."""
    positions = np.arange(min(len(val), SAMPLE_WINDOWS))
    if len(positions) < 2:
        return
    encoder = read_encoder(layout.encoder, choose_device(settings.device))
    batches = BatchLoader(val, settings.loader_workers).batches(
        [positions[i : i + EMBEDDED_TOGETHER] for i in range(0, len(positions), EMBEDDED_TOGETHER)]
    )
    embedding_ND = np.concatenate([encoder.embed(batch.x_BCT.numpy()) for batch in batches])
    rate_N, rr_cv_N = val.beats_N2[positions].T
    subject_id_N = val.subject_id_N[positions]
    # Cells of any size may be shown of open data only, and so may a patient's number.
    patient = subject_id_N.tolist() if settings.min_cell_patients == 1 else ordinals(subject_id_N)
    columns = {
        "heart_rate_bpm": [f"{value:.1f}" for value in rate_N],
        "rr_cv": [f"{value:.3f}" for value in rr_cv_N],
        "quality": [f"{value:.2f}" for value in val.source.column("quality")[val.row_N[positions]]],
        "patient": patient,
    }
    write_embedding_sample(layout.tensorboard, embedding_ND, columns)


def windows_of(layout: OutputLayout, *names: str) -> SplitWindows:
    """Windows of the patients in the named splits."""
    splits = read_splits(layout.splits)
    subject_ids = splits.loc[splits["split"].isin(names), "subject_id"].to_numpy(np.int64)
    return select_windows(open_dataset(layout.dataset), subject_ids)


def _description(settings: Settings, train: SplitWindows, val: SplitWindows, summary: dict[str, Any]) -> dict[str, Any]:
    chosen_by_val = summary["best_epoch"] is not None
    return {
        "encoder": encoder_config(settings),
        "input": input_description(settings),
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
