"""report.html: the whole run on one self-contained page, from what lies in the output folder."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_json, write_completion, write_text
from ecgppg.stages.encoder_card import refresh_card
from ecgppg.stages.report_data import dataset_body, splits_body
from ecgppg.stages.report_evaluation import evaluation_body
from ecgppg.stages.report_page import Section, escape, figures, link, not_run, page
from ecgppg.stages.report_training import collapse_body, training_body

log = logging.getLogger("ecgppg")


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Write report.html, and the encoder's model card anew.

    Parameters
    ----------
    settings : Settings
        For the cell size under which counts of patients are hidden.
    layout : OutputLayout
        Sections of stages that have not run say so.

    Returns
    -------
    dict
        n_sections written.

    Raises
    ------
    InputError
        A file does not hold what its stage writes.
    """
    sections = [
        _section("Dataset", lambda: dataset_body(layout), layout.card_json),
        _section("Splits", lambda: splits_body(layout, settings), layout.splits),
        _section("Training", lambda: training_body(layout, settings), layout.metrics),
        _section("Collapse watch", lambda: collapse_body(layout), layout.metrics),
        _section("Evaluation", lambda: evaluation_body(layout), layout.root / "evaluation"),
        _section("Patterns", lambda: _discovery(layout), layout.patterns),
        _section("Stroke", lambda: _stroke(layout), layout.stroke),
    ]
    completion_path(layout.report).unlink(missing_ok=True)
    write_text(layout.report, page(f"ecgppg run: {layout.root.name}", str(layout.root), sections))
    write_completion(layout.report, {}, len(sections))
    refresh_card(settings, layout)
    log.info("report: %s", layout.report)
    return {"n_sections": len(sections)}


def _section(title: str, make: Callable[[], str], source: Path) -> Section:
    """A section, or which file does not hold what its stage writes."""
    try:
        return Section(title, make())
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{source}: does not hold what its stage writes ({type(error).__name__})") from error


def _discovery(layout: OutputLayout) -> str:
    patterns = read_json(layout.patterns)
    if patterns is None:
        return not_run()
    said = f"<p>{escape(patterns['outcome'])}</p>"
    images = figures(
        (layout.discovery / "map.png", layout.discovery / "overview.png", layout.validation / "enrichment.png")
    )
    pages = (
        ("discovery/explorer.html", "explorer: the patterns as strips"),
        ("validation/validation.md", "validation"),
    )
    return said + images + "".join(link(path, words) for path, words in pages if (layout.root / path).is_file())


def _stroke(layout: OutputLayout) -> str:
    own = _stroke_part(layout, layout.stroke, "")
    simulated = _stroke_part(layout, layout.stroke / "simulated", "Simulated patients")
    return own + simulated or not_run()


def _stroke_part(layout: OutputLayout, folder: Path, whose: str) -> str:
    report = folder / "stroke_report.html"
    if not report.is_file():
        return ""
    drawn = [folder / name for name in ("forest.png", "calibration.png") if (folder / name).is_file()]
    head = f"<h3>{whose}</h3>" if whose else ""
    images = figures(drawn or [folder / "cohort_flow.png"])
    return head + images + link(report.relative_to(layout.root).as_posix(), "the whole stroke report")
