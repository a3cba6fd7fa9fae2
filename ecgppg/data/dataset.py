"""Windows of one split, in an order of their own, read in batches here or in worker processes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

PREFETCH_BATCHES = 4
BEAT_COLUMNS = ("heart_rate_bpm", "rr_cv")
"""What a batch carries of the beats found in each window."""


class SegmentSource(Protocol):
    """What training asks of a dataset file; `ecgppg.store.reader.SegmentDataset` is one, and pickles as its path."""

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
        """The same batch on another device."""
        return SegmentBatch(
            self.x_BCT.to(device, non_blocking=True),
            self.segment_id_B.to(device),
            self.subject_id_B.to(device),
            self.beats_B2.to(device),
            None if self.anchor_K is None else self.anchor_K.to(device),
        )


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
    """Reads batches in the order asked for, in this process or ahead of it in others.

    Which process reads a batch changes nothing in it: all that is random is drawn later, by window.

    Attributes
    ----------
    windows : SplitWindows
        What is read.
    workers : int
        Reading processes; 0 reads here.
    """

    windows: SplitWindows
    workers: int = 0
    _plan: "_Plan" = field(default_factory=lambda: _Plan(), repr=False)
    _loader: Any = field(default=None, repr=False)

    def batches(self, plan: list[np.ndarray]) -> Iterator[SegmentBatch]:
        """Yield the batch of each array of positions."""
        if self.workers == 0:
            for positions in plan:
                yield self.windows.read(positions)
            return
        self._plan.batches = plan
        if self._loader is None:
            self._loader = DataLoader(
                _Reader(self.windows),
                sampler=self._plan,
                batch_size=None,
                num_workers=self.workers,
                multiprocessing_context="spawn",
                persistent_workers=True,
                prefetch_factor=PREFETCH_BATCHES,
            )
        for tensors in self._loader:
            yield SegmentBatch(*tensors)


class _Plan(torch.utils.data.Sampler[np.ndarray]):
    """A list of batches that can be exchanged between epochs while the worker processes live on."""

    batches: list[np.ndarray]

    def __init__(self) -> None:
        self.batches = []

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Reader(torch.utils.data.Dataset[tuple[Tensor, ...]]):
    """What a worker process holds: reading one batch is one item."""

    def __init__(self, windows: SplitWindows) -> None:
        self.windows = windows

    def __getitem__(self, positions: np.ndarray) -> tuple[Tensor, ...]:
        batch = self.windows.read(positions)
        return batch.x_BCT, batch.segment_id_B, batch.subject_id_B, batch.beats_B2
