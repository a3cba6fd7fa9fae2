"""Windows through an encoder and into a file, whatever their number; what was done before a kill is kept."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.core.progress import progress
from ecgppg.data.dataset import BatchLoader, SplitWindows
from ecgppg.data.sampler import ordered_batches
from ecgppg.store.growing_rows import GrowingRows
from ecgppg.training.device import deterministic
from ecgppg.training.export import PretrainedEncoder

BATCH_SIZE = 256
_log = logging.getLogger("ecgppg.embed")


@contextmanager
def embedded_rows(
    encoder: PretrainedEncoder, windows: SplitWindows, artefact: Path, content: dict[str, Any], workers: int
) -> Iterator[np.ndarray]:
    """Embed every window, and give the rows while the block lasts.

    Parameters
    ----------
    encoder : PretrainedEncoder
    windows : SplitWindows
        Read in their order. Channels go by name.
    artefact : Path
        The file that will hold them: the rows lie hidden beside it until the block has ended well.
    content : dict
        What the rows are of. Rows that a killed run left of the same are not computed again.
    workers : int
        Reading processes; 0 reads here.

    Yields
    ------
    ndarray, float32 (N, D)
        In a file, not in memory.
    """
    channels = tuple(windows.source.attributes["channel_names"])
    plan = ordered_batches(len(windows), BATCH_SIZE)
    hidden = artefact.with_name(f".{artefact.name}.rows")
    with GrowingRows(hidden, encoder.embedding_dim, content | {"batch_size": BATCH_SIZE}) as rows:
        done = len(rows)
        if done:
            _log.info("embedding: %s of %s segments were done before", f"{done:,}", f"{len(windows):,}")
        left = plan[-(-done // BATCH_SIZE) :]
        with deterministic(), progress("embedding", len(windows) - done, "segments") as bar:
            for positions, batch in zip(left, BatchLoader(windows, workers).batches(left), strict=True):
                rows.append(encoder.embed(batch.x_BCT, BATCH_SIZE, channels))
                bar.advance(len(positions))
        yield rows.read()
        rows.remove()
