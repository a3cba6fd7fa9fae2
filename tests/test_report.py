"""The report of a run: what it shows is what the files hold, and damage or absence is said."""

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import torch

from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import read_completion
from ecgppg.stages import report
from ecgppg.stages import train as train_stage
from ecgppg.stages.report_curves import Panel, curves_svg, series
from ecgppg.stages.report_data import splits_body
from ecgppg.stages.report_training import collapse_body, training_body
from ecgppg.training.collapse import LEAST_EFFECTIVE_RANK
from ecgppg.training.monitor import read_metrics
from tests.evaluation_sample import write_sample
from tests.small_dataset import small_settings, write_small_dataset


class Tags(HTMLParser):
    """Checks that every tag is closed in its turn, and keeps what tags name."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.named: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.named += [(name, value or "") for name, value in attrs if name in ("src", "href", "id")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def read_page(layout: OutputLayout) -> Tags:
    tags = Tags()
    tags.feed(layout.report.read_text())
    assert not tags.open
    return tags


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    torch.set_num_threads(1)
    layout = OutputLayout(tmp_path_factory.mktemp("<trained>"))
    write_small_dataset(layout)
    train_stage.run(small_settings(), layout)
    # As if of more steps: a few leave projections close together yet, as a collapse would.
    rows = [row | {"uniformity": -1.5, "step": 150 * row["epoch"]} for row in read_metrics(layout.metrics)]
    layout.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return layout


@pytest.fixture
def layout(trained: OutputLayout, tmp_path: Path) -> OutputLayout:
    shutil.copytree(trained.root, tmp_path / "out")
    return OutputLayout(tmp_path / "out")


def test_an_empty_folder_gives_a_page_that_says_so(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    assert report.run(small_settings(), layout) == {"n_sections": 7}
    page = read_page(layout)
    assert page.text.count("This stage has not run.") == 5
    assert "No label was asked yet" in page.text
    assert read_completion(layout.report, verify=True) is not None


def test_the_page_is_whole_shows_the_run_and_loads_nothing_from_afar(layout: OutputLayout) -> None:
    report.run(small_settings(), layout)
    page, rows = read_page(layout), read_metrics(layout.metrics)
    best = min(rows, key=lambda row: row["val_loss"])
    for words in (f"{best['val_loss']:.3f}", f"lowest val loss, epoch {best['epoch']}", f"{rows[-1]['step']}"):
        assert words in page.text
    assert "resnet1d, widths 8, 16" in page.text
    assert "No sign of collapse in the last epoch." in page.text
    anchors = {value for name, value in page.named if name == "id"}
    for name, value in page.named:
        assert name == "id" or value.startswith("data:image/") or value.removeprefix("#") in anchors, value[:80]
    images = [base64.b64decode(value.split(",")[1]) for name, value in page.named if name == "src"]
    assert len(images) == 2
    assert all(b"</svg>" in image for image in images)
    first = layout.report.read_bytes()
    report.run(small_settings(), layout)
    assert layout.report.read_bytes() == first


def test_splits_are_counted_and_small_groups_hidden(layout: OutputLayout) -> None:
    splits = pd.read_parquet(layout.splits)
    splits["stratum"] = ["stroke=1 arrhythmia=0 death=?"] * 5 + ["stroke=0 arrhythmia=1 death=?"] * 7
    splits.to_parquet(layout.splits)
    ids = pd.DataFrame({"subject_id": [s for s in range(1, 13) for _ in range(12)]})
    ids.to_parquet(layout.metadata)

    def words(least: int) -> str:
        tags = Tags()
        tags.feed(splits_body(layout, small_settings(min_cell_patients=least)))
        return " ".join(tags.text.split())

    assert "train 6 72 50% val 3 36 25% test 3 36 25% risk reserve (inside test) 0 0 0%" in words(1)
    assert "stroke 3 1 1" in words(1)
    assert "val <5 test <5" in words(5)
    assert "stroke <5 <5 <5" in words(5)


def test_evaluations_are_tabled_beside_their_figures(layout: OutputLayout) -> None:
    folder = write_sample(layout).parent
    (folder / "few_labels.png").write_bytes(b"\x89PNG not really")
    (folder / "evaluation.md").write_text("x")
    report.run(small_settings(), layout)
    page = read_page(layout)
    assert "label_x = A against the rest" in page.text
    assert re.search(r"hand-made\s+AUROC\s+0.927 \(0.917 to 0.937\)\s+120", page.text)
    assert [value[:20] for name, value in page.named if name == "src"].count("data:image/png;base6") == 1
    assert ("href", "evaluation/af/evaluation.md") in page.named


def test_a_collapse_is_told(layout: OutputLayout) -> None:
    rows = read_metrics(layout.metrics)
    rows[-1] |= {"effective_rank": LEAST_EFFECTIVE_RANK - 0.5, "skipped_steps": 3}
    layout.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "Collapsed in the last epoch: effective rank 1.5, under 2." in collapse_body(layout)
    rows[-1]["step"] = 199
    layout.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "Not judged before 200 steps" in collapse_body(layout)
    assert "3 steps were skipped" in training_body(layout, small_settings())


def test_metrics_of_other_releases_are_read_for_what_they_hold(layout: OutputLayout) -> None:
    layout.metrics.write_text(
        '{"epoch": 1}\n{"epoch": 2, "val_new_term": 0.5, "lr": null, "kind": "x", "on": true}\n{"ep'
    )
    report.run(small_settings(), layout)
    assert "No validation windows, so nothing was measured." in read_page(layout).text
    assert series(read_metrics(layout.metrics), "val_new_term") == ([2], [0.5])
    assert curves_svg(read_metrics(layout.metrics), [Panel("nothing", (("absent", ""),))]) == b""
    layout.metrics.write_text('{"epoch": 1}\n')
    report.run(small_settings(), layout)
    assert not [value for name, value in read_page(layout).named if name == "src"]


@pytest.mark.parametrize("name", ["card_json", "patterns"])
def test_a_file_that_does_not_hold_what_it_should_is_named(tmp_path: Path, name: str) -> None:
    layout = OutputLayout(tmp_path)
    path = getattr(layout, name)
    path.parent.mkdir(exist_ok=True)
    for content in ("[]", "{}", "3"):
        path.write_text(content)
        with pytest.raises(InputError, match=path.name):
            report.run(small_settings(), layout)
