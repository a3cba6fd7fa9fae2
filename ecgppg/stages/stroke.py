"""The stroke report of an output folder: feature table in, pages, figures and fitted models out."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import (
    atomic_path,
    read_completion,
    read_json,
    sha256_file,
    write_completion,
    write_json,
    write_text,
)
from ecgppg.core.side_files import side_files
from ecgppg.risk.analysis import Analysis, analyse
from ecgppg.risk.cohort import TASKS, build_cohort, read_features
from ecgppg.risk.embedded import AdmissionEmbeddings, mean_embeddings
from ecgppg.risk.figures import draw_figures
from ecgppg.risk.pages import to_html, to_markdown
from ecgppg.risk.planted import recovered_odds_ratio
from ecgppg.risk.report import report_blocks, report_json, title_of
from ecgppg.stages.split import read_splits
from ecgppg.synthetic.feature_table import PlantedTruth, simulate

MADE_BESIDE = ("stroke_report.md", "stroke_report.html", "models.json", "simulated_features.csv", "*.png")
log = logging.getLogger("ecgppg")


def run(
    settings: Settings,
    layout: OutputLayout,
    features_path: Path | None = None,
    simulated: bool = False,
    truth: PlantedTruth | None = None,
) -> dict[str, Any]:
    """Write the stroke report.

    Parameters
    ----------
    settings : Settings
        n_bootstrap, confidence, n_outer_folds, min_events, min_cell_patients, seed.
    layout : OutputLayout
        The report goes to its `stroke` folder, of simulated patients to `stroke/simulated`. Embeddings, splits and the
        encoder's manifest are taken from it where the feature table is its own.
    features_path : Path, optional
        The feature table; the layout's own if not given.
    simulated : bool
        Say on every page and figure that the patients are simulated.
    truth : PlantedTruth, optional
        What was planted in a simulated table: adds the ceiling and the recovered odds ratio.

    Returns
    -------
    dict
        The content of stroke_report.json.

    Raises
    ------
    InputError
        A table that cannot serve, or a leak.
    """
    features_path = features_path or layout.features
    definitions = load_definitions(Path(settings.code_lists) if settings.code_lists else None)
    table = read_features(features_path, definitions)
    folder = layout.stroke / "simulated" if simulated else layout.stroke
    folder.mkdir(parents=True, exist_ok=True)
    notes: list[str] = []
    embeddings = None
    if features_path.resolve() == layout.features.resolve():
        embeddings, note = _embeddings(settings, layout, table)
        notes += [note] if note else []
    analyses, recovered = [], []
    for task in TASKS:
        if task.outcome not in table:
            notes.append(f"{task.name.capitalize()} is not answered: the table has no column {task.outcome}.")
            continue
        chances = None if truth is None else _chances(truth, table, task.name)
        analyses.append(analyse(table, task, settings, truth=chances))
        if embeddings is not None:
            analyses.append(analyse(table, task, settings, embeddings=embeddings))
        if truth is not None:
            cohort = build_cohort(table, task)
            effects = truth.log_odds_ratios
            title = "Stroke in atrial fibrillation"
            recovered.append(recovered_odds_ratio(cohort, truth.patients, effects, "af", title, settings.confidence))
    for a in analyses:
        for line in a.warnings:
            log.warning("%s: %s", a.name, line)

    completion_path(folder / "stroke_report.json").unlink(missing_ok=True)
    figures = draw_figures(analyses, folder, simulated, settings.min_cell_patients)
    blocks = report_blocks(analyses, settings, figures, notes, simulated, recovered)
    report = report_json(analyses, settings, notes, simulated, recovered)
    write_text(folder / "stroke_report.md", to_markdown(blocks))
    write_text(folder / "stroke_report.html", to_html(blocks, title_of(simulated), folder))
    write_json(folder / "models.json", _fitted(analyses))
    write_json(folder / "stroke_report.json", report)
    content = settings.content("run", "stroke") | {"features_sha256": sha256_file(features_path)}
    beside = side_files(folder, (path for pattern in MADE_BESIDE for path in folder.glob(pattern)))
    write_completion(folder / "stroke_report.json", content, rows=len(analyses), files=beside)
    return report


def run_simulated(settings: Settings, layout: OutputLayout, n_patients: int = 2000) -> dict[str, Any]:
    """Write the same report on a simulated feature table, beside what was planted in it.

    Parameters
    ----------
    settings, layout
        As for `run`.
    n_patients : int
        Patients to draw.

    Returns
    -------
    dict
        The content of stroke/simulated/stroke_report.json.
    """
    table, truth = simulate(n_patients, settings.seed)
    path = layout.stroke / "simulated" / "simulated_features.csv"
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)
    return run(settings, layout, path, simulated=True, truth=truth)


def _chances(truth: PlantedTruth, table: pd.DataFrame, task: str) -> pd.Series:
    eligible = table.loc[table["first_eligible"] == 1, ["subject_id", "hadm_id"]]
    joined = eligible.merge(truth.patients, on=["subject_id", "hadm_id"], validate="1:1")
    return joined.set_index("subject_id")[f"probability_{task}"]


def _fitted(analyses: list[Analysis]) -> list[dict[str, Any]]:
    """Parameters of every model, fitted on all patients of its task."""
    return [
        {"task": a.cohort.task.name, "with_embeddings": a.with_embeddings, "models": a.ladder.fitted}
        for a in analyses
        if a.ladder is not None
    ]


def _embeddings(
    settings: Settings, layout: OutputLayout, table: pd.DataFrame
) -> tuple[AdmissionEmbeddings | None, str]:
    """Embeddings of this output folder by admission, or why they are left out."""
    if not layout.embeddings.is_file():
        return None, "No embeddings lie beside the table: the waveform enters by its measurements alone."
    left_out = "The embeddings are left out: "
    manifest = read_json(layout.encoder / "encoder.json")
    if not isinstance(manifest, dict) or "train_subject_ids" not in manifest:
        return None, left_out + "the encoder has no manifest that lists the patients it was trained on."
    if _of_another_encoder(layout):
        return None, left_out + "they are of another encoder than the one whose manifest lies there."
    for path in (layout.splits, layout.metadata):
        if not path.is_file():
            return None, left_out + f"{path.name} is absent."
    from ecgppg.store.embeddings import read_embeddings
    from ecgppg.store.metadata import read_metadata

    splits = read_splits(layout.splits)
    reserve = {int(s) for s in splits.loc[splits["risk_reserve"].astype(bool), "subject_id"]}
    if not reserve:
        return None, left_out + "the risk reserve is empty."
    stored = read_embeddings(layout.embeddings)
    windows = read_metadata(layout.metadata, ["segment_id", "subject_id", "hadm_id", "start_time_us"])
    segment_us = round(settings.segment_seconds * 1_000_000)
    keys, vectors = mean_embeddings(
        np.asarray(stored.embeddings, dtype=float), stored.segment_id, windows, table, segment_us
    )
    if keys.empty:
        raise InputError(f"{layout.embeddings}: holds no window of the patients in {layout.features.name}")
    # The encoder's weights were chosen on its val patients: it knows them too.
    trained_on = frozenset(int(s) for key in ("train_subject_ids", "val_subject_ids") for s in manifest.get(key, []))
    return AdmissionEmbeddings(keys, vectors, reserve, trained_on), ""


def _of_another_encoder(layout: OutputLayout) -> bool:
    """Whether the embeddings say that weights other than those of encoder/ made them; its manifest is then no guard."""
    made = read_completion(layout.embeddings)
    weights = sorted(layout.encoder.glob("*.safetensors"))
    return made is not None and bool(weights) and made["content"].get("encoder_sha256") != sha256_file(weights[0])
