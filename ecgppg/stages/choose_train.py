"""Encoders that settings are chosen by: a candidate and an outer fold each, on inner training patients alone."""

import logging
import os
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from multiprocessing import parent_process

import pandas as pd
import torch

from ecgppg.config.errors import RefusedError, RunError
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.parallel import map_jobs
from ecgppg.core.progress import progress
from ecgppg.core.runlog import start_log
from ecgppg.stages import embed, train
from ecgppg.stages.evaluate_train import write_splits

_log = logging.getLogger("ecgppg.choose")


@dataclass(frozen=True)
class Training:
    """One encoder to be trained.

    Attributes
    ----------
    candidate : str
    fold : int
        The outer fold whose patients are not in `splits`.
    settings : Settings
    layout : OutputLayout
    splits : DataFrame
        As `training.fold.inner_splits` gives it.
    """

    candidate: str
    fold: int
    settings: Settings
    layout: OutputLayout
    splits: pd.DataFrame


def train_all(trainings: Sequence[Training], num_workers: int) -> None:
    """Train what is not trained yet, several at a time, and embed the windows of the inner patients with each.

    Parameters
    ----------
    trainings : sequence of Training
        In the order in which they are begun.
    num_workers : int
        Processes side by side, one thread each; 0 trains here, one after the other. The result is the same.

    Raises
    ------
    RefusedError
        If what is there was trained with other settings, for more epochs, or on other patients.
    RunError
        If a training took its process along three times.
    """
    with progress("choosing", len(trainings)) as bar:
        for done in map_jobs(train_one, trainings, num_workers):
            if done.result is None:
                raise RunError(
                    f"{done.job.layout.root}: the process of this training ended {done.killed_workers} times; it may "
                    "want more memory than there is: give --num-workers 1"
                )
            bar.advance(1, f"{done.job.candidate}, fold {done.job.fold + 1}: {done.result}")


def train_one(training: Training) -> str:
    """Train an encoder, or go on, and embed; says what was done."""
    if parent_process() is None:
        return _one_thread(training)
    # Several processes must not write over one another on the terminal: each has the log of its own folder.
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        start_log(training.layout.root / "production.log")
        return _one_thread(training)


def _one_thread(training: Training) -> str:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        write_splits(training.layout.splits, training.splits)
        said = train.run(training.settings, training.layout)
        if said["epochs"] > training.settings.num_epochs:
            raise RefusedError(
                f"{training.layout.root} was trained for {said['epochs']} epochs, and not for "
                f"{training.settings.num_epochs}: all candidates are compared alike, give --num-epochs {said['epochs']}"
            )
        embed.run(training.settings, training.layout)
    finally:
        torch.set_num_threads(threads)
    return "done before" if said["done_before"] else f"{said['epochs']} epochs"
