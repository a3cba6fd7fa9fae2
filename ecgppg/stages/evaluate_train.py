"""What is frozen before the encoders of outer folds are trained, and what they are read for afterwards.

The training itself is in `fold_trainings`: each encoder on the patients outside its fold, and on no label.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ecgppg.config.errors import InputError, RefusedError
from ecgppg.config.settings import Settings
from ecgppg.core.files import (
    atomic_path,
    changed_keys,
    config_hash,
    read_completion,
    read_json,
    write_completion,
    write_json,
)
from ecgppg.data.dataset import SplitWindows
from ecgppg.models.registry import build_encoder
from ecgppg.stages.embed_rows import embedded_rows
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_rows import keep_rows, kept_rows
from ecgppg.stages.split import read_splits
from ecgppg.store.embeddings import read_embeddings
from ecgppg.store.reader import SegmentDataset
from ecgppg.training.device import choose_device
from ecgppg.training.export import PretrainedEncoder
from ecgppg.training.fold import fold_patients

_log = logging.getLogger("ecgppg.evaluate")


def frozen_folds(
    settings: Settings, layout: EvaluationLayout, dataset: SegmentDataset, stratum_N: np.ndarray
) -> pd.DataFrame:
    """The fold of each patient: dealt once, then read, so that every question is asked of the same encoders.

    Parameters
    ----------
    settings : Settings
        outer_folds, seed.
    layout : EvaluationLayout
    dataset : SegmentDataset
    stratum_N : ndarray
        What the first question balances: codes of its label, one a window.

    Raises
    ------
    InputError
        If there are fewer patients than folds.
    RefusedError
        If folds were dealt with other settings or for another dataset.
    """
    content = {
        "outer_folds": settings.outer_folds,
        "seed": settings.seed,
        "dataset": str(dataset.attributes.get("content_hash", "")),
    }
    record = read_completion(layout.folds)
    if record is not None:
        if changed := changed_keys(record["content"], content):
            raise RefusedError(
                f"{layout.folds} was dealt otherwise: {'; '.join(changed)}; put these back, or give another "
                "--output-dir"
            )
        return pd.read_parquet(layout.folds)
    folds = fold_patients(dataset.column("subject_id"), stratum_N, settings.outer_folds, settings.seed)
    if len(folds) < settings.outer_folds:
        raise InputError(f"outer_folds: {settings.outer_folds} folds need as many patients; there are {len(folds)}")
    with atomic_path(layout.folds) as temporary:
        folds.to_parquet(temporary, index=False)
    write_completion(layout.folds, content, len(folds))
    return folds


def folds_hash(folds: pd.DataFrame) -> str:
    """Short hash of who is in which fold."""
    return config_hash({name: folds[name].tolist() for name in ("subject_id", "fold")})


def keep_settings(settings: Settings, layout: EvaluationLayout) -> None:
    """Write down what trains these encoders, so that another question need not repeat it.

    Raises
    ------
    RefusedError
        If encoders of this name were begun with other settings.
    """
    stored = read_json(layout.config)
    wanted = settings.content("run", "build", "train")
    if isinstance(stored, dict) and (changed := changed_keys({key: stored.get(key) for key in wanted}, wanted)):
        raise RefusedError(
            f"{layout.config.parent} holds encoders trained otherwise: {'; '.join(changed)}; put these back, or give "
            "the new ones another --name"
        )
    write_json(layout.config, settings.model_dump(mode="json"))


def fold_embeddings(layout: EvaluationLayout, fold: int, segment_id_N: np.ndarray) -> np.ndarray:
    """Embeddings of all windows by one fold's encoder, in the order of `segment_id_N`."""
    held = read_embeddings(layout.fold(fold).embeddings)
    return in_order(held.embeddings, held.segment_id, segment_id_N)


def in_order(values: np.ndarray, held_id_N: np.ndarray, wanted_id_N: np.ndarray) -> np.ndarray:
    """Rows whose segment_id rises, put in the order of other segment_ids.

    Raises
    ------
    RefusedError
        If a wanted one is not held.
    """
    place = np.minimum(np.searchsorted(held_id_N, wanted_id_N), len(held_id_N) - 1)
    if not np.array_equal(held_id_N[place], wanted_id_N):
        raise RefusedError("embeddings do not hold every window of the dataset: they were made of another")
    return values[place]


def untrained_embeddings(
    settings: Settings, layout: EvaluationLayout, encoders: Sequence[PretrainedEncoder], windows: SplitWindows
) -> list[list[np.ndarray]]:
    """Embeddings by the same encoders with fresh weights, of as many seeds: what the architecture alone gives.

    Parameters
    ----------
    settings : Settings
        probe_seeds: weights of the seeds 1, 2, and so on.
    layout : EvaluationLayout
    encoders : sequence of PretrainedEncoder
        Those of the folds, or the one.
    windows : SplitWindows

    Returns
    -------
    list of list of ndarray, float32 (N, D)
        For each seed one matrix where all encoders are built alike, else one a fold; in the order of `windows`.
    """
    made = []
    for seed in range(1, settings.probe_seeds + 1):
        by_kind: dict[str, np.ndarray] = {}
        for encoder in encoders:
            kind = config_hash(encoder.description["encoder"])
            if kind not in by_kind:
                path = layout.untrained(seed, kind if by_kind else None)
                by_kind[kind] = _untrained(settings, path, encoder.description, seed, windows)
        kinds = [config_hash(encoder.description["encoder"]) for encoder in encoders]
        made.append([by_kind[kind] for kind in (kinds if len(by_kind) > 1 else kinds[:1])])
    return made


def _untrained(
    settings: Settings, path: Path, description: dict[str, Any], seed: int, windows: SplitWindows
) -> np.ndarray:
    encoder, channels = description["encoder"], description["input"]["channels"]
    content = {
        "encoder": encoder,
        "seed": seed,
        "dataset": str(windows.source.attributes.get("content_hash", "")),
        "windows": windows.fingerprint(),
    }
    kept = kept_rows(path, content)
    if kept is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_encoder(encoder)
        network = network.requires_grad_(False).eval().to(choose_device(settings.device))
        fresh = PretrainedEncoder(network, {"encoder": encoder, "input": {"channels": channels}})
        _log.info("untrained encoder %d of %d", seed, settings.probe_seeds)
        kept = kept_embeddings(settings, path, content, fresh, windows)
    return kept["embeddings"]


def write_splits(path: Path, splits: pd.DataFrame) -> None:
    """Write the splits of a training once.

    Raises
    ------
    RefusedError
        If there are others already.
    """
    if path.is_file():
        held = read_splits(path)
        columns = ["subject_id", "split"]
        if not held[columns].astype(str).equals(splits[columns].astype(str)):
            raise RefusedError(f"{path}: other patients than these folds have; name another --name or --output-dir")
        return
    with atomic_path(path) as temporary:
        splits.to_parquet(temporary, index=False)
    write_completion(path, {}, len(splits))


def kept_embeddings(
    settings: Settings, path: Path, content: dict[str, Any], encoder: PretrainedEncoder, windows: SplitWindows
) -> dict[str, np.ndarray]:
    """Embed windows and keep them: `embeddings`, float32 (N, D), in the order of the windows, and `segment_id`."""
    with embedded_rows(encoder, windows, path, content, settings.loader_workers) as embedding_ND:
        held = np.array(embedding_ND)
        keep_rows(path, content, windows.segment_id_N, embeddings=held)
    return {"embeddings": held, "segment_id": windows.segment_id_N}
