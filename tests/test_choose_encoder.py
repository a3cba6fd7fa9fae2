"""Settings are chosen by planted truth, by nobody of the outer fold, the same after a kill, and refused where unfit."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ecgppg.cli.choose import main
from ecgppg.config.candidates import read_candidates
from ecgppg.config.errors import ConfigError
from ecgppg.core.files import read_completion
from ecgppg.stages.choose_layout import ChoiceLayout
from ecgppg.stages.choose_score import inner_fold, stacked_units, worth_of
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_question import parse_label, read_answers
from ecgppg.store.embeddings import Embeddings, write_embeddings
from ecgppg.store.reader import open_dataset
from ecgppg.training.export import read_encoder
from ecgppg.training.fold import fold_patients, inner_splits
from tests.labelled_dataset import write_labelled_dataset
from tests.small_dataset import small_settings

N_FOLDS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("data") / "full_dataset.h5"
    write_labelled_dataset(path)
    return path


@pytest.fixture(scope="module")
def candidates(data: Path) -> Path:
    path = data.parent / "candidates.yaml"
    path.write_text("as_set:\nnear: {objective_near: 0.3}\n")
    return path


def words(data: Path, candidates: Path, out: Path, *more: str) -> list[str]:
    return ["--dataset", str(data), "--label", "label_reference=A", "--candidates", str(candidates),
            "--output-dir", str(out), "--num-workers", "0", *more]  # fmt: skip


@pytest.fixture(scope="module")
def done(data: Path, candidates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    assert main(words(data, candidates, out)) == 0
    return out


def choice_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "choice" / "choice.json").read_text())


def test_nothing_of_a_fold_is_in_what_chooses_for_it(data: Path, done: Path) -> None:

    folds = pd.read_parquet(EvaluationLayout(done, data).folds)
    layout = ChoiceLayout(done, data)
    for fold in range(N_FOLDS):
        outside = set(folds.loc[folds["fold"] != fold, "subject_id"])
        for name in ("as_set", "near"):
            trained = layout.trained(name, fold)
            splits = pd.read_parquet(trained.splits)
            assert set(splits["subject_id"]) == outside
            learnt = set(read_encoder(trained.encoder).description["train_subject_ids"])
            assert learnt == set(splits.loc[splits["split"] == "train", "subject_id"])
            with np.load(trained.embeddings) as held:
                assert set(held["subject_id"].tolist()) == outside


def test_what_is_written(done: Path) -> None:
    held = choice_of(done)
    first, second = held["candidates"]
    assert (first["candidate"], first["changes"], first["less_first"]) == ("as_set", {}, None)
    assert second["less_first"]["estimate"] == pytest.approx(
        second["auroc"]["estimate"] - first["auroc"]["estimate"], abs=1e-5
    )
    assert [won["fold"] for won in held["winners"]] == list(range(N_FOLDS))
    assert first["picked"] + second["picked"] == N_FOLDS
    for won in held["winners"]:
        assert won["auroc"] == max(first["folds"][won["fold"]], second["folds"][won["fold"]])
    assert read_completion(done / "choice" / "choice.json", verify=True) is not None
    page = (done / "choice" / "choice.md").read_text()
    assert "objective_near=0.3" in page
    assert "R2 of RR variation" in page
    assert (done / "choice" / "choice.png").stat().st_size > 10_000


def test_begun_again_it_trains_only_what_is_absent(data: Path, candidates: Path, done: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(done, tmp_path / "out"))
    layout = ChoiceLayout(out, data)
    shutil.rmtree(layout.trained("near", 1).root)
    kept = layout.trained("near", 0).encoder / "encoder.safetensors"
    before = kept.stat().st_mtime_ns
    # In a process of its own, and yet the same numbers.
    assert main([*words(data, candidates, out), "--num-workers", "1"]) == 0
    assert kept.stat().st_mtime_ns == before
    assert choice_of(out) == choice_of(done)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a:\n", "nothing to choose between"),
        ("a:\nb: {max_missing_share: 0.1}\n", "b: max_missing_share does not belong to training"),
        ("a:\nb: {supervised_epochs: 3}\n", "b: supervised_epochs does not belong to training"),
        ("a:\nb: {temprature: 0.2}\n", "did you mean temperature"),
        ("a:\nb: [1]\n", "b: expected settings"),
        ("a:\n../b: {temperature: 0.2}\n", "is no name"),
    ],
)
def test_files_that_cannot_be_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "candidates.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_candidates(path)


@pytest.mark.parametrize(
    ("changes", "more", "says"),
    [
        ("temperature: 5", [], "near: temperature: 0.1 -> 5.0"),
        ("temperature: 500", [], "candidate near: setting temperature"),
        ("objective_near: 0.3", ["--num-epochs", "2", "--set", "seed=7"], "seed: 42 -> 7"),
        ("objective_near: 0.3", ["--outer-folds", "7"], "need at least 7"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    data: Path, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: str, more: list[str], says: str
) -> None:
    path = tmp_path / "candidates.yaml"
    path.write_text(f"as_set:\nnear: {{{changes}}}\n")
    before = choice_of(done)
    assert main(words(data, path, done, *more)) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert says.removeprefix("near: ") in said
    assert choice_of(done) == before


def test_fewer_epochs_than_trained_are_refused(
    data: Path, candidates: Path, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(done, tmp_path / "out"))
    longer = tmp_path / "longer.yaml"
    longer.write_text("as_set:\nnear: {objective_near: 0.3, num_epochs: 2}\n")
    assert main(words(data, longer, out)) == 0
    assert main(words(data, candidates, out)) == 2
    assert "give --num-epochs 2" in capsys.readouterr().err


def test_planted_worth_is_found_fold_by_fold(tmp_path: Path) -> None:
    data = tmp_path / "full_dataset.h5"
    write_labelled_dataset(data, n_patients=60, n_windows=2)
    settings = small_settings(channels=["ECG"], required_channels=["ECG"], probe_seeds=2, outer_folds=2)
    rng = np.random.default_rng(0)
    with open_dataset(data) as dataset:
        answers = read_answers(dataset, parse_label("label_reference=A", None))
        subject_id_N = dataset.column("subject_id")
        folds = fold_patients(subject_id_N, answers.stratum_N, 2, 42)

        stratum_of = pd.Series(answers.stratum_N).groupby(subject_id_N).max()
        splits_F = [inner_splits(folds, fold, stratum_of, 0.4, 42) for fold in range(2)]
        inner_F = [inner_fold(dataset, answers, splits) for splits in splits_F]
        layout = ChoiceLayout(tmp_path, data)
        # One candidate's encoder sees the label outside fold 0, the other's outside fold 1.
        for name, sees in (("a", 0), ("b", 1)):
            for fold, inner in enumerate(inner_F):
                windows = inner.windows
                noise_ND = rng.normal(size=(len(windows), 4)).astype(np.float32)
                noise_ND[:, 0] += 6 * answers.y_N[windows.row_N] * (fold == sees)
                noise_ND[:, 1] = windows.beats_N2[:, 0]
                split_N = np.where(inner.judges_N, "test", "train")
                held = Embeddings(noise_ND, windows.segment_id_N, windows.subject_id_N, split_N)
                path = layout.trained(name, fold).embeddings
                path.parent.mkdir(parents=True)
                write_embeddings(path, held, np.arange(len(windows)))
        worth = {n: worth_of(settings, n, [layout.trained(n, f) for f in range(2)], inner_F) for n in "ab"}
    assert worth["a"].auroc_F[0] == worth["b"].auroc_F[1] == 1.0
    assert worth["a"].auroc_F[1] < 1 > worth["b"].auroc_F[0]
    units, fold_U = stacked_units(inner_F)
    assert worth["a"].scores.p_SU.shape == (2, len(units)) == (2, len(fold_U))
    assert worth["a"].row["heart_rate_bpm"]["estimate"] > 0.95
    assert worth["a"].row["rr_cv"]["estimate"] < 0.9
    judging = {s for splits in splits_F for s in splits.loc[splits["split"] == "test", "subject_id"]}
    assert worth["a"].row["auroc"]["n_patients"] == len(judging)
