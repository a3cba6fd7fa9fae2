"""Windows of one split, in an order of their own, read in batches by threads or by worker processes."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ecgppg.data.read_ahead import ahead_in_threads, groups_of

THREADS = 4
"""Two would do for a file in memory; a disk gives more where more is asked of it at a time."""
GROUPS_A_WORKER = 2
AHEAD_BYTES = 2**25
"""Windows that are read before they are needed: many enough for a disk to be read in its own order, few enough for the
shared memory that a container is given."""
BEAT_COLUMNS = ("heart_rate_bpm", "rr_cv")
"""What a batch carries of the beats found in each window."""


class SegmentSource(Protocol):
    """What training asks of a dataset file; `ecgppg.store.reader.SegmentDataset` is one, and pickles as its path."""

    shape: tuple[int, int, int]

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes: `content_hash` among them."""
        ...

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Windows in physical units, (n, C, T) float32, in the order of `indices`."""
        ...

    def column(self, name: str) -> np.ndarray:
        """One column of `/segments`."""
        ...


@dataclass(frozen=True)
class SegmentBatch:
    """Windows in physical units, with what identifies them.

    Attributes
    ----------
    x_BCT : Tensor, float32
    segment_id_B, subject_id_B : Tensor, int64
    beats_B2 : Tensor, float32
        heart_rate_bpm and rr_cv of each window, as measured when the dataset was built; NaN where they are unknown.
    anchor_K : Tensor, int64, optional
        The last K rows are partners (see `data.partners`): row B - K + k is the partner of row anchor_K[k].
    """

    x_BCT: Tensor
    segment_id_B: Tensor
    subject_id_B: Tensor
    beats_B2: Tensor
    anchor_K: Tensor | None = None

    @property
    def n_anchors(self) -> int:
        """Windows that were asked for: rows before the partners."""
        return len(self.x_BCT) - (0 if self.anchor_K is None else len(self.anchor_K))

    def to(self, device: torch.device) -> "SegmentBatch":
        """The same batch on another device; does not wait for a copy out of pinned memory."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def pin_memory(self) -> "SegmentBatch":
        """The same batch in memory from which a GPU copies by itself."""
        return self._each(Tensor.pin_memory)

    def cut(self, lengths: list[int]) -> list["SegmentBatch"]:
        """Batches of these lengths, one after the other; they share its memory."""
        stops = np.cumsum(lengths).tolist()
        rows = [slice(stop - n, stop) for n, stop in zip(lengths, stops, strict=True)]
        return [self._each(itemgetter(r)) for r in rows]

    def _each(self, change: Callable[[Tensor], Tensor]) -> "SegmentBatch":
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {name: None if values is None else change(values) for name, values in held.items()}
        return SegmentBatch(**changed)


@dataclass(frozen=True)
class SplitWindows:
    """The windows of some patients, ordered by segment_id whatever their order in the file.

    Attributes
    ----------
    source : SegmentSource
        The dataset file.
    row_N : ndarray, int64
        Rows of the file.
    segment_id_N, subject_id_N : ndarray, int64
        Of those rows.
    beats_N2 : ndarray, float32
        heart_rate_bpm and rr_cv of those rows.
    """

    source: SegmentSource
    row_N: np.ndarray
    segment_id_N: np.ndarray
    subject_id_N: np.ndarray
    beats_N2: np.ndarray

    def __len__(self) -> int:
        return len(self.row_N)

    def read(self, positions: np.ndarray) -> SegmentBatch:
        """Read the windows at `positions` of this order."""
        return SegmentBatch(
            torch.from_numpy(np.ascontiguousarray(self.source.read(self.row_N[positions]), dtype=np.float32)),
            torch.from_numpy(self.segment_id_N[positions]),
            torch.from_numpy(self.subject_id_N[positions]),
            torch.from_numpy(self.beats_N2[positions]),
        )

    def fingerprint(self) -> str:
        """Short hash of which windows these are."""
        return hashlib.blake2b(self.segment_id_N.astype("<i8").tobytes(), digest_size=8).hexdigest()


def select_windows(source: SegmentSource, subject_ids: np.ndarray) -> SplitWindows:
    """All windows of the given patients.

    Parameters
    ----------
    source : SegmentSource
        The dataset file.
    subject_ids : ndarray, int64
        Patients, in any order.
    """
    segment_id_N = np.asarray(source.column("segment_id"), dtype=np.int64)
    subject_id_N = np.asarray(source.column("subject_id"), dtype=np.int64)
    row_N = np.flatnonzero(np.isin(subject_id_N, subject_ids))
    row_N = row_N[np.argsort(segment_id_N[row_N], kind="stable")]
    beats_N2 = np.stack([source.column(name)[row_N] for name in BEAT_COLUMNS], axis=1).astype(np.float32)
    return SplitWindows(source, row_N, segment_id_N[row_N], subject_id_N[row_N], beats_N2)


@dataclass
class BatchLoader:
    """Reads batches in the order asked for and ahead of their use, in threads of this process or in others.

    Upcoming batches are read in groups, each in the order of the file. Who reads a batch, and with which others,
    changes nothing in it: all that is random is drawn later, by window.

    Attributes
    ----------
    windows : SplitWindows
        What is read.
    workers : int
        Reading processes; 0 reads in threads here, which hold no lock of the interpreter while they do.
    device : torch.device
        Where batches are wanted. For a GPU they go through pinned memory, one batch ahead of the one in use.
    """

    windows: SplitWindows
    workers: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    _plan: "_Plan" = field(default_factory=lambda: _Plan(), repr=False)
    _loader: Any = field(default=None, repr=False)

    def batches(self, plan: list[np.ndarray]) -> Iterator[SegmentBatch]:
        """Yield the batch of each array of positions."""
        batches = self._on_host(plan)
        return batches if self.device.type == "cpu" else _one_ahead(batch.to(self.device) for batch in batches)

    def _on_host(self, plan: list[np.ndarray]) -> Iterator[SegmentBatch]:
        in_flight = GROUPS_A_WORKER * self.workers if self.workers else THREADS + 1
        _, c, t = self.windows.source.shape
        groups = groups_of(plan, AHEAD_BYTES // (in_flight * 4 * c * t))
        for group, read in zip(groups, self._read_groups(groups), strict=True):
            yield from read.cut([len(positions) for positions in group])

    def _read_groups(self, groups: list[list[np.ndarray]]) -> Iterator[SegmentBatch]:
        pinned = self.device.type == "cuda"
        if self.workers == 0:
            return ahead_in_threads(lambda group: _read(self.windows, group, pinned), groups, THREADS)
        self._plan.groups = groups
        if self._loader is None:
            self._loader = DataLoader(
                _Reader(self.windows),
                sampler=self._plan,
                batch_size=None,
                num_workers=self.workers,
                multiprocessing_context="spawn",
                persistent_workers=True,
                prefetch_factor=GROUPS_A_WORKER,
                pin_memory=pinned,
            )
        return iter(self._loader)


def _read(windows: SplitWindows, group: list[np.ndarray], pinned: bool = False) -> SegmentBatch:
    batch = windows.read(np.concatenate(group))
    return batch.pin_memory() if pinned else batch


def _one_ahead(batches: Iterator[SegmentBatch]) -> Iterator[SegmentBatch]:
    """Ask for the next before this one is used, so that its copy runs beside the work on this one."""
    ready = next(batches, None)
    while ready is not None:
        coming = next(batches, None)
        yield ready
        ready = coming


class _Plan(torch.utils.data.Sampler[list[np.ndarray]]):
    """Groups of batches that can be exchanged between epochs while the worker processes live on."""

    groups: list[list[np.ndarray]]

    def __init__(self) -> None:
        self.groups = []

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)


class _Reader(torch.utils.data.Dataset[SegmentBatch]):
    """What a worker process holds: reading one group is one item."""

    def __init__(self, windows: SplitWindows) -> None:
        self.windows = windows

    def __getitem__(self, group: list[np.ndarray]) -> SegmentBatch:
        return _read(self.windows, group)
