"""The answer as files: numbers for programs, a page and figures for people; the page is said in the log too."""

import logging
from pathlib import Path
from typing import Any

from ecgppg.core.files import write_completion, write_json, write_text
from ecgppg.core.side_files import side_files
from ecgppg.evaluation.evaluation_figures import draw_few_labels, draw_forest, draw_map
from ecgppg.evaluation.evaluation_page import markdown
from ecgppg.evaluation.paired import Representation
from ecgppg.stages.evaluate_material import Material
from ecgppg.stages.evaluate_question import Question

RESULTS, PAGE = "results.json", "evaluation.md"
_log = logging.getLogger("ecgppg.evaluate")


def write_results(
    folder: Path, results: dict[str, Any], content: dict[str, Any], least: int, map_of: "Map | None"
) -> None:
    """Write results.json, evaluation.md and figures; the completion record comes last.

    Parameters
    ----------
    folder : Path
        Folder of the question.
    results : dict
        See `evaluation.evaluation_page`.
    content : dict
        What the results were made from.
    least : int
        Counts of patients under this are hidden on the page.
    map_of : Map or None
        What the map of the recordings shows; None where no label was asked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = [("methods.png", "Methods and differences, with 95 % intervals over patients")]
    draw_forest(folder / figures[0][0], results, least)
    if results.get("few_labels"):
        figures.append(("few_labels.png", "AUROC by the number of labelled recordings"))
        draw_few_labels(folder / figures[-1][0], results)
    if map_of is not None:
        figures.append(("map.png", "Recordings of each fold on the first two axes of the others"))
        draw_map(folder / figures[-1][0], map_of.embedding, map_of.material.units, map_of.material.fold_U, map_of.names)
    write_json(folder / RESULTS, results)
    write_text(folder / PAGE, markdown(results, figures, least))
    beside = side_files(folder, [folder / PAGE, *(folder / name for name, _ in figures)])
    write_completion(folder / RESULTS, content, len(results["results"]), files=beside)


class Map:
    """What the map shows.

    Parameters
    ----------
    question : Question
    material : Material
    embedding : Representation
    """

    def __init__(self, question: Question, material: Material, embedding: Representation) -> None:
        self.material, self.embedding = material, embedding
        self.names = (question.value or question.column, question.against or f"not {question.value or question.column}")


def say_results(folder: Path) -> None:
    """Show the page of a question that is answered."""
    _log.info("\n%s\n%s", (folder / PAGE).read_text(encoding="utf-8"), folder / PAGE)
