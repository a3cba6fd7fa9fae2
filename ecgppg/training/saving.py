"""When the state of training is saved, and which of the kept checkpoints stay."""

import shutil
import time
from collections.abc import Callable

from ecgppg.config.schema import completion_path
from ecgppg.core.files import UNFINISHED, atomic_path, write_completion
from ecgppg.training.checkpoint import Checkpoint, TrainingPaths, save_checkpoint

LARGEST_SHARE = 0.02
"""Share of the time that saving may take: where a save is slow or an epoch short, the newest state waits longer."""


class Saver:
    """Writes checkpoints.

    Parameters
    ----------
    paths : TrainingPaths
        Where to.
    every_s : float
        Seconds between saves of the newest state within an epoch.
    keep_last : int or None
        Kept checkpoints that stay; None for all.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        paths: TrainingPaths,
        every_s: float,
        keep_last: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.paths, self.every_s, self.keep_last = paths, every_s, keep_last
        self._clock = clock
        self._saved_s, self._took_s = clock(), 0.0

    def due(self, epoch_ends: bool = False) -> bool:
        """Whether the newest state should be saved now: at the end of an epoch also before its minutes are over."""
        since_s = self._clock() - self._saved_s
        return since_s >= max(0.0 if epoch_ends else self.every_s, self._took_s / LARGEST_SHARE)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the newest state."""
        began_s = self._clock()
        save_checkpoint(self.paths.latest, checkpoint)
        self._saved_s = self._clock()
        self._took_s = self._saved_s - began_s

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write the newest state, and keep it under the name of its epoch; remove kept ones beyond `keep_last`."""
        self.save(checkpoint)
        path = self.paths.kept(checkpoint.state.epoch)
        completion_path(path).unlink(missing_ok=True)
        with atomic_path(path) as temporary:
            # Bytes of its own, not a second name for the same: whoever copies over one must not change the other.
            shutil.copyfile(self.paths.latest, temporary)
        write_completion(path, checkpoint.identity, checkpoint.state.step)
        if self.keep_last is not None:
            kept = self.paths.kept_newest_first()
            for old in kept[kept.index(path) + self.keep_last :]:
                completion_path(old).unlink(missing_ok=True)
                old.unlink()


def remove_half_written(paths: TrainingPaths) -> None:
    """Remove checkpoints that a killed process was writing; nobody may be writing there now."""
    for path in paths.latest.parent.glob(".*.pth*.tmp"):
        if UNFINISHED.fullmatch(path.name) and _is_checkpoint(paths, path.name.removeprefix(".").split(".pth")[0]):
            path.unlink(missing_ok=True)


def _is_checkpoint(paths: TrainingPaths, stem: str) -> bool:
    number = stem.rpartition("_")[2]
    names = [paths.latest.stem, *([paths.kept(int(number)).stem] if number.isdecimal() else [])]
    return stem in names
