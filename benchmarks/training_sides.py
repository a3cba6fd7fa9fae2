"""What is measured of training, of ours and of the naive way: reading alone, augmenting alone, and whole steps."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from training_naive import NaiveTraining, PlainItems, two_views, write_plain
from training_roofline import busy_clock, count_flops, matmul_flops_per_s, rates, shares_of_operations

from ecgppg.config.settings import Settings
from ecgppg.core.memory import keep_freed_memory
from ecgppg.data.augment import Augmentation
from ecgppg.data.dataset import BatchLoader, SegmentBatch, SplitWindows, select_windows
from ecgppg.data.normalise import robust_zscore
from ecgppg.data.sampler import epoch_batches
from ecgppg.store.reader import open_dataset
from ecgppg.training.device import choose_device, uses_bf16
from ecgppg.training.step import ContrastiveStep, build_model, build_optimizer

PLAIN_WINDOWS = 8000
AUGMENTED_AT_ONCE = 128


@dataclass
class Task:
    """What is measured, and on what.

    Parameters
    ----------
    dataset : Path
        A dataset file of this program.
    work : Path
        Folder for the naive copy.
    device : str
        As the setting.
    seconds : float
        Each measurement lasts so long.
    batch_size : int or None
        None: that of each size of encoder.
    """

    dataset: Path
    work: Path
    device: str = "auto"
    seconds: float = 3.0
    batch_size: int | None = None
    windows: SplitWindows = field(init=False)
    settings: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        source = open_dataset(self.dataset)
        # As training does; the naive way has it too, in this process.
        keep_freed_memory()
        self.windows = select_windows(source, np.unique(source.column("subject_id")))
        self.settings = {
            "channels": list(source.channel_names), "required_channels": list(source.channel_names)[:1],
            "sampling_rate_hz": source.fs_hz, "device": self.device,
        }  # fmt: skip
        rows = np.sort(self.windows.row_N[:PLAIN_WINDOWS])
        self.plain = self.work / "plain.h5"
        write_plain(self.plain, source.read(rows))

    def of_size(self, size: str, two_views: bool = False) -> Settings:
        """Settings of an encoder of this size: the defaults, or with two views beside, as the naive way has them."""
        given: dict[str, Any] = {} if self.batch_size is None else {"batch_size": self.batch_size}
        if two_views:
            given["objective_views"] = 1.0
        return Settings(**self.settings, encoder_size=size, **given)

    def plans(self, batch_size: int) -> Iterator[list[np.ndarray]]:
        """The batches of epoch after epoch."""
        return (epoch_batches(len(self.windows), batch_size, 0, epoch) for epoch in count())

    def batches(self, loader: BatchLoader, batch_size: int) -> Iterator[SegmentBatch]:
        """Batches without end, through a loader."""
        return (batch for plan in self.plans(batch_size) for batch in loader.batches(plan))


def alone(task: Task) -> dict[str, float]:
    """Reading and augmenting, each in one thread, a second of that thread's processor time.

    Returns
    -------
    dict
        `read`, `naive_read_plain` (float32 in h5py's own chunks), `naive_read_same` (h5py on our file): windows with
        all their channels. `augment`, `naive_augment`: windows, normalised once and turned into two views.
        `normalise`, `view`: windows, normalised alone, and turned into one view of 8 s alone.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _alone(task)
    finally:
        torch.set_num_threads(threads)


def _alone(task: Task) -> dict[str, float]:
    windows, rng = task.windows, np.random.default_rng(0)
    positions = (rng.permutation(len(windows))[:1024] for _ in count())

    def in_thread(work: Callable[[], Sequence[object]]) -> float:
        return rates(work, task.seconds, time.thread_time)[0]

    out = {"read": in_thread(lambda: windows.read(next(positions)).segment_id_B.tolist())}
    for name, path, rows in (
        ("naive_read_plain", task.plain, np.arange(min(PLAIN_WINDOWS, len(windows)))),
        ("naive_read_same", task.dataset, windows.row_N),
    ):
        with h5py.File(path, locking=False) as file:
            items = PlainItems(file, rows)
            out[name] = in_thread(lambda items=items: [items[rng.integers(len(items))]])
    batch = windows.read(np.arange(min(AUGMENTED_AT_ONCE, len(windows))))
    B = len(batch.x_BCT)
    settings = task.of_size("base")
    augmentation = Augmentation(round(settings.crop_seconds * settings.sampling_rate_hz), settings.sampling_rate_hz)
    z_BCT, present_BC = robust_zscore(batch.x_BCT)
    epochs = count()

    def view(z_BCT: torch.Tensor, present_BC: torch.Tensor, number: int) -> None:
        augmentation.view(z_BCT, present_BC, batch.segment_id_B, seed=0, epoch=next(epochs), view=number)

    def both() -> list[int]:
        normalised = robust_zscore(batch.x_BCT)
        view(*normalised, 0)
        view(*normalised, 1)
        return [0] * B

    def one() -> list[int]:
        view(z_BCT, present_BC, 0)
        return [0] * B

    def normalise() -> list[int]:
        robust_zscore(batch.x_BCT)
        return [0] * B

    for name, work in (("augment", both), ("view", one), ("normalise", normalise)):
        out[name] = in_thread(work)
    plain = batch.x_BCT.numpy()
    out["naive_augment"] = in_thread(lambda: [two_views(plain[rng.integers(B)], rng)])
    return out


class Ours:
    """Training steps as the program takes them, its loader reading ahead.

    Parameters
    ----------
    task : Task
    size : str
        Of the encoder.
    compiled : bool
        Put the network through torch.compile.
    two_views : bool
        Ask for two views beside the defaults.
    """

    def __init__(self, task: Task, size: str, compiled: bool = False, two_views: bool = False) -> None:
        self.settings = task.of_size(size, two_views)
        self.device = choose_device(self.settings.device)
        self.bf16 = uses_bf16(self.settings.precision, self.device)
        model = build_model(self.settings).to(self.device)
        self.step = ContrastiveStep(model, self.settings, self.device, self.bf16)
        if compiled:
            model["encoder"].compile()
        self.optimizer = build_optimizer(model, self.settings)
        loader = BatchLoader(task.windows, self.settings.loader_workers, self.device)
        self.batches = task.batches(loader, self.settings.batch_size)

    def train(self) -> list[int]:
        """One step; as many things as windows in it."""
        batch = next(self.batches)
        self.step.train(batch, 0, self.optimizer, self.settings.learning_rate)
        return [0] * len(batch.x_BCT)

    def flops_per_window(self) -> float:
        """Operations of the network's matrix products and convolutions, forward and backward."""
        batch = next(self.batches)
        total = count_flops(lambda: self.step.outcome(batch, 0).loss)
        self.optimizer.zero_grad(set_to_none=True)
        return total / len(batch.x_BCT)


def whole_steps(task: Task, size: str, compiled: bool) -> dict[str, float]:
    """Windows a second of ours and of the naive way, and by `busy_clock`; operations of a step and of the roof.

    `train` and what is counted are of the defaults; `train_two`, beside the naive way, of two views besides.
    """
    ours, two = Ours(task, size, compiled), Ours(task, size, compiled, two_views=True)
    clocks = time.perf_counter, busy_clock(ours.device)
    out: dict[str, float] = {}
    for name, side in (("train", ours), ("train_two", two)):
        out[name], out[f"{name}_busy"] = rates(side.train, task.seconds, *clocks, device=ours.device)
    with h5py.File(task.plain) as file:
        items = PlainItems(file, np.arange(len(file["signals"])))
        model = build_model(two.settings).to(ours.device)
        naive = NaiveTraining(items, model, ours.settings.batch_size, ours.device)
        per_s, per_busy_s = rates(lambda: [0] * naive.step(), task.seconds, *clocks, device=ours.device)
    out |= {"naive_train": per_s, "naive_train_busy": per_busy_s}
    out["flops_per_window"] = ours.flops_per_window()
    out["matmul_flops_per_s"] = matmul_flops_per_s(ours.device, ours.bf16, min(task.seconds, 1.0))
    return out


def profiled(task: Task, size: str, compiled: bool) -> list[tuple[str, float]]:
    """Which operations a step of ours spends its time in."""
    ours = Ours(task, size, compiled)
    ours.train()
    return shares_of_operations(ours.train, ours.device)


def delivered(task: Task) -> float:
    """Windows a second as the loader hands them over where nothing is done with them, on the device that asked."""
    settings = task.of_size("base")
    device = choose_device(settings.device)
    batches = task.batches(BatchLoader(task.windows, settings.loader_workers, device), settings.batch_size)
    return rates(lambda: [0] * len(next(batches).x_BCT), task.seconds, time.perf_counter, device=device)[0]
