"""The stage that embeds every window of every split with the trained encoder."""

import logging
from typing import Any

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.config.schema import SPLITS, OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, sha256_file, write_completion
from ecgppg.data.dataset import SplitWindows
from ecgppg.data.splits import refuse_trained_on_test
from ecgppg.stages.embed_rows import embedded_rows
from ecgppg.stages.encoder_card import refresh_card
from ecgppg.stages.split import read_splits
from ecgppg.stages.train import windows_of
from ecgppg.store.embeddings import Embeddings, write_embeddings
from ecgppg.training.device import choose_device
from ecgppg.training.export import WEIGHTS, PretrainedEncoder, read_encoder

_log = logging.getLogger("ecgppg.embed")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Write embeddings.npz and one file a split, unless they are there and of this encoder and dataset.

    Windows go in whole and unaugmented, in float32; the weights are those of encoder/, chosen when it was written.

    Returns
    -------
    dict
        `windows`, `embedding_dim`, windows per split, and `done_before`.

    Raises
    ------
    InputError
        If there is no encoder, or it was made for other channels or another rate than the dataset's.
    RefusedError
        If the encoder was trained on a patient who is in test now.
    """
    encoder = read_encoder(layout.encoder, choose_device(settings.device))
    windows = windows_of(layout, *SPLITS)
    _refuse_other_input(encoder, windows, layout)
    known = (encoder.description.get(key, []) for key in ("train_subject_ids", "val_subject_ids"))
    refuse_trained_on_test(
        read_splits(layout.splits), (subject for ids in known for subject in ids), str(layout.encoder)
    )
    content = {
        "encoder_sha256": sha256_file(layout.encoder / WEIGHTS),
        "dataset": windows.source.attributes.get("content_hash", ""),
        "windows": windows.fingerprint(),
    }
    artefacts = {name: layout.embeddings_of(name) for name in SPLITS} | {"all": layout.embeddings}
    records = {name: read_completion(path) for name, path in artefacts.items()}
    split_N = _split_of(windows, layout)
    counts = {name: int((split_N == name).sum()) for name in SPLITS}
    summary = {"windows": len(windows), "embedding_dim": encoder.embedding_dim, **counts}
    refresh_card(settings, layout)
    if all(record is not None and record["content"] == content for record in records.values()):
        return {**summary, "done_before": True}
    with embedded_rows(encoder, windows, layout.embeddings, content, settings.loader_workers) as embedding_ND:
        everything = Embeddings(embedding_ND, windows.segment_id_N, windows.subject_id_N, split_N)
        for name, path in artefacts.items():
            rows = np.flatnonzero((split_N == name) | (name == "all"))
            write_embeddings(path, everything, rows)
            write_completion(path, content, len(rows), epoch=encoder.description["weights"]["epoch"])
    _log.info("embeddings: %d windows of %d numbers", len(windows), encoder.embedding_dim)
    return {**summary, "done_before": False}


def _split_of(windows: SplitWindows, layout: OutputLayout) -> np.ndarray:
    splits = read_splits(layout.splits).set_index("subject_id")["split"]
    return splits.reindex(windows.subject_id_N).to_numpy("U5")


def _refuse_other_input(encoder: PretrainedEncoder, windows: SplitWindows, layout: OutputLayout) -> None:
    wanted, attributes = encoder.description["input"], windows.source.attributes
    for key, name in (("channels", "channel_names"), ("sampling_rate_hz", "sampling_rate_hz")):
        if wanted[key] != attributes[name]:
            raise InputError(
                f"{layout.encoder}: the encoder takes {key} {wanted[key]}, {layout.dataset.name} has {attributes[name]}"
            )
