"""What `evaluate` left below OUT/evaluation/, for pages that show it beside other things."""

from pathlib import Path
from typing import Any

from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import read_json
from ecgppg.evaluation.evaluation_page import markdown


def read_results(layout: OutputLayout) -> list[tuple[Path, dict[str, Any]]]:
    """The folder and the results of every question that was asked, as `evaluation.evaluation_page` describes them.

    Raises
    ------
    InputError
        If a results.json does not hold what `evaluate` writes.
    """
    found = []
    for path in sorted((layout.root / "evaluation").glob("*/results.json")):
        results = read_json(path)
        try:
            markdown(results)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}: does not hold what its stage writes ({type(error).__name__})") from error
        found.append((path.parent, results))
    return found
