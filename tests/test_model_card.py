"""The model card holds the numbers of the run it came from, and is written anew when more is known."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import read_completion
from ecgppg.stages import embed as embed_stage
from ecgppg.stages import train as train_stage
from ecgppg.stages.check_files import file_problems
from ecgppg.stages.encoder_card import refresh_card
from ecgppg.store.reader import open_dataset
from ecgppg.training.model_card import model_card
from ecgppg.training.monitor import read_metrics
from tests.evaluation_sample import write_sample
from tests.small_dataset import small_settings, write_small_dataset


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    torch.set_num_threads(1)
    layout = OutputLayout(tmp_path_factory.mktemp("trained"))
    write_small_dataset(layout)
    train_stage.run(small_settings(), layout)
    embed_stage.run(small_settings(min_cell_patients=1), layout)
    return layout


@pytest.fixture
def layout(trained: OutputLayout, tmp_path: Path) -> OutputLayout:
    shutil.copytree(trained.root, tmp_path / "out")
    return OutputLayout(tmp_path / "out")


def card_of(layout: OutputLayout) -> str:
    return (layout.encoder / "model_card.md").read_text()


def test_the_card_holds_the_numbers_of_the_run(layout: OutputLayout) -> None:
    card = card_of(layout)
    description = json.loads((layout.encoder / "encoder.json").read_text())
    content_hash = open_dataset(layout.dataset).attributes["content_hash"]
    best = min(read_metrics(layout.metrics), key=lambda row: row["val_loss"])
    assert description["weights"]["epoch"] == best["epoch"]
    for words in (
        "ECG and PPG encoder", "stages of 8, 16 features", "10 s at 125 Hz into 16 numbers",
        f"Weights of epoch {best['epoch']} of 2 (lowest validation loss)", f"`{content_hash}`", "| train | 72 | 6 |",
        "| val (chose the epoch) | 36 | 3 |", "| test (never seen) |  | 3 |", "(`objective_views`, weight 1)",
        "temperature 0.1;", "crops of 8 s", "peak rate 0.003", "batches of 16, seed 42",
        f"| validation loss | {best['val_loss']:.4g} |", f"| training loss | {best['train_loss']:.4g} |",
        f"0 is collapse | {best['embedding_std']:.4g} |", f"really uses | {best['effective_rank']:.4g} |",
        "None yet.", "filtered: ECG 0.5-40 Hz zero-phase, PPG 0.3-8 Hz zero-phase",
    ):  # fmt: skip
        assert words in card, words


def test_the_card_loads_the_encoder_as_it_says(layout: OutputLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    program = card_of(layout).split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(layout.root)
    names: dict = {"signals_NCT": open_dataset(layout.dataset).read(range(3))}
    exec(program, names)
    assert names["vectors"].shape == (3, 16)


def test_terms_of_the_loss_are_those_of_the_settings(layout: OutputLayout) -> None:
    description = json.loads((layout.encoder / "encoder.json").read_text())
    description["training"] |= {
        "objective_views": 0.0, "objective_near": 0.25, "near_seconds": 60.0, "objective_beats": 0.5,
        "same_patient_negatives": False,
    }  # fmt: skip
    card = model_card(description)
    assert "(`objective_near`, weight 0.25)" in card
    assert "(`objective_beats`, weight 0.5)" in card
    assert "at most 60 s apart" in card
    assert "windows of one patient are never each" in card
    assert "`objective_views`" not in card
    assert "of the beats' shape" not in card
    description["training"]["beat_targets"] = "shape"
    assert "six of the beats' shape" in model_card(description)
    assert "Contrastive terms are NT-Xent" in card
    description["training"]["objective_near"] = 0.0
    assert "No term is contrastive." in model_card(description)


def test_an_evaluation_reaches_the_card_and_its_record(layout: OutputLayout) -> None:
    weights = layout.encoder / "encoder.safetensors"
    before = read_completion(weights)
    write_sample(layout)
    refresh_card(small_settings(min_cell_patients=11), layout)
    card = card_of(layout)
    assert "### label_x = A against the rest" in card
    assert "of 120 patients, fewer than 11 with the label; 5 outer folds" in card
    assert "| embedding, linear | AUROC | 0.913 (0.903 to 0.923) | 2: 0.912 to 0.914 | 120 |" in card
    assert "| R2 of heart rate | embedding | 0.880 (0.870 to 0.890) |" in card
    assert "not of the weights in this folder" in card
    assert "| train | 72 | fewer than 11 |" in card
    assert file_problems(weights) == []
    after = read_completion(weights)
    assert before is not None
    assert after is not None
    assert {k: v for k, v in after.items() if k != "files"} == {k: v for k, v in before.items() if k != "files"}
    stamp = (layout.encoder / "model_card.md").stat().st_mtime_ns
    refresh_card(small_settings(min_cell_patients=11), layout)
    assert (layout.encoder / "model_card.md").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("content", ["[]", "{}", "{", '{"question": "x", "results": [{}]}'])
def test_results_that_are_none_are_named(layout: OutputLayout, content: str) -> None:
    write_sample(layout, "odd").write_text(content)
    with pytest.raises(InputError, match=r"odd/results\.json"):
        refresh_card(small_settings(), layout)


def test_a_changed_card_is_written_again_and_a_folder_without_encoder_left_alone(
    layout: OutputLayout, tmp_path: Path
) -> None:
    good = card_of(layout)
    (layout.encoder / "model_card.md").write_text("changed by hand")
    assert file_problems(layout.encoder / "encoder.safetensors")
    refresh_card(small_settings(min_cell_patients=1), layout)
    assert card_of(layout) == good
    assert not file_problems(layout.encoder / "encoder.safetensors")
    refresh_card(small_settings(), OutputLayout(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()
