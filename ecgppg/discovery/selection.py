"""Which windows are clustered: patients the encoder has not seen, none of them louder than another."""

from dataclasses import dataclass

import numpy as np

from ecgppg.config.errors import ConfigError
from ecgppg.config.schema import SPLITS
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import hash63
from ecgppg.store.embeddings import UNMET, Embeddings


@dataclass(frozen=True)
class Selection:
    """The windows that discovery looks at.

    Attributes
    ----------
    embeddings : Embeddings
        Their rows, by segment_id.
    splits : tuple of str
        Splits they were drawn from.
    includes_train : bool
        Whether patients the encoder was trained on are among them.
    n_offered : int
        Windows of those splits before equal windows a patient were drawn.
    """

    embeddings: Embeddings
    splits: tuple[str, ...]
    includes_train: bool
    n_offered: int

    @property
    def n_patients(self) -> int:
        """Patients selected."""
        return len(np.unique(self.embeddings.subject_id))


def select_windows(embeddings: Embeddings, settings: Settings) -> Selection:
    """Draw at most `max_windows_per_patient` windows of every patient of the splits allowed, or of another cohort.

    The draw is by a hash of the segment, so a patient's windows stay the same when other patients are added.

    Raises
    ------
    ConfigError
        If discovery_splits names train without include_train.
    """
    if "train" in settings.discovery_splits and not settings.include_train:
        raise ConfigError("discovery_splits: names train, whose patients the encoder has seen; add include_train")
    splits: tuple[str, ...] = SPLITS
    if not settings.include_train:
        splits = tuple(s for s in SPLITS if s in settings.discovery_splits)
    if (embeddings.split == UNMET).any():
        splits = (*splits, UNMET)
    offered = np.flatnonzero(np.isin(embeddings.split, splits))
    kept = offered[equal_windows(embeddings, offered, settings.max_windows_per_patient, settings.seed)]
    chosen = Embeddings(
        embeddings.embeddings[kept], embeddings.segment_id[kept], embeddings.subject_id[kept], embeddings.split[kept]
    ).sorted()
    return Selection(chosen, splits, bool((chosen.split == "train").any()), len(offered))


def equal_windows(embeddings: Embeddings, rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Places within `rows` of at most `most` windows of each patient, those with the lowest hash."""
    subject = embeddings.subject_id[rows]
    draw = np.array([hash63("discovery", seed, s) for s in embeddings.segment_id[rows].tolist()], np.int64)
    order = np.lexsort((draw, subject))
    _, first, counts = np.unique(subject[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    return np.sort(order[rank < most])
