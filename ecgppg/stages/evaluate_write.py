"""The answer as files: numbers for programs, a page and a table for people."""

import logging
from typing import Any

from ecgppg.core.files import write_completion, write_json, write_text
from ecgppg.core.side_files import side_files
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import Question

_log = logging.getLogger("ecgppg.evaluate")


def write_results(
    layout: EvaluationLayout, question: Question, results: dict[str, Any], content: dict[str, Any]
) -> dict[str, Any]:
    """Write results.json and evaluation.md, the completion record last; say the table.

    Returns
    -------
    dict
        The results.
    """
    folder = layout.task(question.name)
    path = folder / "results.json"
    page = "\n".join(page_lines(results)) + "\n"
    write_json(path, results)
    write_text(folder / "evaluation.md", page)
    write_completion(path, content, len(results["results"]), files=side_files(folder, [folder / "evaluation.md"]))
    _log.info("\n%s\n%s", page, folder / "evaluation.md")
    return results


def page_lines(results: dict[str, Any]) -> list[str]:
    """The page: what was asked of whom, every method, differences, few labels, and what else the embedding knows."""
    excluded = results["excluded"]
    lines = [
        f"# {results['question']}",
        "",
        f"{results['n_recordings']:,} recordings ({results['n_windows']:,} windows) of "
        f"{results['n_patients']:,} patients"
        + (f", {results['n_patients_with']:,} with the label" if "n_patients_with" in results else "")
        + f"; {results['outer_folds']} outer folds by patient; {results['trained']}.",
    ]
    if excluded["patients"]:
        lines.append(f"{excluded['patients']:,} patients ({excluded['windows']:,} windows) are left out: the encoder "
                     "was trained on them or chosen by them.")  # fmt: skip
    if results["caution"]:
        lines += ["", f"**Caution.** {results['caution']}."]
    for title, key in (
        ("Methods", "results"), ("Paired differences", "differences"), ("Few labels", "few_labels"),
        ("What the embedding knows", "knows"),
    ):  # fmt: skip
        rows = results.get(key) or []
        if rows:
            lines += [
                "",
                f"## {title}",
                "",
                "| method | measure | estimate | 95 % interval | patients |",
                "|---|---|---|---|---|",
            ]
            lines += [_row(row) for row in rows]
    return lines


def _row(row: dict[str, Any]) -> str:
    interval = f"{_number(row['low'])} to {_number(row['high'])}" if row["low"] is not None else "-"
    return f"| {row['method']} | {row['measure']} | {_number(row['estimate'])} | {interval} | {row['n_patients']:,} |"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
