"""Tables and figures of an evaluation: every number with its interval, nothing undefined printed as a number."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgppg.evaluation.evaluation_figures import STYLES, draw_few_labels, draw_forest, draw_map, style
from ecgppg.evaluation.evaluation_page import interval_text, markdown
from ecgppg.evaluation.paired import Representation
from ecgppg.evaluation.units import patient_folds
from tests.made_up_results import made_up_results
from tests.planted_representations import planted_matrix, planted_units

AGE: dict[str, Any] = {
    "question": "age as a number", "trained": "one encoder, given", "n_windows": 99, "n_recordings": 33,
    "n_patients": 33, "outer_folds": 5, "excluded": {"patients": 4, "windows": 12},
}  # fmt: skip
UNDEFINED = {"estimate": 0.7, "low": None, "high": None, "n_patients": 1}


def test_every_result_stands_on_the_page_with_its_interval() -> None:
    results = made_up_results()
    page = markdown(results, [("forest.png", "AUROC of all")])
    for row in results["results"]:
        assert f"| {row['method']} | AUROC | {interval_text(row)} |" in page
    for row in results["differences"]:
        assert (
            f"| {row['a']} | {row['b']} | {row.get('n_labels', 'all')} | {interval_text(row, sign=True)} | 400 |"
            in page
        )
    for row in (*results["few_labels"], *results["knows"]):
        assert interval_text(row) in page
    assert "812 recordings (3,210 windows) of 400 patients, 96 with the label; 5 outer folds by patient" in page
    assert "3: 0.921 to 0.929" in page
    assert "| 0.012 |" in page
    assert "![AUROC of all](forest.png)" in page
    assert "Caution" not in page


def test_every_row_of_a_table_has_the_cells_of_its_header() -> None:
    results = made_up_results()
    results["results"].append({"method": "a|b", "measure": "AUROC", **UNDEFINED})
    width = 0
    for line in markdown(results).splitlines():
        cells = line.replace("\\|", "").count("|")
        width = (width or cells) if line.startswith("|") else 0
        assert cells == width, line


def test_seeds_are_counted_only_where_there_are_some() -> None:
    row = {"method": "embedding", "measure": "MAE", **UNDEFINED, "estimate": 2.6, "low": 1.8, "high": 3.9}
    page = markdown({**AGE, "results": [row, {**row, "method": "with one", "seeds": [0.5]}]})
    cells = {line.split(" | ")[0]: line.split(" | ")[3].strip() for line in page.splitlines() if " | MAE | " in line}
    assert cells == {"| embedding": "", "| with one": "1"}


def test_parts_without_results_are_left_out_and_who_was_left_out_is_told() -> None:
    page = markdown({**AGE, "caution": "Ages over 89 are hidden"})
    assert "##" not in page
    assert "of 33 patients; 5 outer folds" in page
    assert "4 patients whom the encoder has met are left out" in page
    assert "**Caution.** Ages over 89 are hidden." in page


def test_small_counts_are_hidden() -> None:
    assert "of 33 patients, fewer than 11 with the label" in markdown({**AGE, "n_patients_with": 6}, least=11)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.91234, 0.88, 0.94), "0.912 (0.880 to 0.940)"),
        ((-0.01, -0.03, 0.012), "−0.010 (−0.030 to 0.012)"),
        ((-0.0002, -0.004, 0.004), "0.000 (−0.004 to 0.004)"),
        ((4.271, 3.9, 4.7), "4.3 (3.9 to 4.7)"),
        ((0.7, None, None), "0.700 (no interval)"),
        ((None, None, None), "not defined"),
    ],
)
def test_intervals_as_words(values: tuple[float | None, ...], words: str) -> None:
    assert interval_text(dict(zip(("estimate", "low", "high"), values, strict=True))) == words


def test_methods_of_a_kind_share_their_colour_and_no_two_kinds_do() -> None:
    results = made_up_results()
    kinds = {style(row["method"]) for row in [*results["results"], *results["few_labels"]]}
    assert kinds == set(STYLES.values())
    assert style("embedding, linear") == style("embedding, nearest neighbours") != style("embedding + hand-made")
    assert len({colour for colour, _ in kinds}) == len({marker for _, marker in kinds}) == len(STYLES)


def test_figures_are_drawn_and_repeat_byte_for_byte(tmp_path: Path) -> None:
    results, rng = made_up_results(), np.random.default_rng(0)
    units = planted_units(rng, 60)
    fold_U = patient_folds(units.subject_id_U, units.y_U, 2, 0)
    representation = Representation("x", [planted_matrix(rng, units, 2.0, 8)[0]] * 2)
    draw_forest(tmp_path / "forest.png", results)
    draw_map(tmp_path / "map.png", representation, units, fold_U, ("AF", "other"))
    for name in ("few.png", "again.png"):
        draw_few_labels(tmp_path / name, results)
    for path in tmp_path.iterdir():
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert path.stat().st_size > 10_000
    assert (tmp_path / "few.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_a_forest_bears_what_is_undefined_and_a_question_of_a_number(tmp_path: Path) -> None:
    rows = [{"method": "embedding, ridge", "measure": "R2", **UNDEFINED},
            {"method": "embedding, ridge", "measure": "mean absolute error", **UNDEFINED},
            {"method": "hand-made, ridge", "measure": "R2", **UNDEFINED, "estimate": None}]  # fmt: skip
    draw_forest(tmp_path / "forest.png", {**AGE, "results": rows})
    assert (tmp_path / "forest.png").stat().st_size > 5000
