"""The stage that asks whether patterns go with diagnoses, patient by patient."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, read_json, sha256_file, write_completion, write_json, write_text
from ecgppg.core.side_files import side_files
from ecgppg.stages.discover import WINDOWS_FILE

if TYPE_CHECKING:
    import pandas as pd

    from ecgppg.discovery.validation import Validation

JSON_FILE, MARKDOWN_FILE, FIGURE_FILE = "validation.json", "validation.md", "enrichment.png"
_log = logging.getLogger("ecgppg.validate")


def run(
    settings: Settings, layout: OutputLayout, patterns_path: Path | None = None, metadata_path: Path | None = None
) -> dict[str, Any]:
    """Write OUT/validation/, unless it is there and made from the same patterns and labels.

    Parameters
    ----------
    settings : Settings
    layout : OutputLayout
    patterns_path : Path, optional
        OUT/discovery/discovered_patterns.json unless given; its table of windows lies beside it.
    metadata_path : Path, optional
        The table that holds the labels; that of OUT unless given.

    Returns
    -------
    dict
        `n_tests`, `n_significant`, `outcome`, `done_before`.

    Raises
    ------
    InputError
        If the patterns or their windows are absent, or of another build than the labels.
    """
    patterns_path = patterns_path or layout.patterns
    metadata_path = metadata_path or layout.metadata
    patterns = _read_patterns(patterns_path)
    windows_path = patterns_path.with_name(WINDOWS_FILE)
    artefact = layout.validation / JSON_FILE
    content = {
        **settings.content("run", "validate"),
        "min_cell_patients": settings.min_cell_patients,
        "windows_sha256": sha256_file(windows_path) if windows_path.is_file() else None,
        "labels_sha256": sha256_file(metadata_path) if metadata_path.is_file() else None,
    }
    record, stored = read_completion(artefact), read_json(artefact)
    if record is not None and record["content"] == content and isinstance(stored, dict):
        _log.info("validation is done already: %s", stored["outcome"])
        return {**_summary(stored), "done_before": True}

    from ecgppg.discovery.enrichment_figure import draw_enrichment
    from ecgppg.discovery.validation_report import validation_json, validation_markdown

    frame = _labelled_windows(windows_path, metadata_path)
    validation = _validate(settings, frame, len(patterns["clusters"]))
    patient_clusters = {c["id"] for c in patterns["clusters"] if c["patient_cluster"]}
    outcome = _outcome(validation, settings.alpha, len(patterns["clusters"]), _has_known_label(frame))
    described = validation_json(
        validation,
        patient_clusters,
        settings.alpha,
        settings.min_cell_patients,
        outcome,
        bool(patterns.get("includes_train")),
    )
    completion_path(artefact).unlink(missing_ok=True)
    (layout.validation / FIGURE_FILE).unlink(missing_ok=True)
    write_json(artefact, described)
    write_text(layout.validation / MARKDOWN_FILE, validation_markdown(described))
    if described["associations"]:
        draw_enrichment(layout.validation / FIGURE_FILE, described)
    beside = side_files(layout.validation, [layout.validation / MARKDOWN_FILE, layout.validation / FIGURE_FILE])
    write_completion(artefact, content, len(described["associations"]), files=beside)
    _log.info("validation: %s", outcome)
    return {**_summary(described), "done_before": False}


def _summary(described: dict[str, Any]) -> dict[str, Any]:
    return {
        "n_tests": described["n_tests"],
        "n_significant": sum(a["significant"] for a in described["associations"]),
        "outcome": described["outcome"],
    }


def _read_patterns(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; discovery writes it")
    patterns = read_json(path)
    if not isinstance(patterns, dict) or not isinstance(patterns.get("clusters"), list):
        raise InputError(f"{path}: is no discovered_patterns.json")
    if not all(isinstance(c, dict) and {"id", "patient_cluster"} <= c.keys() for c in patterns["clusters"]):
        raise InputError(f"{path}: a cluster lacks its id or patient_cluster")
    return patterns


def _labelled_windows(windows_path: Path, metadata_path: Path) -> "pd.DataFrame":
    """Windows of discovery, each with its cluster and whatever columns the metadata has."""
    import pandas as pd

    from ecgppg.store.metadata import read_metadata

    windows = read_metadata(windows_path)
    absent = [name for name in ("segment_id", "subject_id", "cluster") if name not in windows]
    if absent:
        raise InputError(f"{windows_path}: column {absent[0]} is absent")
    windows = windows[["segment_id", "subject_id", "cluster"]]
    if not metadata_path.is_file():
        return windows
    metadata = read_metadata(metadata_path).drop(columns="subject_id")
    joined: pd.DataFrame = windows.merge(metadata, on="segment_id", how="left", validate="1:1", indicator="found")
    lost = int((joined["found"] != "both").sum())
    if lost:
        raise InputError(f"{metadata_path}: lacks {lost} of the clustered segments: it is of another build")
    return joined.drop(columns="found")


def _has_known_label(frame: "pd.DataFrame") -> bool:
    from ecgppg.discovery.patients import binary_labels

    return bool((binary_labels(frame) >= 0).to_numpy().any())


def _validate(settings: Settings, frame: "pd.DataFrame", n_clusters: int) -> "Validation":
    from ecgppg.discovery.patients import binary_labels, exposure, patient_labels
    from ecgppg.discovery.validation import validate_clusters

    subject_id_N = frame["subject_id"].to_numpy()
    exposed = exposure(subject_id_N, frame["cluster"].to_numpy(), n_clusters)
    labels_P = patient_labels(binary_labels(frame), subject_id_N, exposed.subject_id_P)
    return validate_clusters(
        exposed,
        labels_P,
        n_permutations=settings.n_permutations,
        alpha=settings.alpha,
        n_bootstrap=settings.n_bootstrap,
        confidence=settings.confidence,
        seed=settings.seed,
    )


def _outcome(validation: "Validation", alpha: float, n_clusters: int, has_known_label: bool) -> str:
    if not n_clusters:
        return "Nothing to validate: discovery found no clusters."
    if not has_known_label:
        return "Nothing to validate against: no label is known for any patient."
    if not validation.associations:
        return "No test could be made: too few patients with or without each label, or in each cluster."
    n_sure = sum(a.q <= alpha for a in validation.associations)
    n_tests = len(validation.associations)
    return f"{n_sure} of {n_tests} tests significant at a false discovery rate of {alpha:g}."
