"""The few names a notebook needs."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecgppg.store.reader import SegmentDataset
    from ecgppg.training.export import PretrainedEncoder


def load_encoder(folder: Path | str, device: str = "cpu") -> "PretrainedEncoder":
    """Load a trained encoder.

    Parameters
    ----------
    folder : path
        The `encoder/` folder of an output folder.
    device : str
        auto, cpu, cuda or cuda:N.

    Returns
    -------
    PretrainedEncoder
        `embed(signals_NCT)` gives one vector a window; `description` says what it was trained on and expects.

    Raises
    ------
    InputError
        If the folder holds no readable encoder.
    """
    from ecgppg.training.device import choose_device
    from ecgppg.training.export import read_encoder

    return read_encoder(Path(folder), choose_device(device))


def open_dataset(path: Path | str) -> "SegmentDataset":
    """Open a dataset file for reading; see `ecgppg.store.reader.SegmentDataset`.

    Raises
    ------
    InputError
        If it is absent, not a dataset, or refused by the audit.
    """
    from ecgppg.store import reader

    return reader.open_dataset(path)
