"""The dataset card: what is in the file, where everything that is not went, and what may be done with it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecgppg.config.schema import (
    LINK_GRADES,
    READ_REASONS,
    SCHEMA_VERSION,
    WINDOW_REASONS,
    OutputLayout,
    completion_path,
)
from ecgppg.config.settings import Settings
from ecgppg.core.files import atomic_path, read_completion, write_completion, write_json, write_text
from ecgppg.core.side_files import side_files
from ecgppg.stages.agreement import agreement
from ecgppg.stages.parts import FILTER_NOTE
from ecgppg.stages.record_flow import FlowStep, flow_lines, record_flow, unlinked_but_kept
from ecgppg.stages.record_flow_figure import record_flow_png
from ecgppg.stages.risk_reserve import reserve_standing

STEPS = (
    ("patients_found", "patients found", 0),
    ("patients_without_records", "left out: listed, but no record is there", 1),
    ("patients_under_age", "left out: under age at first admission", 1),
    ("patients_beyond_max_patients", "left out: beyond max_patients", 1),
    ("patients_built", "patients read", 0),
    ("patients_quarantined", "lost: every record killed its worker", 1),
    ("patients_too_few_windows", "left out: fewer kept windows than the least number", 1),
    ("patients_kept", "**patients kept**", 0),
    ("records_found", "records found", 0),
    ("records_read", "records read, of the patients read", 0),
    ("windows_candidate", "candidate windows, from headers", 0),
    ("windows_judged", "windows read and judged", 0),
    ("windows_kept", "windows that passed", 0),
    ("windows_of_left_out_patients", "left out: of patients with too few", 1),
)


def write_card(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Write dataset_card.md and dataset_card.json from the dataset's completion record.

    Parameters
    ----------
    settings : Settings
        For the cell size under which counts of patients are hidden.
    layout : OutputLayout
        Its dataset must be complete.

    Returns
    -------
    dict
        The content of dataset_card.json.
    """
    from ecgppg.store.reader import open_file

    record = read_completion(layout.dataset)
    assert record is not None, "the card is written after the dataset"
    with open_file(layout.dataset, audited=True) as file:
        content_hash = file.attrs["content_hash"]
    counts, labels = record["counts"], record["labels"]
    flow = _flow(settings, layout) if labels["clinical_tables"] else None
    card = {
        "schema_version": SCHEMA_VERSION,
        "config_hash": record["config_hash"],
        "content_hash": content_hash,
        "n_segments": record["rows"],
        "n_patients": counts.get("patients_kept", 0),
        "settings": record["content"],
        "filter": FILTER_NOTE,
        "counts": counts,
        "windows_dropped": _by_reason(counts, "window:", WINDOW_REASONS),
        "records_damaged": _by_reason(counts, "record:", READ_REASONS),
        "records_quarantined": record.get("quarantined", {}),
        "records_linked": _by_reason(counts, "linked:", LINK_GRADES),
        "record_flow": flow,
        "labels": labels | {"counts": _hide_small(labels.get("counts", []), settings.min_cell_patients)},
        "risk_reserve": reserve_standing(settings, layout),
        "agreement": agreement(settings.clinical_dir),
    }
    completion_path(layout.card_json).unlink(missing_ok=True)
    write_json(layout.card_json, card)
    write_text(layout.card_markdown, _markdown(card, layout.dataset))
    beside = side_files(layout.root, [layout.card_markdown, layout.metadata_pickle, layout.record_flow])
    write_completion(layout.card_json, {"content_hash": card["content_hash"]}, record["rows"], files=beside)
    return card


def _flow(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """The flow of records as numbers; draws its figure."""
    import pandas as pd

    linkage = pd.read_parquet(layout.linkage)
    steps = record_flow(linkage, settings.required_channels)
    with atomic_path(layout.record_flow) as temporary:
        temporary.write_bytes(record_flow_png(steps))
    return {
        "steps": [asdict(step) for step in steps],
        "kept_unlinked": unlinked_but_kept(linkage),
        "figure": layout.record_flow.name,
    }


def _by_reason(counts: dict[str, int], prefix: str, reasons: tuple[str, ...]) -> dict[str, int]:
    """Counts of one family, the known reasons in their order, zeros included for the reader's sake."""
    known = {reason: counts.get(prefix + reason, 0) for reason in reasons}
    others = {k.removeprefix(prefix): n for k, n in counts.items() if k.startswith(prefix)}
    return known | others


def _hide_small(rows: list[dict[str, Any]], least: int) -> list[dict[str, Any]]:
    """Counts of labels fit for people: those of fewer than `least` patients as '<least'."""
    if not rows:
        return []
    import pandas as pd

    from ecgppg.clinical.counts import hide_small_cells

    shown = hide_small_cells(pd.DataFrame(rows), least).astype(object)
    shown = shown.where(shown.notna(), f"<{least}")
    return [dict(zip(shown.columns, row, strict=True)) for row in shown.to_numpy().tolist()]


def _markdown(card: dict[str, Any], dataset: Path) -> str:
    settings = card["settings"]
    lines = [
        f"# Dataset card: {dataset.name}",
        "",
        f"{card['n_segments']:,} segments of {settings['segment_seconds']:g} s at {settings['sampling_rate_hz']:g} Hz, "
        f"channels {', '.join(settings['channels'])}, of {card['n_patients']:,} patients.",
        "",
        f"- content hash: `{card['content_hash']}`",
        f"- filter: {card['filter']}; ECG {_band(settings['ecg_band_hz'])}, PPG {_band(settings['ppg_band_hz'])}",
        f"- {card['agreement']}",
        "",
        "## Where everything went",
        "",
        "| step | count |",
        "|---|---:|",
    ]
    for key, words, depth in STEPS:
        if card["counts"].get(key) or not depth:
            lines.append(f"| {'&emsp;' * depth}{words} | {card['counts'].get(key, 0):,} |")
    lines += _table("Windows dropped, by reason", "reason", card["windows_dropped"])
    lines += _table("Records and segments damaged, by reason", "reason", card["records_damaged"])
    if card["records_quarantined"]:
        lines += ["", "## Records left out by name: reading them killed the process", ""]
        lines += [f"- `{record}`: {why}" for record, why in sorted(card["records_quarantined"].items())]
    if card["labels"]["clinical_tables"]:
        flow = card["record_flow"]
        lines += flow_lines([FlowStep(**step) for step in flow["steps"]], flow["kept_unlinked"], flow["figure"])
        lines += _table("Records linked to an admission, by grade", "grade", card["records_linked"])
        lines += _label_table(card["labels"]["counts"])
        history, source = card["labels"]["history"], card["labels"]["definitions"]
        lines += [
            "",
            f"Definitions: `{source['file']}`, version {source['version']} ({source['source']}).",
            "",
            f"In the tables {history['n_patients_readmitted']:,} of {history['n_patients']:,} patients have more than "
            "one admission: `_before`, `_after` and prediction are unknown for the others.",
            "",
            *(f"- {notice}" for notice in card["labels"]["notices"]),
        ]
    if card["risk_reserve"]:
        lines += ["", "## Risk reserve", "", card["risk_reserve"]["note"]]
    return "\n".join(lines) + "\n"


def _band(band_hz: list[float]) -> str:
    return f"{band_hz[0]:g}-{band_hz[1]:g} Hz"


def _table(title: str, head: str, counts: dict[str, int]) -> list[str]:
    """The reasons that occurred as a table, the others in one line."""
    rows = [f"| {key} | {n:,} |" for key, n in counts.items() if n]
    none = ", ".join(key for key, n in counts.items() if not n)
    table = [f"| {head} | count |", "|---|---:|", *rows, ""] if rows else []
    return ["", f"## {title}", "", *table, *([f"None: {none}."] if none else [])]


def _label_table(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    names = list(rows[0])
    lines = [
        "",
        "## Label definitions in the clinical tables",
        "",
        "Codes in any position, and in the first (primary). What each must not be used for: docs/labels.md.",
        "",
        f"| {' | '.join(names)} |",
        "|---" * len(names) + "|",
    ]
    return lines + [f"| {' | '.join(str(row[name]) for name in names)} |" for row in rows]
