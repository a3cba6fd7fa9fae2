"""The stage that seeks patterns: embeddings in; clusters, strips, maps and the explorer out."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgppg.config.errors import InputError
from ecgppg.config.schema import SCHEMA_VERSION, UNKNOWN_ID, OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import atomic_path, read_completion, read_json, sha256_file, write_completion, write_json
from ecgppg.core.side_files import side_files
from ecgppg.stages.agreement import agreement
from ecgppg.store.embeddings import read_embeddings

if TYPE_CHECKING:
    import pandas as pd

    from ecgppg.discovery.patterns import Patterns
    from ecgppg.discovery.selection import Selection
    from ecgppg.discovery.strip_data import Strip

WINDOWS_FILE = "windows.parquet"
WINDOW_COLUMNS = ("record", "start_sample", "heart_rate_bpm", "rr_cv", "quality")
_log = logging.getLogger("ecgppg.discover")


def run(
    settings: Settings,
    layout: OutputLayout,
    embeddings_path: Path | None = None,
    dataset_path: Path | None = None,
    metadata_path: Path | None = None,
) -> dict[str, Any]:
    """Write OUT/discovery/, unless it is there and made from the same embeddings with the same settings.

    Parameters
    ----------
    settings : Settings
    layout : OutputLayout
    embeddings_path : Path, optional
        OUT/embeddings.npz unless given.
    dataset_path, metadata_path : Path, optional
        The dataset and its table; those of OUT unless given. Without the first there are no strips, without the
        second no heart rates; each is said once.

    Returns
    -------
    dict
        `n_clusters`, `n_segments`, `n_patients`, `outcome`, `done_before`.

    Raises
    ------
    InputError
        If there are no embeddings, or a file cannot be read.
    ConfigError
        If discovery_splits names train without include_train.
    """
    embeddings_path = embeddings_path or layout.embeddings
    metadata_path = metadata_path or layout.metadata
    dataset_path = dataset_path or layout.dataset
    content = {
        **settings.content("run", "discover"),
        "embeddings_sha256": sha256_file(embeddings_path) if embeddings_path.is_file() else None,
        "with_metadata": metadata_path.is_file(),
        "with_dataset": dataset_path.is_file(),
    }
    record, stored = read_completion(layout.patterns), read_json(layout.patterns)
    if record is not None and record["content"] == content and isinstance(stored, dict):
        _log.info("discovery is done already: %s", stored["outcome"])
        return {**_summary(stored), "done_before": True}

    # Read only once it is known to be needed: these imports and files are heavy.
    from ecgppg.discovery.cluster import few_threads
    from ecgppg.discovery.patterns import find_patterns
    from ecgppg.discovery.selection import select_windows

    embeddings = read_embeddings(embeddings_path)
    selection = select_windows(embeddings, settings)
    metadata = _metadata_of(selection, metadata_path)
    _remove_old(layout)
    with few_threads(settings.num_workers):
        patterns = find_patterns(selection, metadata, settings)
    described = _patterns_json(settings, selection, patterns, metadata)
    strips = _strips(described, dataset_path, metadata)
    _write_tables(layout, selection, patterns, metadata)
    write_json(layout.patterns, described)
    _draw(layout, settings, described, selection, patterns, metadata, strips)
    drawn = side_files(layout.discovery, _made(layout))
    write_completion(layout.patterns, content, len(described["clusters"]), files=drawn)
    _log.info("discovery: %s", described["outcome"])
    return {**_summary(described), "done_before": False}


def _summary(described: dict[str, Any]) -> dict[str, Any]:
    return {
        "n_clusters": len(described["clusters"]),
        **{name: described[name] for name in ("n_segments", "n_patients", "outcome")},
    }


def _metadata_of(selection: "Selection", path: Path) -> "pd.DataFrame | None":
    """One row a selected window, in its order."""
    from ecgppg.store.metadata import read_metadata

    if not path.is_file():
        _log.info("discovery: %s is absent: clusters without heart rates", path)
        return None
    frame = read_metadata(path).set_index("segment_id", drop=False)
    absent = ~np.isin(selection.embeddings.segment_id, frame.index.to_numpy())
    if absent.any():
        raise InputError(f"{path}: lacks {int(absent.sum())} of the embedded segments: it is of another build")
    return frame.loc[selection.embeddings.segment_id]


def _remove_old(layout: OutputLayout) -> None:
    """Files of an earlier run: a cluster that is no longer there must not keep its strips."""
    completion_path(layout.patterns).unlink(missing_ok=True)
    for old in _made(layout):
        old.unlink()


def _made(layout: OutputLayout) -> list[Path]:
    """Files that this stage writes beside the patterns."""
    patterns = ("cluster_*_segments.csv", "strips_cluster_*.png", "map.png", "overview.png", "explorer.html")
    return [path for pattern in (*patterns, WINDOWS_FILE) for path in layout.discovery.glob(pattern)]


def _patterns_json(
    settings: Settings, selection: "Selection", patterns: "Patterns", metadata: "pd.DataFrame | None"
) -> dict[str, Any]:
    from ecgppg.discovery.describe import descriptors

    n = len(selection.embeddings)
    return {
        "schema_version": SCHEMA_VERSION,
        "outcome": patterns.outcome,
        "parameters": settings.content("run", "discover"),
        "splits": list(selection.splits),
        "includes_train": selection.includes_train,
        "n_segments_offered": selection.n_offered,
        "n_segments": n,
        "n_patients": selection.n_patients,
        "n_noise": int((patterns.labels_N < 0).sum()),
        "map_method": patterns.map_method,
        "windows_file": WINDOWS_FILE,
        "descriptors_of_all": descriptors(metadata, settings.seed) if n else {},
        "clusters": patterns.clusters,
    }


def _strips(described: dict[str, Any], path: Path, metadata: "pd.DataFrame | None") -> dict[int, "Strip"]:
    if not path.is_file():
        _log.info("discovery: %s is absent: clusters without strips", path)
        return {}
    from ecgppg.discovery.strip_data import read_strips
    from ecgppg.store.reader import open_dataset

    wanted = [int(s) for c in described["clusters"] for s in c["exemplar_segment_ids"]]
    with open_dataset(path) as dataset:
        return read_strips(dataset, wanted, metadata)


def _write_tables(
    layout: OutputLayout, selection: "Selection", patterns: "Patterns", metadata: "pd.DataFrame | None"
) -> None:
    """Every selected window with its cluster, and a table a cluster for whoever wants to look them up."""
    import csv

    import pandas as pd

    from ecgppg.discovery.patterns import segments_file

    rows = selection.embeddings
    table = pd.DataFrame(
        {
            "segment_id": rows.segment_id,
            "subject_id": rows.subject_id,
            "split": rows.split,
            "cluster": patterns.labels_N,
            "map_x": patterns.map_N2[:, 0],
            "map_y": patterns.map_N2[:, 1],
        }
    )
    with atomic_path(layout.discovery / WINDOWS_FILE) as temporary:
        table.to_parquet(temporary, index=False)
    about = [] if metadata is None else [c for c in WINDOW_COLUMNS if c in metadata]
    for k in range(len(patterns.clusters)):
        members = np.flatnonzero(patterns.labels_N == k)
        named = table.iloc[members][["segment_id", "subject_id", "split"]].astype(str).reset_index(drop=True)
        if metadata is not None:
            named[about] = metadata.iloc[members][about].reset_index(drop=True)
        with atomic_path(layout.discovery / segments_file(k)) as temporary:
            # Quoted: spreadsheets round a bare 19-digit number.
            named.to_csv(temporary, index=False, quoting=csv.QUOTE_NONNUMERIC)


def _draw(
    layout: OutputLayout,
    settings: Settings,
    described: dict[str, Any],
    selection: "Selection",
    patterns: "Patterns",
    metadata: "pd.DataFrame | None",
    strips: dict[int, "Strip"],
) -> None:
    from ecgppg.discovery.explorer import subtitle, write_explorer
    from ecgppg.discovery.maps import draw_map
    from ecgppg.discovery.overview import draw_overview
    from ecgppg.discovery.strips import draw_strips

    rows, clusters = selection.embeddings, described["clusters"]
    heading = subtitle(described)
    if described["includes_train"]:
        heading += " - includes patients the encoder was trained on"
    rate = None if metadata is None else metadata["heart_rate_bpm"].to_numpy(np.float64)
    if len(rows) > 1:
        draw_map(
            layout.discovery / "map.png", patterns.map_N2, patterns.labels_N, rows.subject_id, rate, heading,
            patterns.map_method,
        )  # fmt: skip
    if clusters:
        draw_overview(layout.discovery / "overview.png", clusters, strips, heading, described["descriptors_of_all"])
    for c in clusters:
        shown = [strips[int(s)] for s in c["exemplar_segment_ids"] if int(s) in strips]
        if shown:
            words = (
                f"{c['n_segments']:,} windows of {c['n_patients']} patients, the largest holds "
                f"{c['largest_patient_share']:.0%}; stability {c['stability']:.2f}; its {len(shown)} most central"
            )
            draw_strips(layout.discovery / f"strips_cluster_{c['id']}.png", shown, c["id"], words)
    points = {
        "map_x": patterns.map_N2[:, 0],
        "map_y": patterns.map_N2[:, 1],
        "cluster": patterns.labels_N,
        "segment_id": rows.segment_id,
        "subject_id": rows.subject_id,
    }
    if metadata is not None:
        points |= {name: metadata[name].to_numpy(np.float64) for name in ("heart_rate_bpm", "rr_cv")}
    notices = _notices(settings, described, metadata, bool(strips))
    write_explorer(layout.discovery / "explorer.html", described, points, strips, notices)


def _notices(
    settings: Settings, described: dict[str, Any], metadata: "pd.DataFrame | None", with_strips: bool
) -> list[tuple[str, bool]]:
    """What the explorer's reader must know."""
    notices: list[tuple[str, bool]] = []
    if with_strips:
        low, high = settings.ecg_band_hz
        notices = [(f"ECG filtered {low:g}-{high:g} Hz: right for rhythm, not for ST segments.", False)]
    if described["includes_train"]:
        notices.append(("Includes patients the encoder was trained on: clusters may be memories of them.", True))
    linked = metadata is not None and "hadm_id" in metadata and bool((metadata["hadm_id"] != UNKNOWN_ID).any())
    if linked or settings.clinical_dir is not None:
        notices.append((agreement(settings.clinical_dir, linked), True))
    return notices
