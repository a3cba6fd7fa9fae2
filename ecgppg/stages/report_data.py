"""The report's part on the data: what was kept, and who is in which split."""

from collections import Counter
from typing import Any

from ecgppg.config.schema import SPLITS, OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_json
from ecgppg.stages.report_figures import attrition_svg
from ecgppg.stages.report_page import figure, not_run, note, table, tiles, verdict

RESERVE = "risk reserve (inside test)"


def dataset_body(layout: OutputLayout) -> str:
    """HTML of the dataset: its size, and where every window went."""
    card = read_json(layout.card_json)
    if card is None:
        return not_run()
    built = card["settings"]
    facts = [
        ("segments kept", f"{card['n_segments']:,}"),
        ("patients", f"{card['n_patients']:,}"),
        ("channels", " + ".join(built["channels"])),
        ("a segment", f"{built['segment_seconds']:g} s at {built['sampling_rate_hz']:g} Hz"),
    ]
    warning = "" if card["n_segments"] else verdict("Nothing was kept: see the dropped windows below.", good=False)
    drawn = figure(attrition_svg(card), "windows kept and dropped, by reason")
    return warning + tiles(facts) + drawn + note(f"{card['agreement']} Content hash {card['content_hash'][:16]}.")


def splits_body(layout: OutputLayout, settings: Settings) -> str:
    """HTML of the splits: patients, windows, and what they were balanced by; small counts of patients are hidden."""
    if not layout.splits.is_file():
        return not_run()
    import pandas as pd

    splits = pd.read_parquet(layout.splits)
    windows = _windows_by_patient(layout)
    groups = {name: splits[splits["split"] == name] for name in SPLITS} | {RESERVE: splits[splits["risk_reserve"]]}
    least, n_all = settings.min_cell_patients, max(sum(windows.values()), 1)
    rows = []
    for name, group in groups.items():
        n_windows = sum(windows.get(subject, 0) for subject in group["subject_id"].tolist())
        hidden = 0 < len(group) < least
        shown = ("", "") if hidden or not windows else (f"{n_windows:,}", f"{n_windows / n_all:.0%}")
        rows.append((name, _cell(len(group), least), *shown))
    return (
        table(("split, by patient", "patients", "windows", "share of windows"), rows)
        + _strata(groups, least)
        + note("Val chooses the epoch; test is opened by evaluation, discovery and risk alone. Nobody changes splits.")
    )


def _strata(groups: dict[str, Any], least: int) -> str:
    """Patients of each split by the labels they were balanced by."""
    counts: dict[str, list[int]] = {}
    for i, name in enumerate(SPLITS):
        for stratum in groups[name]["stratum"]:
            for label in str(stratum).split():
                if label.endswith("=1"):
                    counts.setdefault(label.removesuffix("=1"), [0] * len(SPLITS))[i] += 1
    rows = [
        (label, *(_cell(n, least) for n in counts[label]))
        for label in ("stroke", "arrhythmia", "death")
        if label in counts
    ]
    return table(("patients with", *SPLITS), rows) if rows else ""


def _windows_by_patient(layout: OutputLayout) -> dict[int, int]:
    if not layout.metadata.is_file():
        return {}
    import pandas as pd

    subject = pd.read_parquet(layout.metadata, columns=["subject_id"])["subject_id"]
    return dict(Counter(subject.tolist()))


def _cell(n: int, least: int) -> str:
    return f"{n:,}" if n == 0 or n >= least else f"<{least}"
