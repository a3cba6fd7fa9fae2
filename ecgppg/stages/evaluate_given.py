"""An encoder that is there already: whom it has met, and what it makes of the others."""

import logging
from pathlib import Path

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.config.settings import Settings
from ecgppg.data.dataset import SplitWindows
from ecgppg.stages.embed_cohort import differences, encoder_hash
from ecgppg.stages.encoder_at import encoder_at, refuse_unknown_patients
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_rows import kept_rows
from ecgppg.stages.evaluate_train import kept_embeddings
from ecgppg.store.reader import SegmentDataset
from ecgppg.training.device import choose_device
from ecgppg.training.export import PretrainedEncoder

_log = logging.getLogger("ecgppg.evaluate")


def given_encoder(settings: Settings, path: Path, dataset: SegmentDataset) -> PretrainedEncoder:
    """The encoder that a path names (see `stages.encoder_at`).

    Raises
    ------
    InputError
        If it cannot be read, does not go with the dataset, or nothing tells whom it has met.
    """
    encoder = encoder_at(path, choose_device(settings.device))
    refuse_unknown_patients(encoder, path)
    for note in differences(encoder, dataset.attributes, path, dataset.path):
        _log.warning("%s", note)
    return encoder


def patients_left(
    encoder: PretrainedEncoder, path: Path, subject_id_N: np.ndarray
) -> tuple[np.ndarray, dict[str, int]]:
    """Which windows are of patients whom the encoder neither trained on nor was chosen by.

    Parameters
    ----------
    encoder : PretrainedEncoder
    path : Path
        What the error calls it.
    subject_id_N : ndarray of int64
        Patient of each window of the dataset.

    Returns
    -------
    left_N : ndarray of bool
    excluded : dict
        `patients` and `windows` that are left out.

    Raises
    ------
    InputError
        If nobody is left.
    """
    known = [subject for name in ("train", "val") for subject in encoder.description[f"{name}_subject_ids"] or []]
    left_N = ~np.isin(subject_id_N, np.array(known, np.int64))
    met = len(np.unique(subject_id_N[~left_N]))
    if not left_N.any():
        raise InputError(f"{path}: the encoder has met all {met} patients of this dataset; nobody is left to judge by")
    return left_N, {"patients": met, "windows": int((~left_N).sum())}


def given_embeddings(
    settings: Settings, layout: EvaluationLayout, encoder: PretrainedEncoder, windows: SplitWindows
) -> np.ndarray:
    """Embeddings of the windows by the encoder, made once and kept, float32 (N, D)."""
    path, content = (
        layout.given_embeddings,
        {
            "weights": encoder_hash(encoder),
            "dataset": str(windows.source.attributes.get("content_hash", "")),
            "windows": windows.fingerprint(),
        },
    )
    kept = kept_rows(path, content)
    return (kept or kept_embeddings(settings, path, content, encoder, windows))["embeddings"]
