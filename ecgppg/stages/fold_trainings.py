"""Encoders of folds, several trained side by side: those that are judged, and those that settings are chosen by.

Each has an output folder of its own that the stages of a run work in, so all they promise holds here too: a kill costs
minutes, the same command goes on, and a changed setting is refused.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from multiprocessing import parent_process
from typing import Any

import pandas as pd

from ecgppg.config.errors import RunError
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.parallel import map_jobs
from ecgppg.core.progress import progress
from ecgppg.core.runlog import start_log
from ecgppg.stages import embed, train
from ecgppg.stages.evaluate_train import write_splits
from ecgppg.training.device import one_thread, worth_beside


@dataclass(frozen=True)
class Training:
    """One encoder to be trained.

    Attributes
    ----------
    name : str
        What the settings are called.
    fold : int
        The outer fold whose patients do not train it.
    settings : Settings
    layout : OutputLayout
        A folder of its own, in which the stages of a run work.
    splits : DataFrame
        As `training.fold.fold_splits` or `inner_splits` gives it.
    """

    name: str
    fold: int
    settings: Settings
    layout: OutputLayout
    splits: pd.DataFrame


def train_all(trainings: Sequence[Training], what: str) -> Iterator[tuple[Training, dict[str, Any]]]:
    """Train what is not trained yet, several at a time, and embed the windows of the patients in `splits` with each.

    Parameters
    ----------
    trainings : sequence of Training
        In the order in which they are begun; num_workers and device of the first say how many stand side by side. Each
        has one thread, so that the result is the same.
    what : str
        Title of the progress.

    Yields
    ------
    tuple of Training and dict
        As each is done, with what `stages.train` says of it.

    Raises
    ------
    RefusedError
        If what is there was trained with other settings or on other patients.
    RunError
        If a training took its process along three times.
    """
    first = trainings[0].settings
    with progress(what, len(trainings)) as bar:
        for done in map_jobs(train_one, trainings, worth_beside(first.num_workers, first.device)):
            said = done.result
            if said is None:
                raise RunError(
                    f"{done.job.layout.root}: the process of this training ended {done.killed_workers} times; it may "
                    "want more memory than there is: give --num-workers 1"
                )
            how = "done before" if said["done_before"] else f"{said['epochs']} epochs"
            bar.advance(1, f"{done.job.name}, fold {done.job.fold + 1}: {how}")
            yield done.job, said


def train_one(training: Training) -> dict[str, Any]:
    """Train an encoder, or go on, and embed; what `stages.train` says of it."""
    if parent_process() is None:
        return _one_thread(training)
    # Several processes must not write over one another on the terminal: each has the log of its own folder.
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        start_log(training.layout.root / "production.log")
        return _one_thread(training)


def _one_thread(training: Training) -> dict[str, Any]:
    # The newest state is enough to go on from: what an encoder went through is nobody's question.
    changes = {"checkpoint_every": training.settings.num_epochs + 1}
    if parent_process() is not None:
        # Workers are not to start workers, and the others have the cores.
        changes["loader_workers"] = 0
    settings = training.settings.model_copy(update=changes)
    with one_thread():
        write_splits(training.layout.splits, training.splits)
        said = train.run(settings, training.layout)
        embed.run(settings, training.layout)
    return said
