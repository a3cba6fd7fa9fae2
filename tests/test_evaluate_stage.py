"""`ecgppg evaluate` from end to end on a small dataset: who trains, who judges, what is kept, what is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ecgppg.cli.main import main
from ecgppg.core.files import read_completion, sha256_file
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.training.export import read_encoder
from tests.labelled_dataset import write_labelled_dataset

QUESTION = ["--label", "label_reference=A"]
N_FOLDS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset file."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("data") / "full_dataset.h5"
    write_labelled_dataset(path)
    return path


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder in which the question is answered."""
    out = tmp_path_factory.mktemp("out")
    assert main(["evaluate", "--dataset", str(data), *QUESTION, "--output-dir", str(out)]) == 0
    return out


def results_of(out: Path, task: str) -> dict[str, Any]:
    return json.loads((out / "evaluation" / task / "results.json").read_text())


def state(out: Path) -> dict[str, tuple[int, str]]:
    """Time and checksum of every file below evaluation/, but for logs, which say that it was asked again."""
    files = [path for path in (out / "evaluation").rglob("*") if path.is_file() and path.suffix != ".log"]
    return {str(path.relative_to(out)): (path.stat().st_mtime_ns, sha256_file(path)) for path in files}


def test_no_encoder_has_met_the_patients_of_its_fold(data: Path, done: Path) -> None:
    layout = EvaluationLayout(done, data)
    judged: list[int] = []
    everyone = set(range(101, 119))
    for fold in range(N_FOLDS):
        description = read_encoder(layout.fold(fold).encoder).description
        met = {*description["train_subject_ids"], *description["val_subject_ids"]}
        judged += sorted(everyone - met)
        assert met < everyone
    assert sorted(judged) == sorted(everyone)


def test_every_method_is_there_with_interval_patients_and_seeds(done: Path) -> None:
    held = results_of(done, "label_reference_A")
    assert held["n_patients"] == 18
    assert held["n_patients_with"] == 6
    methods = {row["method"]: row for row in held["results"]}
    for begins in ("embedding, linear", "embedding, nearest", "untrained", "hand-made, log", "hand-made, boost",
                   "supervised", "embedding + hand-made"):  # fmt: skip
        rows = [row for name, row in methods.items() if name.startswith(begins)]
        assert rows, begins
        assert all(row["n_patients"] == 18 and 0 <= row["estimate"] <= 1 for row in rows)
    assert len(methods["embedding, linear"]["seeds"]) == 1
    assert methods["hand-made, logistic"]["estimate"] > 0.9
    few = {row["method"]: row for row in held["few_labels"]}
    assert few.keys() >= {"embedding, linear", "network from scratch", "network fine-tuned"}
    gains = {(row["a"], row["b"]): row["estimate"] for row in held["differences"] if row.get("n_labels") == 4}
    gain = few["network fine-tuned"]["estimate"] - few["network from scratch"]["estimate"]
    assert gains["network fine-tuned", "network from scratch"] == pytest.approx(gain, abs=1e-5)
    assert {row["measure"] for row in held["knows"]} >= {"R2 of heart rate", "R2 of RR coefficient of variation"}
    folder = done / "evaluation" / "label_reference_A"
    assert read_completion(folder / "results.json", verify=True) is not None
    assert "| " in (folder / "evaluation.md").read_text()
    assert {path.suffix for path in folder.iterdir()} == {".json", ".md", ".png"}


def test_what_it_left_passes_the_check_and_a_damaged_file_does_not(done: Path, tmp_path: Path) -> None:
    assert main(["check", "--output-dir", str(done)]) == 0
    copy = Path(shutil.copytree(done, tmp_path / "copy"))
    page = copy / "evaluation" / "label_reference_A" / "evaluation.md"
    page.write_text(page.read_text().replace("0.", "1."))
    assert main(["check", "--output-dir", str(copy)]) == 1


def test_asked_again_nothing_is_done_again(data: Path, done: Path) -> None:
    before = state(done)
    assert main(["evaluate", "--dataset", str(data), *QUESTION, "--output-dir", str(done)]) == 0
    after = state(done)
    config = "evaluation/encoders/config.json"
    assert {name: seen for name, seen in after.items() if name != config} == {
        name: seen for name, seen in before.items() if name != config
    }


def test_another_question_is_asked_of_the_same_encoders(data: Path, done: Path) -> None:
    weights = {name: seen for name, seen in state(done).items() if "fold_" in name and "encoders" in name}
    argv = ["evaluate", "--dataset", str(data), "--target", "label_age", "--output-dir", str(done)]
    assert main([*argv, "--set", "probe_seeds=2"]) == 0
    assert EvaluationLayout(done, data).untrained(2).is_file()
    assert {name: seen for name, seen in state(done).items() if name in weights} == weights
    held = results_of(done, "label_age")
    measures = {(row["method"], row["measure"]): row["estimate"] for row in held["results"]}
    assert measures["hand-made, ridge", "R2"] > 0.5
    assert ("supervised network", "mean absolute error") in measures


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (["--label", "label_nothing=A"], "no column label_nothing"),
        (["--label", "death_hospital"], "no column death_hospital"),
        ([*QUESTION, "--set", "temperature=0.3"], "temperature: 0.1 -> 0.3"),
        ([*QUESTION, "--outer-folds", "4"], "outer_folds: 3 -> 4"),
        ([*QUESTION, "--outer-folds", "9"], "6 patients are cases"),
        ([*QUESTION, "--set", "channels=[ECG, PPG]"], "channels"),
        (["--target", "label_reference"], "use --label"),
        (["--label", "stroke_this", "--checkpoint", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    data: Path, done: Path, capsys: pytest.CaptureFixture[str], extra: list[str], says: str
) -> None:
    before = state(done)
    assert main(["evaluate", "--dataset", str(data), *extra, "--output-dir", str(done)]) == 2
    said = capsys.readouterr().err.strip()
    assert says in said
    assert said.count("\n") == 0
    assert state(done) == before


@pytest.mark.parametrize(
    "words", [["--name", "../elsewhere"], ["--name", "supervised"], ["--target", "x", "--against", "y"], []]
)
def test_words_that_cannot_be_end_with_2(data: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    asked = [] if "--target" in words or not words else QUESTION
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--dataset", str(data), *asked, *words])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_encoder_is_judged_by_those_it_has_not_met(
    data: Path, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = EvaluationLayout(done, data).fold(0).encoder
    argv = ["evaluate", "--checkpoint", str(given), "--dataset", str(data), "--output-dir", str(tmp_path / "out")]
    assert main([*argv, *QUESTION, "--outer-folds", "2", "--set", "scratch_labels=0"]) == 0
    held = results_of(tmp_path / "out", "encoder-label_reference_A")
    assert held["n_patients"] == 6
    assert held["excluded"] == {"patients": 12, "windows": 48}
    everyone = tmp_path / "met_all"
    shutil.copytree(given, everyone)
    description = json.loads((everyone / "encoder.json").read_text())
    description["train_subject_ids"] = list(range(101, 119))
    (everyone / "encoder.json").write_text(json.dumps(description))
    capsys.readouterr()
    assert main([argv[0], "--checkpoint", str(everyone), *argv[3:], *QUESTION, "--outer-folds", "2"]) == 2
    assert "has met all 18 patients" in capsys.readouterr().err


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until a file is there, or the program has ended."""
    end_s = time.monotonic() + 240
    while not path.exists() and process.poll() is None:
        assert time.monotonic() < end_s, path
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_in_the_middle_and_begun_again_gives_the_same(data: Path, done: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    argv = ["evaluate", "--dataset", str(data), *QUESTION, "--output-dir", str(out)]
    layout = EvaluationLayout(out, data)
    supervised = "evaluation/supervised"
    for seen in (layout.fold(0).latest_checkpoint, layout.fold(1).embeddings, out / supervised):
        process = subprocess.Popen(
            [sys.executable, "-m", "ecgppg", *argv], env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(seen, process)
        assert process.poll() is None, "it ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert main(argv) == 0
    held, wanted = results_of(out, "label_reference_A"), results_of(done, "label_reference_A")
    assert held == wanted
