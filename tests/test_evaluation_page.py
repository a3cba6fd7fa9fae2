"""Tables and figures of an evaluation: every number with its interval, nothing undefined printed as a number."""

import json
from pathlib import Path

import numpy as np
import pytest

from ecgppg.evaluation.evaluation_figures import draw_few_labels, draw_forest, draw_map
from ecgppg.evaluation.evaluation_page import interval_text, markdown
from ecgppg.evaluation.evaluation_results import Method, Results, to_json
from ecgppg.evaluation.intervals import Interval
from ecgppg.evaluation.paired import Representation
from ecgppg.evaluation.units import patient_folds
from tests.made_up_results import made_up_results
from tests.planted_representations import planted_matrix, planted_units

EMPTY = Results("age", 33, 0, 33, 0, 5, 2000)


def test_every_result_stands_on_the_page_with_its_interval() -> None:
    results = made_up_results()
    page = markdown(results, [("forest.png", "AUROC of all")])
    for m in results.methods:
        assert f"| {m.name} | {m.by} | {interval_text(m.auroc)} |" in page
    for c in results.comparisons:
        assert interval_text(c.difference, sign=True) in page
    for curve in results.curves:
        assert all(interval_text(at) in page for _, at in curve.points)
    assert "812 recordings of 400 patients, 104 recordings of 96 patients with the label; 5 outer folds" in page
    assert "![AUROC of all](forest.png)" in page
    assert "> rhythm was read by people" in page


def test_every_row_of_a_table_has_the_cells_of_its_header() -> None:
    results = made_up_results()
    odd = Method("a|b", "logistic regression", "pretrained", Interval(0.5, 0.4, 0.6, 9), (0.5,))
    results = Results(**{**vars(results), "methods": [odd]})
    width = 0
    for line in markdown(results).splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\|", "").count("|")
        width = width or cells
        assert cells == width, line


def test_parts_without_results_are_left_out() -> None:
    page = markdown(EMPTY)
    assert "##" not in page
    assert "33 recordings of 33 patients; 5 outer folds" in page


def test_small_counts_are_hidden_in_page_and_json() -> None:
    few = Results("rare", 40, 6, 30, 6, 5, 2000)
    assert "fewer than 11 recordings of fewer than 11 patients with the label" in markdown(few, least=11)
    values = to_json(few, least=11)
    assert (values["n_units_with"], values["n_patients_with"], values["n_patients"]) == (None, None, 30)


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (Interval(0.91234, 0.88, 0.94, 50), "0.912 (0.880 to 0.940)"),
        (Interval(-0.01, -0.03, 0.012, 50), "−0.010 (−0.030 to 0.012)"),
        (Interval(0.7, np.nan, np.nan, 1), "0.700 (no interval)"),
        (Interval(np.nan, np.nan, np.nan, 0), "not defined"),
    ],
)
def test_intervals_as_words(interval: Interval, words: str) -> None:
    assert interval_text(interval) == words


def test_json_is_plain_and_complete() -> None:
    results = made_up_results()
    values = json.loads(json.dumps(to_json(results), allow_nan=False))
    assert [m["auroc"]["estimate"] for m in values["methods"]] == [m.auroc.estimate for m in results.methods]
    assert values["methods"][1]["auroc_by_seed"] == [0.921, 0.925, 0.929]
    assert values["few_label_curves"][0]["points"][0]["n_labels"] == 10
    assert values["readouts"][0]["r2"]["n_patients"] == 400
    assert values["same_recording"][0]["chance"] == 0.0123
    nothing = Method("x", "y", "pretrained", Interval(np.nan, np.nan, np.nan, 0), (np.nan,))
    assert to_json(Results(**{**vars(results), "methods": [nothing]}))["methods"][0]["auroc_by_seed"] == [None]


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


def test_a_forest_bears_undefined_intervals_and_no_comparison(tmp_path: Path) -> None:
    undefined = Method("x", "itself", "supervised", Interval(0.7, np.nan, np.nan, 1), (0.7,))
    draw_forest(tmp_path / "forest.png", Results("q", 5, 2, 1, 1, 2, 100, methods=[undefined]))
    assert (tmp_path / "forest.png").stat().st_size > 5000
