"""The report's part on what the embedding is worth: each question's figures and numbers."""

from typing import Any

from ecgppg.config.schema import OutputLayout
from ecgppg.evaluation.evaluation_page import interval_text
from ecgppg.stages.evaluation_results import read_results
from ecgppg.stages.report_page import escape, figures, link, not_run, note, table, verdict

FIGURES = ("methods.png", "few_labels.png", "map.png")
LISTS = (("results", "methods"), ("knows", "what it knows"))
"""Lists of results.json that are tabled; differences and few labels are in the figures."""


def evaluation_body(layout: OutputLayout) -> str:
    """HTML of the evaluations of a run; says so where nothing was asked.

    Raises
    ------
    InputError
        If results are not what `evaluate` writes.
    """
    asked = read_results(layout)
    if not asked:
        return not_run("No label was asked yet: ecgppg evaluate does.")
    parts = []
    for folder, results in asked:
        where = folder.relative_to(layout.root).as_posix()
        parts.append(
            f"<h3>{escape(results['question'])}</h3>"
            + note(
                f"{results['n_recordings']:,} recordings, {results['outer_folds']} outer folds; {results['trained']}."
            )
            + (verdict(str(results["caution"]), good=False) if results.get("caution") else "")
            + figures(folder / name for name in FIGURES)
            + "".join(_numbers(results.get(name) or [], words) for name, words in LISTS)
            + link(f"{where}/evaluation.md", "all numbers of this question")
        )
    return "".join(parts) + note("Intervals are of 95 %, over patients.")


def _numbers(rows: list[dict[str, Any]], words: str) -> str:
    cells = [(row["method"], row["measure"], interval_text(row), f"{row['n_patients']:,}") for row in rows]
    return table((words, "measure", "estimate (95 % interval)", "patients"), cells, n_words=2) if cells else ""
