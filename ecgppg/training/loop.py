"""Training from wherever it stands to num_epochs: steps, validation, measures, checkpoints."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

import torch

from ecgppg.config.errors import ConfigError, InputError, RefusedError, RunError, Terminated
from ecgppg.config.settings import Settings
from ecgppg.core.memory import keep_freed_memory
from ecgppg.core.progress import Progress, progress
from ecgppg.data.dataset import BatchLoader, SplitWindows
from ecgppg.data.partners import near_partners, paired_batches
from ecgppg.data.sampler import epoch_batches, n_batches
from ecgppg.training.checkpoint import Checkpoint, TrainingPaths, TrainingState, find_checkpoint
from ecgppg.training.collapse import collapse_line
from ecgppg.training.device import choose_device, deterministic, uses_bf16
from ecgppg.training.distributed import ONE_RANK, Ranks
from ecgppg.training.epoch_record import epoch_line, epoch_row
from ecgppg.training.interrupt import Interruption, interrupts_deferred
from ecgppg.training.monitor import Monitor
from ecgppg.training.saving import Saver, remove_half_written
from ecgppg.training.schedule import Schedule, stopped_early
from ecgppg.training.step import ContrastiveStep, StepResult, build_model, build_optimizer
from ecgppg.training.validation import Validation, validate

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
    ranks : Ranks
        Processes that train together. Each holds a Trainer of its own; the first one validates and writes.

    Raises
    ------
    InputError, ConfigError
        If there is nothing to train on or, for early stopping, to judge by; if crop_seconds is longer than a window,
        or batches cannot be shared equally.
    RefusedError
        If the checkpoint found is damaged or was made with other settings or windows.
    """

    def __init__(
        self,
        settings: Settings,
        train: SplitWindows,
        val: SplitWindows,
        paths: TrainingPaths,
        ranks: Ranks = ONE_RANK,
    ) -> None:
        self.steps_per_epoch = n_batches(len(train), settings.batch_size)
        self.batch_windows = min(settings.batch_size, len(train))
        _refuse_settings(settings, self.steps_per_epoch, train, len(val))
        ranks.refuse_unequal_shares(self.batch_windows)
        self.settings, self.paths, self.ranks = settings, paths, ranks
        self.identity = identity_of(settings, train, val)
        self.device = ranks.device(choose_device(settings.device))
        self.bf16 = uses_bf16(settings.precision, self.device)
        self.train_loader = BatchLoader(train, settings.loader_workers, self.device)
        self.val_loader = BatchLoader(val, settings.loader_workers, self.device)
        self.model = build_model(settings).to(self.device)
        self.optimizer = build_optimizer(self.model, settings)
        self.step = ContrastiveStep(self.model, settings, self.device, self.bf16, ranks)
        near = settings.objective_near > 0
        self.train_partners, self.val_partners = (
            near_partners(windows, settings.near_seconds) if near else None for windows in (train, val)
        )
        self.state = TrainingState(planned_epochs=settings.num_epochs)
        self.best: dict[str, torch.Tensor] | None = None
        self._whole = True
        self.optimizer.register_step_pre_hook(self._note_update)
        self._restore(find_checkpoint(paths, self.identity))
        ranks.refuse_disagreement({**self.identity, "steps done": self.state.step, "num_epochs": settings.num_epochs})
        self.saver = Saver(paths, 60 * settings.checkpoint_minutes, settings.keep_last)
        self.schedule = Schedule(
            settings.learning_rate,
            self.state.planned_epochs * self.steps_per_epoch,
            settings.warmup_share,
            self.state.extended_at,
        )

    @property
    def finished(self) -> bool:
        """Whether num_epochs are done, or as many without a lower validation loss as early stopping waits for."""
        return self.state.epoch >= self.settings.num_epochs or stopped_early(
            self.state.epoch, self.state.best_epoch, self.settings.early_stopping_epochs
        )

    def run(self) -> None:
        """Train until finished; on SIGTERM, an interrupt or an error save the state and raise."""
        if self.finished:
            return
        keep_freed_memory()
        left = (self.settings.num_epochs - self.state.epoch) * self.steps_per_epoch - self.state.batch
        monitor = None
        if self.ranks.first:
            remove_half_written(self.paths)
            monitor = Monitor(self.paths.metrics, self.paths.tensorboard, self.state.epoch)
        _log.info(
            "training: %d windows, %d for validation, %d steps left, %s, %s%s",
            len(self.train_loader.windows), len(self.val_loader.windows), left, self.device,
            "bfloat16" if self.bf16 else "float32",
            f", {self.ranks.world} processes" if self.ranks.world > 1 else "",
        )  # fmt: skip
        total = left * self.batch_windows
        shown = (
            progress("training", total, "segments") if self.ranks.first else nullcontext(Progress("training", total))
        )
        try:
            with (
                deterministic(),
                interrupts_deferred() as interruption,
                shown as bar,
                self._saved_at_the_end(interruption),
            ):
                while not self.finished:
                    self._epoch(bar, interruption)
                    result = self._validate(interruption)
                    self._finish_epoch(monitor, result)
        finally:
            if monitor is not None:
                monitor.close()
        if self.state.epoch < self.settings.num_epochs:
            _log.info(
                "stopped early: %d epochs brought no lower validation loss than epoch %d",
                self.state.epoch - (self.state.best_epoch or 0), self.state.best_epoch or 0,
            )  # fmt: skip

    def encoder_weights(self) -> dict[str, torch.Tensor]:
        """Weights of the best epoch by validation loss; of the last where there is no validation."""
        return self.best if self.best is not None else _on_cpu(self.model["encoder"].state_dict())

    def _epoch(self, bar: Progress, interruption: Interruption) -> None:
        """The steps of an epoch that are left."""
        state = self.state
        began_s, self._first_batch = time.monotonic(), state.batch
        plan = epoch_batches(
            len(self.train_loader.windows), self.settings.batch_size, self.settings.seed, state.epoch, state.batch
        )
        shares = [self.ranks.share(positions) for positions in plan]
        for batch in paired_batches(self.train_loader, shares, self.train_partners, self.settings.seed, state.epoch):
            rate = self.schedule.rate(state.step)
            result = self.step.train(batch, state.epoch, self.optimizer, rate)
            self._account(result)
            self._whole = True
            self._refuse_divergence()
            bar.advance(
                self.batch_windows, f"epoch {state.epoch + 1}", f"loss {self._mean(state.loss_sum) or 0:.3f}",
                f"lr {rate:.2g}", f"gradient {result.grad_norm:.2g}",
            )  # fmt: skip
            self._stop_where_asked(interruption)
            if self.ranks.first and self.saver.due():
                self.saver.save(self._checkpoint())
        self._seconds = time.monotonic() - began_s

    def _validate(self, interruption: Interruption) -> Validation | None:
        """The first process measures; all go by its numbers."""
        result = None
        if self.ranks.first:
            result = validate(self.step, self.val_loader, self.settings.batch_size, interruption, self.val_partners)
        shared = self.ranks.from_first(asdict(result) if result else None)
        return Validation(**shared) if shared else None

    def _stop_where_asked(self, interruption: Interruption) -> None:
        """All processes stop after the same step, whichever of them was asked to."""
        if self.ranks.any(interruption.pending is not None):
            interruption.check()
            raise Terminated

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
        limit = self.settings.max_skipped_steps
        if self.state.skipped_in_row >= limit:
            raise RunError(
                f"loss or gradient was not finite in {self.state.skipped_in_row} steps in a row (epoch "
                f"{self.state.epoch + 1}, step {self.state.step}; max_skipped_steps is {limit}): start anew (--fresh) "
                "with a lower learning_rate or a longer warmup_share, or with precision float32"
            )

    def _finish_epoch(self, monitor: Monitor | None, result: Validation | None) -> None:
        state = self.state
        n_read = (state.batch - self._first_batch) * self.batch_windows
        train = {
            "train_loss": self._mean(state.loss_sum),
            "lr": self.schedule.rate(state.step - 1),
            "grad_norm": self._mean(state.grad_norm_sum),
            "segments_per_s": n_read / self._seconds if n_read else None,
        }
        temperature = float(self.model["temperature"]().detach()) if "temperature" in self.model else None
        row = epoch_row(state.epoch + 1, state.step, train, result, state.skipped, temperature)
        # An epoch counts with its row: until that is written, what is saved is the state before.
        self._whole = False
        val_loss = row["val_loss"]
        if val_loss is not None and (state.best_loss is None or val_loss < state.best_loss):
            state.best_epoch, state.best_loss = state.epoch + 1, val_loss
            self.best = _on_cpu(self.model["encoder"].state_dict())
        state.epoch += 1
        state.batch, state.loss_sum, state.grad_norm_sum, state.skipped = 0, 0.0, 0.0, 0
        if monitor is None:
            return
        # The row first: should the checkpoint not follow, the epoch is run again and its row cut off.
        monitor.add(row)
        self._whole = True
        if state.epoch % self.settings.checkpoint_every == 0:
            self.saver.keep(self._checkpoint())
        elif self.finished or self.saver.due(epoch_ends=True):
            self.saver.save(self._checkpoint())
        _log.info("%s", epoch_line(row, self.settings.num_epochs, state.best_epoch == state.epoch))
        if result is not None and (line := collapse_line(result, state.step)):
            _log.warning("%s", line)

    def _mean(self, total: float) -> float | None:
        taken = self.state.batch - self.state.skipped
        return total / taken if taken else None

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(self.identity, self.state, self.model.state_dict(), self.optimizer.state_dict(), self.best)

    def _note_update(self, *_: object) -> None:
        """From here until the step is counted, weights and counts do not belong together."""
        self._whole = False

    @contextmanager
    def _saved_at_the_end(self, interruption: Interruption) -> Iterator[None]:
        """Save what is whole when the block is left by an exception."""
        try:
            yield
        except BaseException as error:
            if self.ranks.first and self._whole and self.state.step:
                try:
                    self.saver.save(self._checkpoint())
                except (OSError, RuntimeError) as failure:
                    _log.warning("the state could not be saved: %s", failure)
            if isinstance(error, RuntimeError) and self.ranks.world > 1:
                # The exchange broke because another process stopped first; this one was asked to as well.
                interruption.check()
            raise

    def _restore(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        self.state, self.best = checkpoint.state, checkpoint.best
        try:
            self.model.load_state_dict(checkpoint.model)
            self.optimizer.load_state_dict(checkpoint.optimizer)
        except (RuntimeError, ValueError, KeyError) as error:
            raise RefusedError(
                f"{self.paths.latest}: its weights do not fit this program's model ({str(error).splitlines()[0]}); "
                "continue with the version that made it, or start anew with --fresh"
            ) from error
        if self.settings.num_epochs > self.state.planned_epochs:
            self.state.planned_epochs, self.state.extended_at = self.settings.num_epochs, self.state.step


def _refuse_settings(settings: Settings, steps_per_epoch: int, train: SplitWindows, n_val: int) -> None:
    if settings.crop_seconds > settings.segment_seconds:
        raise ConfigError(
            f"crop_seconds: {settings.crop_seconds:g} is longer than segment_seconds {settings.segment_seconds:g}"
        )
    if steps_per_epoch == 0:
        raise InputError(f"training needs at least two windows in split train; there are {len(train)}")
    if settings.compares and not settings.same_patient_negatives and len(set(train.subject_id_N.tolist())) == 1:
        raise InputError(
            "training needs two patients in split train: windows of the only one are told apart from nobody's; "
            "same_patient_negatives=true tells them apart from each other"
        )
    if settings.early_stopping_epochs is not None and n_val < 2:
        raise InputError(f"early_stopping_epochs: there are {n_val} validation windows to judge by; set it to null")


def _on_cpu(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in weights.items()}
