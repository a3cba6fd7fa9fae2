"""An encoder that is there already: whom it has met, and what it makes of the others."""

from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, sha256_file, write_completion
from ecgppg.data.dataset import SplitWindows
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_train import embed_windows, write_array
from ecgppg.training.device import choose_device
from ecgppg.training.export import WEIGHTS, read_encoder


def patients_left(folder: Path, subject_id_N: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Which windows are of patients whom the encoder neither trained on nor was chosen by.

    Parameters
    ----------
    folder : Path
        The encoder's.
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
        If nobody is left, or nothing tells whom the encoder has met.
    """
    description = read_encoder(folder).description
    known: list[int] = []
    for key in ("train_subject_ids", "val_subject_ids"):
        if not isinstance(description.get(key), list):
            raise InputError(f"{folder}: nothing tells which patients this encoder was trained on or chosen by")
        known += description[key]
    left_N = ~np.isin(subject_id_N, np.array(known, np.int64))
    met = len(np.unique(subject_id_N[~left_N]))
    if not left_N.any():
        raise InputError(
            f"{folder}: the encoder has met all {met} patients of this dataset; nobody is left to judge by"
        )
    return left_N, {"patients": met, "windows": int((~left_N).sum())}


def given_embeddings(settings: Settings, layout: EvaluationLayout, folder: Path, windows: SplitWindows) -> np.ndarray:
    """Embeddings of the windows by the encoder, made once and kept, float32 (N, D).

    Raises
    ------
    InputError
        If the encoder takes other channels or another rate than the dataset has.
    """
    encoder = read_encoder(folder, choose_device(settings.device))
    wanted, attributes = encoder.description["input"], windows.source.attributes
    for key, name in (("channels", "channel_names"), ("sampling_rate_hz", "sampling_rate_hz")):
        if wanted[key] != attributes[name]:
            raise InputError(f"{folder}: the encoder takes {key} {wanted[key]}, the dataset has {attributes[name]}")
    content = {
        "encoder_sha256": sha256_file(folder / WEIGHTS),
        "dataset": str(attributes.get("content_hash", "")),
        "windows": windows.fingerprint(),
    }
    path = layout.given_embeddings
    record = read_completion(path)
    if record is None or record["content"] != content:
        write_array(path, embed_windows(encoder, windows, "embedding"))
        write_completion(path, content, len(windows))
    with np.load(path, allow_pickle=False) as arrays:
        embedding_ND: np.ndarray = arrays["embeddings"]
        return embedding_ND
