"""The state of training as one file: whole, loadable without running code, and refused where it does not belong."""

import logging
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ecgppg.config.errors import RefusedError
from ecgppg.config.schema import completion_path
from ecgppg.core.files import atomic_path, changed_keys, write_completion

FORMAT = "ecgppg training checkpoint 2"
_log = logging.getLogger("ecgppg.training")


@dataclass
class TrainingState:
    """Where training stands: counts and sums alone, since all that is random follows from seed, epoch and window.

    Attributes
    ----------
    epoch : int
        Finished epochs, with their validation.
    batch : int
        Batches done of the epoch under way.
    step : int
        Batches done in all.
    planned_epochs, extended_at : int
        num_epochs of the schedule, and the step at which it was last raised (0: never).
    loss_sum, grad_norm_sum : float
        Over the steps taken of the epoch under way.
    skipped, skipped_in_row : int
        Steps of the epoch under way that were not finite; how many of the last ones, without a break.
    best_epoch, best_loss
        Epoch with the lowest validation loss, or None.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    planned_epochs: int = 0
    extended_at: int = 0
    loss_sum: float = 0.0
    grad_norm_sum: float = 0.0
    skipped: int = 0
    skipped_in_row: int = 0
    best_epoch: int | None = None
    best_loss: float | None = None


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds. `best` is the encoder of `state.best_epoch`, or None."""

    identity: dict[str, Any]
    state: TrainingState
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    best: dict[str, Tensor] | None


@dataclass(frozen=True)
class TrainingPaths:
    """Files that training writes: the newest state, the kept one of an epoch, the measures."""

    latest: Path
    kept: Callable[[int], Path]
    metrics: Path
    tensorboard: Path

    def kept_newest_first(self) -> list[Path]:
        """Kept checkpoints that exist."""
        found: dict[int, Path] = {}
        for path in self.latest.parent.glob("*.pth"):
            number = re.search(r"\d+", path.name)
            if number and self.kept(int(number[0])) == path:
                found[int(number[0])] = path
        return [found[epoch] for epoch in sorted(found, reverse=True)]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically, and its completion record.

    The old record goes first: a kill in between leaves a checkpoint without a record, which counts, and never one
    whose record speaks of another.
    """
    content: dict[str, Any] = {
        "format": FORMAT,
        "identity": checkpoint.identity,
        "state": asdict(checkpoint.state),
        "model": checkpoint.model,
        "optimizer": checkpoint.optimizer,
        "best": checkpoint.best,
    }
    content["checksum"] = _checksum(content)
    completion_path(path).unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
    write_completion(path, checkpoint.identity, checkpoint.state.step)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint on to the CPU.

    Raises
    ------
    RefusedError
        If it is truncated, damaged, or no checkpoint of ours.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for a damaged file, none of them its own
        raise RefusedError(f"{path}: truncated or no checkpoint ({type(error).__name__})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RefusedError(f"{path}: not a checkpoint of this program")
    # torch reads a file with a changed byte as if it were whole.
    if content.pop("checksum", None) != _checksum(content):
        raise RefusedError(f"{path}: damaged, its checksum does not match")
    try:
        state = TrainingState(**content["state"])
        if not isinstance(content["identity"], dict):
            raise TypeError("identity")
        return Checkpoint(content["identity"], state, content["model"], content["optimizer"], content["best"])
    except (KeyError, TypeError) as error:
        raise RefusedError(f"{path}: a checkpoint of another version ({error})") from error


def find_checkpoint(paths: TrainingPaths, identity: dict[str, Any]) -> Checkpoint | None:
    """The state to continue from: the latest, or where that was taken away the newest kept one; None to start.

    Raises
    ------
    RefusedError
        If the latest is damaged, or was made with other content settings or windows (the line names them). The line
        also names the newest checkpoint beside it that is whole and was trained as asked for.
    """
    kept = paths.kept_newest_first()
    path = paths.latest if paths.latest.is_file() else next(iter(kept), None)
    if path is None:
        return None
    try:
        checkpoint = load_checkpoint(path)
        refuse_changes(path, checkpoint.identity, identity)
    except RefusedError as error:
        raise RefusedError(f"{error}; {_advice(paths, [p for p in kept if p != path], identity)}") from error
    _log.info("continuing from %s: %d epochs and %d batches done", path, checkpoint.state.epoch, checkpoint.state.batch)
    return checkpoint


def refuse_changes(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise RefusedError naming every key in which `old`, stored in `path`, differs from `new`."""
    if changed := changed_keys(old, new):
        raise RefusedError(
            f"{path} was trained otherwise: {'; '.join(changed)}; put these back, or start anew with --fresh"
        )


def _advice(paths: TrainingPaths, kept: list[Path], identity: dict[str, Any]) -> str:
    for path in kept:
        try:
            fits = not changed_keys(load_checkpoint(path).identity, identity)
        except RefusedError:
            continue
        if fits:
            return f"the newest good checkpoint is {path}: copy it to {paths.latest.name} to continue from there"
    return "there is no good checkpoint beside it: start anew with --fresh, or name another --output-dir"


def _checksum(content: Any, before: int = 0) -> int:
    """CRC-32 over every number and name of a state, in the order in which they are stored."""
    from isal import isal_zlib

    if isinstance(content, Tensor):
        flat = content.detach().cpu().contiguous().view(-1)
        return isal_zlib.crc32(flat.view(torch.uint8).numpy() if flat.numel() else b"", before)
    if isinstance(content, dict):
        for key, value in content.items():
            before = _checksum(value, _checksum(key, before))
        return before
    if isinstance(content, list | tuple):
        for value in content:
            before = _checksum(value, before)
        return before
    return isal_zlib.crc32(repr(content).encode(), before)
