"""The encoder that a path names: a folder of encoder files, an output folder, or a training checkpoint in one."""

from dataclasses import replace
from pathlib import Path

import torch

from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout
from ecgppg.training.export import DESCRIPTION, WEIGHTS, PretrainedEncoder, read_encoder


def encoder_at(path: Path, device: torch.device | str = "cpu") -> PretrainedEncoder:
    """Load an encoder.

    Parameters
    ----------
    path : Path
        `OUT/encoder`, one of the files in it, `OUT` itself, or a checkpoint (.pth). The patients of a checkpoint are
        those of splits.parquet beside it; without that file they are unknown (None in the description).
    device : torch.device or str

    Raises
    ------
    InputError
        If nothing there is an encoder.
    RefusedError
        If a checkpoint is truncated or of another release, or the splits beside it cannot be read.
    """
    if path.suffix == ".pth" and path.is_file():
        from ecgppg.training.from_checkpoint import encoder_of_checkpoint

        return _with_patients(encoder_of_checkpoint(path, device), OutputLayout(path.absolute().parent))
    folder = path.parent if path.name in (WEIGHTS, DESCRIPTION) else path
    below = OutputLayout(folder).encoder
    return read_encoder(below if not (folder / DESCRIPTION).is_file() and below.is_dir() else folder, device)


def refuse_unknown_patients(encoder: PretrainedEncoder, path: Path) -> None:
    """Refuse an encoder that cannot say on whom it was trained.

    Raises
    ------
    InputError
        Says what would tell.
    """
    if encoder.description["train_subject_ids"] is None:
        raise InputError(
            f"{path}: nothing says which patients it was trained on; name the encoder/ folder, or put the "
            "splits.parquet of its run beside it"
        )


def _with_patients(encoder: PretrainedEncoder, layout: OutputLayout) -> PretrainedEncoder:
    if not layout.splits.is_file():
        return encoder
    from ecgppg.stages.split import read_splits

    splits = read_splits(layout.splits)
    known = {
        f"{name}_subject_ids": splits.loc[splits["split"] == name, "subject_id"].tolist() for name in ("train", "val")
    }
    return replace(encoder, description=encoder.description | known)
