"""Counts that must agree between artefacts: what one says it holds, another has to confirm."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecgppg.config.errors import EcgppgError
from ecgppg.config.schema import SPLITS, OutputLayout
from ecgppg.core.files import read_completion, read_json
from ecgppg.core.side_files import begins_with

WEIGHTS = "encoder.safetensors"
"""In the encoder's folder."""
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, EcgppgError)
"""What reading a table or JSON that holds something else can raise."""


def count_problems(layout: OutputLayout) -> list[str]:
    """One line for each count that another artefact contradicts.

    Parameters
    ----------
    layout : OutputLayout
        Artefacts that are absent are passed over.
    """
    checks: tuple[tuple[Path, Callable[[OutputLayout], list[str]]], ...] = (
        (layout.dataset, _attrition), (layout.card_json, _card), (layout.splits, _splits),
        (layout.embeddings, _embeddings), (layout.patterns, _patterns), (layout.encoder / WEIGHTS, _metrics),
    )  # fmt: skip
    problems = []
    for path, check in checks:
        if path.is_file():
            try:
                problems += [f"{path}: {problem}" for problem in check(layout)]
            except DAMAGE as error:
                problems.append(f"{path}: does not hold what its stage writes ({' '.join(str(error).split())[:200]})")
    return problems


def _attrition(layout: OutputLayout) -> list[str]:
    """Every candidate is kept, dropped for a reason, or was not needed."""
    record = read_completion(layout.dataset)
    if record is None:
        return []
    problems = []
    counts = record["counts"]
    dropped = sum(n for key, n in counts.items() if key.startswith("window:"))
    if counts.get("windows_judged", 0) != counts.get("windows_kept", 0) + dropped:
        problems.append("judged windows are not the kept and the dropped together")
    if counts.get("windows_kept", 0) - counts.get("windows_of_left_out_patients", 0) != record["rows"]:
        problems.append("kept windows and rows differ")
    if sum(record["subjects"].values()) != record["rows"]:
        problems.append("rows by patient do not add up")
    absent = [p.name for p in (layout.card_json, layout.card_markdown, layout.metadata_pickle) if not p.is_file()]
    return problems + [f"{name} is absent beside it" for name in absent]


def _card(layout: OutputLayout) -> list[str]:
    card, record = read_json(layout.card_json), read_completion(layout.dataset)
    if record is None:
        return []
    told = {"n_segments": record["rows"], "counts": record["counts"], "config_hash": record["config_hash"]}
    return [f"{key} is not that of {layout.dataset.name}" for key, value in told.items() if card[key] != value]


def _splits(layout: OutputLayout) -> list[str]:
    import pandas as pd

    frame = pd.read_parquet(layout.splits)
    problems = []
    if frame["subject_id"].duplicated().any():
        problems.append("a patient stands in it twice")
    if not set(frame["split"]) <= set(SPLITS):
        problems.append("names a split that does not exist")
    return problems


def _embeddings(layout: OutputLayout) -> list[str]:
    """The splits' files hold, together, the segments of the whole one, each in its split."""
    import numpy as np

    from ecgppg.store.embeddings import read_embeddings

    whole = read_embeddings(layout.embeddings)
    problems = []
    for name in SPLITS:
        path = layout.embeddings_of(name)
        if not path.is_file():
            problems.append(f"{path.name} is absent beside it")
        elif not np.array_equal(read_embeddings(path).segment_id, whole.segment_id[whole.split == name]):
            problems.append(f"its segments of {name} are not those of {path.name}")
    return problems


def _patterns(layout: OutputLayout) -> list[str]:
    import pandas as pd

    patterns: Any = read_json(layout.patterns)
    clusters = patterns["clusters"]
    cluster_N = pd.read_parquet(layout.patterns.with_name(patterns["windows_file"]), columns=["cluster"])["cluster"]
    told = [
        ("n_segments", patterns["n_segments"], len(cluster_N)),
        ("n_noise", patterns["n_noise"], int((cluster_N < 0).sum())),
        *((f"n_segments of cluster {c['id']}", c["n_segments"], int((cluster_N == c["id"]).sum())) for c in clusters),
    ]
    return [f"{key} is {said}, the table of windows holds {held}" for key, said, held in told if said != held]


def _metrics(layout: OutputLayout) -> list[str]:
    """What was measured up to the last export is as it was; training on adds lines."""
    record = read_completion(layout.encoder / WEIGHTS)
    if record is None or "metrics" not in record:
        return []
    if not layout.metrics.is_file():
        return [f"{layout.metrics.name} is absent beside it"]
    if not begins_with(layout.metrics, record["metrics"]):
        return [f"{layout.metrics.name} does not begin with the bytes that were recorded"]
    return []
