"""Training from wherever it stands to num_epochs: steps, validation, measures, checkpoints."""

import logging
import math
import time
from typing import Any

import torch

from ecgppg.config.errors import ConfigError, InputError, RunError
from ecgppg.config.settings import Settings
from ecgppg.core.progress import Progress, progress
from ecgppg.data.dataset import BatchLoader, SplitWindows
from ecgppg.data.sampler import epoch_batches, n_batches
from ecgppg.training.checkpoint import Checkpoint, TrainingPaths, TrainingState, find_checkpoint, save_checkpoint
from ecgppg.training.device import choose_device, deterministic, uses_bf16
from ecgppg.training.interrupt import Interruption, interrupts_deferred
from ecgppg.training.monitor import Monitor
from ecgppg.training.schedule import Schedule
from ecgppg.training.step import ContrastiveStep, StepResult, build_model, build_optimizer
from ecgppg.training.validation import Validation, validate

MAX_SKIPPED_IN_ROW = 20
SAVE_EVERY_S = 600.0
"""An epoch may take hours: its state is saved this often, so that a power cut costs minutes."""
_log = logging.getLogger("ecgppg.training")


def identity_of(settings: Settings, train: SplitWindows, val: SplitWindows) -> dict[str, Any]:
    """What must stay the same for training to be continued: content settings and the windows themselves."""
    return {
        **settings.content("run", "build", "split", "train"),
        "dataset": str(train.source.attributes.get("content_hash", "")),
        "train_windows": f"{len(train)} ({train.fingerprint()})",
        "val_windows": f"{len(val)} ({val.fingerprint()})",
    }


class Trainer:
    """Trains an encoder on some windows, or continues.

    Parameters
    ----------
    settings : Settings
    train, val : SplitWindows
        Of different patients. `val` may be empty: then the last weights are the best.
    paths : TrainingPaths
        Where checkpoints and measures go. A checkpoint found there is continued.

    Raises
    ------
    InputError, ConfigError
        If there is nothing to train on, or crop_seconds is longer than a window.
    RefusedError
        If the checkpoint found is damaged or was made with other settings or windows.
    """

    def __init__(self, settings: Settings, train: SplitWindows, val: SplitWindows, paths: TrainingPaths) -> None:
        if settings.crop_seconds > settings.segment_seconds:
            raise ConfigError(
                f"crop_seconds: {settings.crop_seconds:g} is longer than segment_seconds {settings.segment_seconds:g}"
            )
        self.steps_per_epoch = n_batches(len(train), settings.batch_size)
        if self.steps_per_epoch == 0:
            raise InputError(f"training needs at least two windows in split train; there are {len(train)}")
        self.settings, self.paths = settings, paths
        self.identity = identity_of(settings, train, val)
        self.device = choose_device(settings.device)
        self.bf16 = uses_bf16(settings.precision, self.device)
        self.train_loader = BatchLoader(train, settings.loader_workers)
        self.val_loader = BatchLoader(val, settings.loader_workers)
        self.model = build_model(settings).to(self.device)
        self.optimizer = build_optimizer(self.model, settings)
        self.step = ContrastiveStep(self.model, settings, self.device, self.bf16)
        self.state = TrainingState(planned_epochs=settings.num_epochs)
        self.best: dict[str, torch.Tensor] | None = None
        self._between_steps = True
        self._restore(find_checkpoint(paths, self.identity))
        self.schedule = Schedule(
            settings.learning_rate,
            self.state.planned_epochs * self.steps_per_epoch,
            settings.warmup_share,
            self.state.extended_at,
        )

    def run(self) -> None:
        """Train until num_epochs are done; on SIGTERM, an interrupt or an error save the state and raise."""
        left = (self.settings.num_epochs - self.state.epoch) * self.steps_per_epoch - self.state.batch
        if self.state.epoch >= self.settings.num_epochs:
            return
        _log.info(
            "training: %d windows, %d for validation, %d steps left, %s, %s",
            len(self.train_loader.windows), len(self.val_loader.windows), left, self.device,
            "bfloat16" if self.bf16 else "float32",
        )  # fmt: skip
        monitor = Monitor(self.paths.metrics, self.paths.tensorboard, self.state.epoch)
        batch_size = min(self.settings.batch_size, len(self.train_loader.windows))
        try:
            with (
                deterministic(),
                interrupts_deferred() as interruption,
                progress("training", left * batch_size, "segments") as bar,
            ):
                while self.state.epoch < self.settings.num_epochs:
                    self._epoch(monitor, bar, interruption)
        finally:
            monitor.close()

    def encoder_weights(self) -> dict[str, torch.Tensor]:
        """Weights of the best epoch by validation loss; of the last where there is no validation."""
        return self.best if self.best is not None else _on_cpu(self.model["encoder"].state_dict())

    def _epoch(self, monitor: Monitor, bar: Progress, interruption: Interruption) -> None:
        state = self.state
        began_s, first_batch = time.monotonic(), state.batch
        saved_s = began_s
        positions = epoch_batches(
            len(self.train_loader.windows), self.settings.batch_size, self.settings.seed, state.epoch, state.batch
        )
        try:
            for batch in self.train_loader.batches(positions):
                self._between_steps = False
                result = self.step.train(batch, state.epoch, self.optimizer, self.schedule.rate(state.step))
                self._account(result)
                self._between_steps = True
                self._refuse_divergence()
                bar.advance(len(batch.x_BCT), f"epoch {state.epoch + 1}, loss {self._mean(state.loss_sum) or 0:.3f}")
                interruption.check()
                if time.monotonic() - saved_s > SAVE_EVERY_S:
                    self._save()
                    saved_s = time.monotonic()
            seconds = time.monotonic() - began_s
            measured = validate(self.step, self.val_loader, self.settings.batch_size, interruption)
        except BaseException:
            if self._between_steps:
                self._save()
            raise
        n_read = (state.batch - first_batch) * min(self.settings.batch_size, len(self.train_loader.windows))
        self._finish_epoch(monitor, measured, n_read / seconds if n_read else None)

    def _account(self, result: StepResult) -> None:
        state = self.state
        state.batch += 1
        state.step += 1
        if result.taken:
            state.loss_sum += result.loss
            state.grad_norm_sum += result.grad_norm
            state.skipped_in_row = 0
            return
        state.skipped += 1
        state.skipped_in_row += 1

    def _refuse_divergence(self) -> None:
        if self.state.skipped_in_row >= MAX_SKIPPED_IN_ROW:
            raise RunError(
                f"loss or gradient was not finite in {MAX_SKIPPED_IN_ROW} steps in a row (epoch {self.state.epoch + 1},"
                f" step {self.state.step}): start anew (--fresh) with a lower learning_rate, or with precision float32"
            )

    def _finish_epoch(self, monitor: Monitor, result: Validation | None, segments_per_s: float | None) -> None:
        state = self.state
        row = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "train_loss": self._mean(state.loss_sum),
            "val_loss": _finite(result.loss) if result else None,
            "lr": self.schedule.rate(state.step - 1),
            "grad_norm": self._mean(state.grad_norm_sum),
            "segments_per_s": segments_per_s,
            "embedding_std": _finite(result.embedding_std) if result else None,
            "effective_rank": _finite(result.effective_rank) if result else None,
            "alignment": _finite(result.alignment) if result else None,
            "uniformity": _finite(result.uniformity) if result else None,
            "skipped_steps": state.skipped,
        }
        val_loss = row["val_loss"]
        if val_loss is not None and (state.best_loss is None or val_loss < state.best_loss):
            state.best_epoch, state.best_loss = state.epoch + 1, val_loss
            self.best = _on_cpu(self.model["encoder"].state_dict())
        state.epoch += 1
        state.batch, state.loss_sum, state.grad_norm_sum, state.skipped = 0, 0.0, 0.0, 0
        # The row first: should the checkpoint not follow, the epoch is run again and its row cut off.
        monitor.add(row)
        self._save()
        if state.epoch % self.settings.checkpoint_every == 0:
            save_checkpoint(self.paths.kept(state.epoch), self._checkpoint())
        _log.info(
            "epoch %d of %d: loss %s, validation %s, effective rank %s, %s segments/s%s",
            state.epoch, self.settings.num_epochs, _short(row["train_loss"]), _short(val_loss),
            _short(row["effective_rank"]), _short(segments_per_s), " (best)" if state.best_epoch == state.epoch else "",
        )  # fmt: skip

    def _mean(self, total: float) -> float | None:
        taken = self.state.batch - self.state.skipped
        return total / taken if taken else None

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(self.identity, self.state, self.model.state_dict(), self.optimizer.state_dict(), self.best)

    def _save(self) -> None:
        save_checkpoint(self.paths.latest, self._checkpoint())

    def _restore(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        self.state, self.best = checkpoint.state, checkpoint.best
        self.model.load_state_dict(checkpoint.model)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        if self.settings.num_epochs > self.state.planned_epochs:
            self.state.planned_epochs, self.state.extended_at = self.settings.num_epochs, self.state.step


def _on_cpu(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in weights.items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"
