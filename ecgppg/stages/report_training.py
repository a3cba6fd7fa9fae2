"""The report's part on training: curves, and whether the embedding has collapsed."""

from typing import Any

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_json
from ecgppg.stages.report_curves import Panel, curves_svg, is_number
from ecgppg.stages.report_page import figure, not_run, note, table, tiles, verdict
from ecgppg.training.collapse import GRACE_STEPS, HIGHEST_UNIFORMITY, LEAST_EFFECTIVE_RANK, LEAST_EMBEDDING_STD
from ecgppg.training.export import DESCRIPTION
from ecgppg.training.monitor import read_metrics
from ecgppg.training.objective_words import TERMS, objective_words

COLLAPSE = (
    Panel("effective rank", (("effective_rank", ""),), LEAST_EFFECTIVE_RANK, True, "collapse", zero_based=True),
    Panel(
        "embedding's standard deviation", (("embedding_std", ""),), LEAST_EMBEDDING_STD, True, "collapse",
        zero_based=True,
    ),
    Panel("uniformity", (("uniformity", ""),), HIGHEST_UNIFORMITY, False, "collapse"),
    Panel("alignment of two views", (("alignment", ""),), zero_based=True),
    Panel("alignment of ECG and PPG", (("ecg_ppg_alignment", ""),), zero_based=True),
)  # fmt: skip
EXPLAINED = (
    "Measured on the validation windows after each epoch. Effective rank: how many dimensions the embedding really "
    "uses. Uniformity: log mean potential of pairs on the sphere, 0 where all windows are one point. Alignment: mean "
    "squared distance of what belongs together; falling while uniformity rises to 0 is how a collapse begins."
)
NOT_MEASURES = ("epoch", "step")


def training_body(layout: OutputLayout, settings: Settings) -> str:
    """HTML of the training of a run; says so where there was none."""
    rows = read_metrics(layout.metrics)
    if not rows:
        return not_run()
    panels = _panels(rows, settings)
    best = _best(rows)
    curves = curves_svg(rows, panels, best["epoch"] if best else None)
    words = f"The green line marks epoch {best['epoch']}, of the lowest validation loss." if best else ""
    return (
        tiles(_facts(rows, best))
        + (figure(curves, "loss, learning rate, gradient norm and speed by epoch", words) if curves else "")
        + _skipped(rows)
        + _objective(layout)
    )


def collapse_body(layout: OutputLayout) -> str:
    """HTML of the collapse watch; says so where nothing was measured."""
    rows = read_metrics(layout.metrics)
    drawn = curves_svg(rows, COLLAPSE)
    if not drawn:
        return not_run("No validation windows, so nothing was measured." if rows else "Training has not run.")
    return _judgement(rows[-1]) + figure(drawn, "signs of collapse by epoch, with their limits") + note(EXPLAINED)


def _judgement(last: dict[str, Any]) -> str:
    step = last.get("step", GRACE_STEPS)
    if is_number(step) and step < GRACE_STEPS:
        return note(f"Not judged before {GRACE_STEPS} steps: a network that was just drawn looks collapsed.")
    signs = _signs(last)
    said = f"Collapsed in the last epoch: {'; '.join(signs)}." if signs else "No sign of collapse in the last epoch."
    return verdict(said, good=not signs)


def _panels(rows: list[dict[str, Any]], settings: Settings) -> list[Panel]:
    clip = f"clipped at {settings.max_grad_norm:g}"
    known = [
        Panel("loss", (("train_loss", "train"), ("val_loss", "val"))),
        Panel("learning rate", (("lr", ""),), zero_based=True),
        Panel(f"gradient norm ({clip})", (("grad_norm", ""),), zero_based=True),
        Panel("segments per second", (("segments_per_s", ""),), zero_based=True),
    ]
    if any(row.get("skipped_steps") for row in rows):
        known.append(Panel("steps skipped as not finite", (("skipped_steps", ""),), zero_based=True))
    drawn = {key for panel in (*known, *COLLAPSE) for key, _ in panel.lines} | {"skipped_steps", *NOT_MEASURES}
    others = dict.fromkeys(key for row in rows for key, value in row.items() if key not in drawn and is_number(value))
    return known + [Panel(key.replace("_", " "), ((key, ""),)) for key in others]


def _best(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    validated = [row for row in rows if is_number(row.get("val_loss"))]
    return min(validated, key=lambda row: row["val_loss"]) if validated else None


def _facts(rows: list[dict[str, Any]], best: dict[str, Any] | None) -> list[tuple[str, str]]:
    last = rows[-1]
    speeds = sorted(row["segments_per_s"] for row in rows if is_number(row.get("segments_per_s")))
    facts = [("epochs", f"{last['epoch']:,}"), ("steps", f"{last.get('step', 0):,}")]
    if is_number(last.get("train_loss")):
        facts.append(("train loss, last epoch", f"{last['train_loss']:.3f}"))
    if best:
        facts.append((f"lowest val loss, epoch {best['epoch']}", f"{best['val_loss']:.3f}"))
    if best and is_number(best.get("effective_rank")):
        facts.append(("effective rank there", f"{best['effective_rank']:.1f}"))
    if speeds:
        facts.append(("segments/s, median", f"{speeds[len(speeds) // 2]:,.0f}"))
    return facts


def _skipped(rows: list[dict[str, Any]]) -> str:
    n = sum(row["skipped_steps"] for row in rows if is_number(row.get("skipped_steps")))
    return verdict(f"{n:,} steps were skipped: loss or gradient was not finite.", good=False) if n else ""


def _objective(layout: OutputLayout) -> str:
    description = read_json(layout.encoder / DESCRIPTION)
    if not isinstance(description, dict):
        return note("No encoder is written yet: training has not come to its end.")
    training, encoder = description["training"], description["encoder"]
    asked = objective_words(training)
    terms = [f"{TERMS[name]} ({weight:g})" for name, weight in asked.weights.items()]
    widths, n_blocks = encoder.get("hidden_dims", ()), encoder.get("blocks_per_stage", 2)
    rows = [
        ("encoder", f"{encoder['name']}, widths {', '.join(map(str, widths))}, blocks a stage {n_blocks}"),
        ("embedding", f"{encoder['embedding_dim']} numbers"),
        ("objective (weight)", ", ".join([*terms, *asked.besides])),
        *([("temperature", f"{training['temperature']:g}")] if asked.compares else []),
        ("weights", f"epoch {description['weights']['epoch']}, {description['weights']['chosen']}"),
    ]
    return table(("what was trained", ""), rows, n_words=2)


def _signs(row: dict[str, Any]) -> list[str]:
    found = []
    for panel in COLLAPSE:
        value, limit = row.get(panel.lines[0][0]), panel.limit
        if limit is None or value is None or not is_number(value):
            continue
        if value < limit if panel.bad_below else value > limit:
            found.append(f"{panel.words} {value:.3g}, {'under' if panel.bad_below else 'above'} {limit:g}")
    return found
