"""Another cohort through an encoder that is there: one .npz, which says of each patient whether the encoder met him."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.config.errors import InputError, RefusedError
from ecgppg.core.files import config_hash, read_completion, write_completion
from ecgppg.data.dataset import SplitWindows, select_windows
from ecgppg.stages.embed_rows import embedded_rows
from ecgppg.stages.encoder_at import encoder_at, refuse_unknown_patients
from ecgppg.store.embeddings import UNMET, Embeddings, write_embeddings
from ecgppg.store.reader import open_dataset
from ecgppg.training.device import choose_device
from ecgppg.training.export import PretrainedEncoder

_log = logging.getLogger("ecgppg.embed")


def run(checkpoint: Path, dataset: Path, output: Path, device: str = "auto", workers: int = 0) -> dict[str, Any]:
    """Embed every window of a dataset file.

    Parameters
    ----------
    checkpoint : Path
        See `stages.encoder_at`.
    dataset : Path
        A dataset file of any run. Its channels are taken by name: one that it lacks is absent to the encoder.
    output : Path
        The .npz. Split of a patient: train or val where the encoder was trained on or chosen by him; else test where
        the dataset is the encoder's own, and other where it is another.
    device : str
        auto, cpu, cuda or cuda:N.
    workers : int
        Reading processes; 0 reads here.

    Returns
    -------
    dict
        `windows`, `embedding_dim`, `patients` per split, `notes` on what differs, and `done_before`.

    Raises
    ------
    InputError
        If encoder or dataset cannot be read, do not go together, or nothing tells on whom the encoder was trained.
    RefusedError
        If a file lies at `output` that this command did not write.
    """
    encoder = encoder_at(checkpoint, choose_device(device))
    refuse_unknown_patients(encoder, checkpoint)
    source = open_dataset(dataset)
    windows = select_windows(source, np.unique(source.column("subject_id")))
    notes = differences(encoder, source.attributes, checkpoint, dataset)
    for note in notes:
        _log.warning("%s", note)
    split_N, patients = mark_patients(encoder, windows)
    _log.info("patients: %s", ", ".join(f"{n:,} {_words(name)}" for name, n in patients.items()))
    content = {
        "weights": encoder_hash(encoder),
        "dataset": source.attributes.get("content_hash", ""),
        "windows": windows.fingerprint(),
        "met": config_hash({"split": np.unique(windows.subject_id_N[np.isin(split_N, ("train", "val"))]).tolist()}),
    }
    summary = {"windows": len(windows), "embedding_dim": encoder.embedding_dim, "patients": patients, "notes": notes}
    record = read_completion(output)
    if record is not None and record["content"] == content:
        _log.info("embeddings: %s are there", output)
        return {**summary, "done_before": True}
    if record is None and output.exists():
        raise RefusedError(f"--output {output}: is there, and was not written by this command; name another file")
    with embedded_rows(encoder, windows, output, content, workers) as embedding_ND:
        write_embeddings(output, Embeddings(embedding_ND, windows.segment_id_N, windows.subject_id_N, split_N))
        write_completion(output, content, len(windows), summary=summary)
    _log.info("embeddings: %s windows of %d numbers in %s", f"{len(windows):,}", encoder.embedding_dim, output)
    return {**summary, "done_before": False}


def differences(encoder: PretrainedEncoder, attributes: dict[str, Any], name: Path, dataset: Path) -> list[str]:
    """How a dataset differs from what the encoder was trained on, one line each, where it can be embedded all the same.

    Raises
    ------
    InputError
        If it cannot: another sampling rate, or no channel that the encoder knows.
    """
    wanted = encoder.description["input"]
    held = list(attributes["channel_names"])
    shared = [channel for channel in encoder.channels if channel in held]
    if not shared:
        raise InputError(f"{name}: the encoder takes {', '.join(encoder.channels)}, {dataset} has {', '.join(held)}")
    if float(attributes["sampling_rate_hz"]) != float(wanted["sampling_rate_hz"]):
        raise InputError(
            f"{name}: the encoder takes {wanted['sampling_rate_hz']:g} Hz, {dataset} has "
            f"{attributes['sampling_rate_hz']:g} Hz; build it with sampling_rate_hz {wanted['sampling_rate_hz']:g}"
        )
    found = []
    if absent := [channel for channel in encoder.channels if channel not in held]:
        found.append(f"{dataset} has no {', '.join(absent)}: embedded by {', '.join(shared)} alone")
    if unused := [channel for channel in held if channel not in encoder.channels]:
        found.append(f"{dataset}: {', '.join(unused)} is unknown to the encoder and left out")
    seconds = attributes.get("segment_seconds")
    if seconds is not None and float(seconds) != float(wanted["segment_seconds"]):
        found.append(f"{dataset}: windows of {seconds:g} s, the encoder was trained on {wanted['segment_seconds']:g} s")
    filters = str(wanted.get("filters", "")).split(", ")
    for channel in shared:
        band = attributes.get(f"{channel.lower()}_band_hz")
        its = next((words for words in filters if words.startswith(f"{channel} ")), None)
        if band is not None and its is not None and its != f"{channel} {band[0]:g}-{band[1]:g} Hz zero-phase":
            found.append(f"{dataset}: filtered {channel} {band[0]:g}-{band[1]:g} Hz, the encoder was trained on {its}")
    return found


def mark_patients(encoder: PretrainedEncoder, windows: SplitWindows) -> tuple[np.ndarray, dict[str, int]]:
    """Split of each window by whether the encoder has met its patient, and patients per split.

    Numbers of MIMIC's patients and hashes of other subjects' names do not overlap; two folders that name their
    subjects alike do, and are then taken for the same patients: better left out of a test than in it by mistake.
    """
    own = windows.source.attributes.get("content_hash", "") == encoder.description["dataset_content_hash"]
    split_N = np.full(len(windows), "test" if own else UNMET, "U5")
    for name in ("val", "train"):
        split_N[np.isin(windows.subject_id_N, encoder.description[f"{name}_subject_ids"])] = name
    patients = {name: len(np.unique(windows.subject_id_N[split_N == name])) for name in ("train", "val", "test", UNMET)}
    return split_N, {name: n for name, n in patients.items() if n}


def encoder_hash(encoder: PretrainedEncoder) -> str:
    """Hash of weights and architecture, whatever file they came from."""
    import hashlib

    digest = hashlib.sha256(config_hash(encoder.description["encoder"]).encode())
    for name, value in sorted(encoder.network.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _words(split: str) -> str:
    return {
        "train": "that the encoder was trained on (train)",
        "val": "that it was chosen by (val)",
        "test": "of its own dataset that it has not met (test)",
        UNMET: f"that it has not met ({UNMET})",
    }[split]
