"""The report's part on what the embedding is worth: probes, beside everything simpler."""

from itertools import groupby

from ecgppg.config.schema import OutputLayout
from ecgppg.stages.evaluation_results import read_judged, result_files
from ecgppg.stages.report_figures import forest_svg
from ecgppg.stages.report_page import escape, figure, figures, not_run, note, table
from ecgppg.training.model_card import Judged

DRAWN = ("auroc", "average precision", "r2")
"""Measures whose methods are drawn beside one another."""


def evaluation_body(layout: OutputLayout) -> str:
    """HTML of the evaluations of a run; says so where nothing was asked."""
    files = result_files(layout)
    if not files:
        return not_run("No label was asked yet: ecgppg evaluate does.")
    judged = read_judged(layout)
    parts = [_question(question, list(rows)) for question, rows in groupby(judged, key=lambda row: row.question)]
    images = (path for file in files for path in sorted((*file.parent.glob("*.png"), *file.parent.glob("*.svg"))))
    return "".join(parts) + figures(images) + note("Intervals are of 95 %, bootstrapped over patients.")


def _question(question: str, rows: list[Judged]) -> str:
    drawn = "".join(
        figure(forest_svg([row for row in rows if row.measure == measure], measure), f"{measure} by method: {question}")
        for measure in DRAWN
        if sum(row.measure == measure for row in rows) > 1
    )
    cells = [
        (row.method, row.measure, f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}",
         "" if row.n_patients is None else f"{row.n_patients:,}")
        for row in rows
    ]  # fmt: skip
    numbers = table(("method", "measure", "value", "95 % interval", "patients"), cells, n_words=2)
    return f"<h3>{escape(question)}</h3>{drawn}{numbers}"
