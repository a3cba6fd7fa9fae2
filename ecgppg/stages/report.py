"""report.html: the whole run on one self-contained page, from what lies in the output folder."""

import base64
import html
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ecgppg.config.errors import InputError
from ecgppg.config.schema import SPLITS, OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_json, write_completion, write_text
from ecgppg.training.monitor import read_metrics

log = logging.getLogger("ecgppg")

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2830; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { border-top: 1px solid #d5dde2; padding-top: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: .6rem 0; } td, th { padding: .2rem .9rem .2rem 0; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } img { max-width: 100%; } .note { color: #55656f; }
.warn { background: #fff4e0; border-left: 4px solid #d08a1d; padding: .5rem .8rem; }
"""


def run(settings: Settings, layout: OutputLayout) -> dict[str, Any]:
    """Write report.html.

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
    """
    sections = [
        _section(lambda: _dataset(layout), layout.card_json),
        _section(lambda: _splits(layout, settings), layout.splits),
        _section(lambda: _training(layout), layout.metrics),
        _section(lambda: _discovery(layout), layout.patterns),
        _section(lambda: _stroke(layout), layout.stroke),
    ]
    body = "".join(f"<section>{section}</section>" for section in sections)
    completion_path(layout.report).unlink(missing_ok=True)
    title = f"ecgppg run: {html.escape(layout.root.name)}"
    write_text(
        layout.report,
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>{title}</h1>{body}</body></html>\n",
    )
    write_completion(layout.report, {}, len(sections))
    log.info("report: %s", layout.report)
    return {"n_sections": len(sections)}


def _section(make: Callable[[], str], source: Path) -> str:
    """A section, or which file does not hold what its stage writes."""
    try:
        return make()
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{source}: does not hold what its stage writes ({type(error).__name__})") from error


def _dataset(layout: OutputLayout) -> str:
    card = read_json(layout.card_json)
    if card is None:
        return _absent("Dataset")
    from ecgppg.stages.report_figures import attrition_png

    facts = [
        ("segments", f"{card['n_segments']:,}"),
        ("patients", f"{card['n_patients']:,}"),
        ("content hash", str(card["content_hash"])[:16]),
    ]
    warning = "" if card["n_segments"] else '<p class="warn">Nothing was kept: see the dropped windows below.</p>'
    figure = _image(attrition_png(card), "windows kept and dropped, by reason")
    note = f'<p class="note">{html.escape(card["agreement"])}</p>'
    return f"<h2>Dataset</h2>{warning}{_table(facts)}{figure}{note}"


def _splits(layout: OutputLayout, settings: Settings) -> str:
    if not layout.splits.is_file():
        return _absent("Splits")
    import pandas as pd

    frame = pd.read_parquet(layout.splits)
    least = settings.min_cell_patients
    sizes = {split: int((frame["split"] == split).sum()) for split in SPLITS}
    reserve = int(frame["risk_reserve"].sum())
    rows = [*sizes.items(), ("risk reserve (inside test)", reserve)]
    shown = [(name, f"{n:,}" if n == 0 or n >= least else f"<{least}") for name, n in rows]
    return f"<h2>Splits</h2>{_table(shown, 'patients')}"


def _training(layout: OutputLayout) -> str:
    if not layout.metrics.is_file():
        return _absent("Training")
    from ecgppg.stages.report_figures import training_png

    rows = read_metrics(layout.metrics)
    if not rows:
        return _absent("Training")
    last = rows[-1]
    facts = [
        ("epochs", f"{last['epoch']}"),
        ("train loss", f"{last['train_loss']:.3f}"),
        ("val loss", "none" if last.get("val_loss") is None else f"{last['val_loss']:.3f}"),
    ]
    return f"<h2>Training</h2>{_table(facts)}{_image(training_png(rows), 'loss, gradient norm, effective rank')}"


def _discovery(layout: OutputLayout) -> str:
    patterns = read_json(layout.patterns)
    if patterns is None:
        return _absent("Patterns")
    names = ("map.png", "overview.png")
    images = _images(layout.discovery / name for name in names)
    validation = _images([layout.validation / "enrichment.png"])
    links = '<p><a href="discovery/explorer.html">explorer</a>, <a href="validation/validation.md">validation</a></p>'
    said = html.escape(patterns["outcome"])
    return f"<h2>Patterns</h2><p>{said}</p>{images}{validation}{links}"


def _stroke(layout: OutputLayout) -> str:
    own = _stroke_part(layout, layout.stroke, "")
    simulated = _stroke_part(layout, layout.stroke / "simulated", " (simulated patients)")
    return own + simulated or _absent("Stroke")


def _stroke_part(layout: OutputLayout, folder: Path, whose: str) -> str:
    page = folder / "stroke_report.html"
    if not page.is_file():
        return ""
    drawn = [folder / name for name in ("forest.png", "calibration.png") if (folder / name).is_file()]
    images = _images(drawn or [folder / "cohort_flow.png"])
    link = html.escape(page.relative_to(layout.root).as_posix())
    return f'<h2>Stroke{whose}</h2>{images}<p><a href="{link}">the whole stroke report</a></p>'


def _absent(title: str) -> str:
    return f'<h2>{title}</h2><p class="note">This stage has not run.</p>'


def _table(rows: Iterable[tuple[str, str]], head: str = "") -> str:
    cells = "".join(f'<tr><td>{html.escape(k)}</td><td class="n">{html.escape(v)}</td></tr>' for k, v in rows)
    return f"<table>{f'<tr><th></th><th>{head}</th></tr>' if head else ''}{cells}</table>"


def _images(paths: Iterable[Path]) -> str:
    return "".join(_image(path.read_bytes(), path.stem) for path in paths if path.is_file())


def _image(png: bytes, words: str) -> str:
    return f'<p><img alt="{html.escape(words)}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></p>'
