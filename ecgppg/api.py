"""The few names a notebook needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecgppg.data.torch_dataset import WindowDataset
    from ecgppg.store.reader import SegmentDataset
    from ecgppg.training.export import PretrainedEncoder


def load_encoder(path: Path | str, device: str = "cpu") -> "PretrainedEncoder":
    """Load a trained encoder.

    Parameters
    ----------
    path : path
        The `encoder/` folder of an output folder, wherever it was copied to; or a training checkpoint (.pth).
    device : str
        auto, cpu, cuda or cuda:N.

    Returns
    -------
    PretrainedEncoder
        `embed(signals_NCT)` gives one vector a window; `description` says what it was trained on and expects.

    Raises
    ------
    InputError
        If there is no readable encoder.
    """
    from ecgppg.stages.encoder_at import encoder_at
    from ecgppg.training.device import choose_device

    return encoder_at(Path(path), choose_device(device))


def open_dataset(path: Path | str) -> "SegmentDataset":
    """Open a dataset file for reading; see `ecgppg.store.reader.SegmentDataset`.

    Raises
    ------
    InputError
        If it is absent, not a dataset, or refused by the audit.
    """
    from ecgppg.store import reader

    return reader.open_dataset(path)


def torch_dataset(path: Path | str, split: str | None = None, columns: Sequence[str] = ()) -> "WindowDataset":
    """A dataset file as torch's DataLoader takes it, with any number of workers.

    Parameters
    ----------
    path : path
        `full_dataset.h5` of an output folder.
    split : str, optional
        train, val or test, by the splits.parquet beside the file; all windows by default.
    columns : sequence of str
        Columns to give along, labels for instance.

    Returns
    -------
    WindowDataset
        Items are dicts: `signals` float32 (C, T) in physical units, `present` (C,), `segment_id`, `subject_id`, and
        the columns.

    Raises
    ------
    InputError
        If the file cannot be read, or has no such column.
    RefusedError
        If there are no splits beside it.
    ConfigError
        If there is no such split.
    """
    from ecgppg.data.torch_dataset import WindowDataset

    source = open_dataset(path)
    if split is None:
        return WindowDataset(source, columns=columns)
    from ecgppg.config.errors import ConfigError
    from ecgppg.config.schema import SPLITS, OutputLayout
    from ecgppg.stages.split import read_splits

    if split not in SPLITS:
        raise ConfigError(f"split: {split!r} is none of {', '.join(SPLITS)}")
    splits = read_splits(OutputLayout(Path(path).parent).splits)
    return WindowDataset(source, splits.loc[splits["split"] == split, "subject_id"].to_numpy(), columns)
