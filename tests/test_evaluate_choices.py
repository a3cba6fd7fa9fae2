"""`ecgppg evaluate --choices`: a fold's encoder has what its fold chose, and what stands beside it is of its kind."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from ecgppg.cli.main import main
from ecgppg.config.load import build_settings, read_settings_file
from ecgppg.core.files import sha256_file
from ecgppg.stages.evaluate_judged import by_own_encoders
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import parse_label, read_answers
from ecgppg.stages.evaluate_train import folds_hash
from ecgppg.store.reader import open_dataset
from ecgppg.training.export import read_encoder
from ecgppg.training.fold import fold_patients
from tests.labelled_dataset import write_labelled_dataset

QUESTION = ["--label", "label_reference=A"]
CHOSEN: list[tuple[str, dict[str, Any]]] = [
    ("as_set", {}),
    ("narrow", {"hidden_dims": [8]}),
    ("cool", {"temperature": 0.07}),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("data") / "full_dataset.h5"
    write_labelled_dataset(path)
    return path


def write_choice(data: Path, path: Path, chosen: list[tuple[str, dict[str, Any]]], **other: Any) -> Path:
    with open_dataset(data) as dataset:
        answers = read_answers(dataset, parse_label("label_reference=A", None))
        folds: pd.DataFrame = fold_patients(dataset.column("subject_id"), answers.stratum_N, 3, 42)
        held = {
            "dataset": str(dataset.attributes["content_hash"]),
            "folds": folds_hash(folds),
            "settings": read_settings_file(data.parent / "config.json"),
            "winners": [
                {"fold": fold, "candidate": name, "changes": changes} for fold, (name, changes) in enumerate(chosen)
            ],
        }
    path.write_text(json.dumps(held | other))
    return path


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    choice = write_choice(data, out / "choice.json", CHOSEN)
    argv = ["evaluate", "--dataset", str(data), *QUESTION, "--output-dir", str(out), "--choices", str(choice)]
    assert main(argv) == 0
    return out


def test_each_fold_has_what_it_chose(data: Path, done: Path) -> None:
    layout = EvaluationLayout(done, data)
    for fold, (_, changes) in enumerate(CHOSEN):
        description = read_encoder(layout.fold(fold).encoder).description
        for key, value in {"hidden_dims": [8, 16], "temperature": 0.1, **changes}.items():
            assert description["training"][key] == value
    # What stands beside an encoder is built as that fold's is: two kinds of it here.
    assert len(list((layout.root / layout.name / "untrained").glob("*.npz"))) == 2
    taught = [path for path in layout.supervised.iterdir() if "-few-" not in path.name and "-fine" not in path.name]
    assert sorted(len(list(path.glob("*.npz"))) for path in taught) == [1, 2]
    results = json.loads((layout.task("label_reference_A") / "results.json").read_text())
    assert [(row["candidate"], row["changes"]) for row in results["choices"]] == CHOSEN
    page = (layout.task("label_reference_A") / "evaluation.md").read_text()
    assert "chosen without the fold: fold 1: as_set; fold 2: narrow; fold 3: cool." in page


@pytest.mark.slow
def test_another_question_need_not_name_the_file_again(data: Path, done: Path) -> None:
    argv = ["evaluate", "--dataset", str(data), *QUESTION, "--against", "N", "--output-dir", str(done)]
    assert main([*argv, "--set", "scratch_labels=0"]) == 0
    held = json.loads((EvaluationLayout(done, data).task("label_reference_A_vs_N") / "results.json").read_text())
    assert [row["candidate"] for row in held["choices"]] == [name for name, _ in CHOSEN]


@pytest.mark.slow
def test_the_same_for_all_is_the_same_as_giving_it(data: Path, tmp_path: Path) -> None:
    choice = write_choice(data, tmp_path / "choice.json", [("cool", {"temperature": 0.07})] * 3)
    settings, question = (
        build_settings(read_settings_file(data.parent / "config.json")),
        parse_label(*QUESTION[1:], None),
    )
    cool = settings.model_copy(update={"temperature": 0.07})
    chosen, given = (EvaluationLayout(tmp_path, data, name) for name in ("chosen", "given"))
    with open_dataset(data) as dataset:
        by_own_encoders(settings, chosen, question, dataset, choice, False)
        by_own_encoders(cool, given, question, dataset, None, False)
    for fold in range(3):
        one, other = (sha256_file(of.fold(fold).encoder / "encoder.safetensors") for of in (chosen, given))
        assert one == other


@pytest.mark.parametrize(
    ("chosen", "other", "says"),
    [
        (
            [*CHOSEN[:2], ("warm", {"temperature": 0.2})],
            {},
            "fold 3: cool (temperature=0.07) -> warm (temperature=0.2)",
        ),
        ([*CHOSEN[:2], ("cool", {"supervised_epochs": 9})], {}, "cool: supervised_epochs does not belong to training"),
        (CHOSEN[:2], {}, "other outer folds"),
        (CHOSEN, {"folds": "0"}, "other outer folds"),
        (CHOSEN, {"dataset": "0"}, "another dataset"),
        (CHOSEN, {"winners": 3}, "is not what choose_encoder.py writes"),
    ],
)
def test_what_does_not_go_with_these_encoders_is_refused(
    data: Path,
    done: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    chosen: list[tuple[str, dict[str, Any]]],
    other: dict[str, Any],
    says: str,
) -> None:
    choice = write_choice(data, tmp_path / "choice.json", chosen, **other)
    argv = ["evaluate", "--dataset", str(data), *QUESTION, "--output-dir", str(done), "--choices", str(choice)]
    assert main(argv) == 2
    said = capsys.readouterr().err.strip()
    assert says in said
    assert said.count("\n") == 0


def test_encoders_begun_without_a_choice_stay_so(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = write_choice(data, tmp_path / "choice.json", CHOSEN)
    layout = EvaluationLayout(tmp_path, data)
    layout.config.parent.mkdir(parents=True)
    layout.config.write_text((data.parent / "config.json").read_text())
    argv = ["evaluate", "--dataset", str(data), *QUESTION, "--output-dir", str(tmp_path), "--choices", str(choice)]
    assert main(argv) == 2
    assert "without --choices" in capsys.readouterr().err
