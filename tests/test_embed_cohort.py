"""Another cohort through an encoder: channels by name, patients marked, nothing computed twice, nothing overwritten."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from ecgppg.cli import embed as command
from ecgppg.config.errors import InputError, RefusedError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.core.files import read_completion
from ecgppg.stages import embed_cohort
from ecgppg.stages import train as train_stage
from ecgppg.stages.encoder_at import encoder_at
from ecgppg.store.embeddings import read_embeddings
from ecgppg.store.reader import open_dataset
from ecgppg.training.checkpoint import Checkpoint, TrainingState, save_checkpoint
from ecgppg.training.from_checkpoint import encoder_of_checkpoint
from ecgppg.training.step import build_model
from tests.small_dataset import small_settings, write_small_dataset


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    torch.set_num_threads(1)
    layout = OutputLayout(tmp_path_factory.mktemp("trained"))
    write_small_dataset(layout)
    train_stage.run(small_settings(num_epochs=1), layout)
    return layout


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    layout = OutputLayout(tmp_path_factory.mktemp("another cohort"))
    write_small_dataset(layout, n_patients=15, n_windows=20, seed=1)
    return layout


def changed(cohort: OutputLayout, folder: Path, **attributes: object) -> Path:
    path = folder / "changed.h5"
    shutil.copy(cohort.dataset, path)
    with h5py.File(path, "r+") as file:
        file.attrs.update(attributes)
    return path


def test_every_window_is_embedded_and_patients_the_encoder_met_are_marked(
    trained: OutputLayout, cohort: OutputLayout, tmp_path: Path
) -> None:
    out = tmp_path / "other.npz"
    summary = embed_cohort.run(trained.encoder, cohort.dataset, out, "cpu")
    rows, dataset, encoder = read_embeddings(out), open_dataset(cohort.dataset), encoder_at(trained.encoder)
    by_id = np.argsort(dataset.column("segment_id"))
    np.testing.assert_array_equal(rows.segment_id, dataset.column("segment_id")[by_id])
    np.testing.assert_array_equal(rows.subject_id, dataset.column("subject_id")[by_id])
    np.testing.assert_allclose(rows.embeddings, encoder.embed(dataset.read(by_id)), atol=1e-5)
    for name in ("train", "val"):
        met = encoder.description[f"{name}_subject_ids"]
        np.testing.assert_array_equal(rows.split == name, np.isin(rows.subject_id, met))
    assert set(rows.split.tolist()) == {"train", "val", "other"}
    assert summary["patients"] == {"train": 6, "val": 3, "other": 6}
    assert set(tmp_path.iterdir()) == {out, completion_path(out)}
    assert embed_cohort.run(trained.encoder, cohort.dataset, out, "cpu")["done_before"]
    assert read_completion(out, verify=True) is not None


def test_own_dataset_has_its_unmet_patients_in_test(trained: OutputLayout, tmp_path: Path) -> None:
    out = tmp_path / "own.npz"
    assert embed_cohort.run(trained.encoder, trained.dataset, out, "cpu")["patients"] == {
        "train": 6,
        "val": 3,
        "test": 3,
    }


def test_a_checkpoint_gives_the_same_as_the_encoder_written_from_it(
    trained: OutputLayout, cohort: OutputLayout, tmp_path: Path
) -> None:
    for name, path in (("a", trained.encoder), ("b", trained.latest_checkpoint), ("c", trained.root)):
        embed_cohort.run(path, cohort.dataset, tmp_path / f"{name}.npz", "cpu")
    a, b, c = (read_embeddings(tmp_path / f"{name}.npz") for name in "abc")
    np.testing.assert_array_equal(a.embeddings, b.embeddings)
    np.testing.assert_array_equal(a.split, b.split)
    np.testing.assert_array_equal(a.embeddings, c.embeddings)
    from_checkpoint, written = (encoder_at(p).description for p in (trained.latest_checkpoint, trained.encoder))
    for key in ("encoder", "input", "training", "train_subject_ids", "val_subject_ids", "dataset_content_hash"):
        assert from_checkpoint[key] == written[key], key


def test_a_checkpoint_without_its_splits_cannot_mark_patients(
    trained: OutputLayout, cohort: OutputLayout, tmp_path: Path
) -> None:
    alone = tmp_path / "moved.pth"
    shutil.copy(trained.latest_checkpoint, alone)
    with pytest.raises(InputError, match=r"moved\.pth: nothing says which patients"):
        embed_cohort.run(alone, cohort.dataset, tmp_path / "o.npz", "cpu")
    with pytest.raises(InputError, match="nothing tells"):
        _ = encoder_of_checkpoint(alone).train_subject_ids
    alone.write_bytes(alone.read_bytes()[:-500])
    with pytest.raises(RefusedError, match="truncated"):
        embed_cohort.run(alone, cohort.dataset, tmp_path / "o.npz", "cpu")
    torch.save({"weights": torch.zeros(3)}, alone)
    with pytest.raises(RefusedError, match="not a checkpoint of this program"):
        embed_cohort.run(alone, cohort.dataset, tmp_path / "o.npz", "cpu")


def test_channels_go_by_name_and_one_that_is_missing_is_absent(
    trained: OutputLayout, cohort: OutputLayout, tmp_path: Path
) -> None:
    encoder = encoder_at(trained.encoder)
    x_NCT = open_dataset(cohort.dataset).read(range(6))
    without_ppg = x_NCT.copy()
    without_ppg[:, 1] = 0
    np.testing.assert_array_equal(encoder.embed(x_NCT[:, :1], channels=["ECG"]), encoder.embed(without_ppg))
    np.testing.assert_array_equal(encoder.embed(x_NCT[:, ::-1], channels=["PPG", "ECG"]), encoder.embed(x_NCT))
    with pytest.raises(InputError, match="takes ECG, PPG; given are ABP"):
        encoder.embed(x_NCT[:, :1], channels=["ABP"])
    renamed = changed(cohort, tmp_path, channel_names=["ABP", "ECG"])
    summary = embed_cohort.run(trained.encoder, renamed, tmp_path / "o.npz", "cpu")
    assert [note.split(": ", 1)[-1] for note in summary["notes"]] == [
        "embedded by ECG alone",
        "ABP is unknown to the encoder and left out",
    ]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"channel_names": ["ABP", "CVP"]}, "the encoder takes ECG, PPG, .* has ABP, CVP"),
        ({"sampling_rate_hz": 250.0}, "the encoder takes 125 Hz, .* has 250 Hz"),
    ],
)
def test_what_does_not_go_together_is_refused(
    trained: OutputLayout, cohort: OutputLayout, tmp_path: Path, attributes: dict, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        embed_cohort.run(trained.encoder, changed(cohort, tmp_path, **attributes), tmp_path / "o.npz", "cpu")
    assert not (tmp_path / "o.npz").exists()


def test_other_filters_and_lengths_are_said(trained: OutputLayout, cohort: OutputLayout) -> None:
    encoder = encoder_at(trained.encoder)
    attributes = open_dataset(cohort.dataset).attributes | {"ecg_band_hz": [0.5, 40.0], "ppg_band_hz": [0.3, 8.0]}
    assert embed_cohort.differences(encoder, attributes, Path("e"), Path("d")) == []
    other = attributes | {"ecg_band_hz": [0.05, 40.0], "segment_seconds": 30.0}
    assert embed_cohort.differences(encoder, other, Path("e"), Path("d")) == [
        "d: windows of 30 s, the encoder was trained on 10 s",
        "d: filtered ECG 0.05-40 Hz, the encoder was trained on ECG 0.5-40 Hz zero-phase",
    ]


def test_a_file_of_somebody_else_is_not_overwritten(
    trained: OutputLayout, cohort: OutputLayout, tmp_path: Path
) -> None:
    out = tmp_path / "precious.npz"
    out.write_bytes(b"mine")
    with pytest.raises(RefusedError, match="not written by this command"):
        embed_cohort.run(trained.encoder, cohort.dataset, out, "cpu")
    assert out.read_bytes() == b"mine"


def test_the_command_ends_with_the_codes_it_promises(
    trained: OutputLayout, cohort: OutputLayout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.npz"
    given = [
        "--checkpoint",
        str(trained.encoder),
        "--dataset",
        str(cohort.dataset),
        "--output",
        str(out),
        "--device=cpu",
    ]
    assert command.main(given) == 0
    assert len(read_embeddings(out)) == 300
    assert command.main([*given[:1], str(tmp_path / "nothing"), *given[2:]]) == 2
    assert command.main([*given[:3], str(tmp_path / "nothing.h5"), *given[4:]]) == 2
    assert "no such file" in capsys.readouterr().err
    for wrong in (given[:4], [*given[:5], "o.csv"], [*given, "--loader-workers", "-1"]):
        with pytest.raises(SystemExit) as ended:
            command.main(wrong)
        assert ended.value.code == 2
    assert command.main(["--output-dir", str(tmp_path / "empty")]) == 2


def test_killed_while_embedding_it_goes_on_to_the_same_bytes(
    trained: OutputLayout, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    many = OutputLayout(tmp_path_factory.mktemp("many"))
    write_small_dataset(many, n_patients=20, n_windows=80, seed=2)
    whole, cut = tmp_path / "whole.npz", tmp_path / "cut.npz"
    embed_cohort.run(trained.encoder, many.dataset, whole, "cpu")
    program = (
        "import os, signal, torch\n"
        "from pathlib import Path\n"
        "from ecgppg.stages import embed_cohort\n"
        "from ecgppg.store import growing_rows\n"
        "torch.set_num_threads(1)\n"
        "growing_rows.SAVE_EVERY_S = 0\n"
        "append = growing_rows.GrowingRows.append\n"
        "def append_and_die(self, rows):\n"
        "    append(self, rows)\n"
        "    if len(self) >= 768: os.kill(os.getpid(), signal.SIGKILL)\n"
        "growing_rows.GrowingRows.append = append_and_die\n"
        f"embed_cohort.run(*map(Path, {[str(trained.encoder), str(many.dataset), str(cut)]!r}), 'cpu')\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL
    assert not cut.exists()
    rows, done = tmp_path / ".cut.npz.rows", 768
    assert json.loads((tmp_path / ".cut.npz.rows.json").read_text())["rows"] == done
    with open(rows, "ab") as file:
        file.write(b"cut short")
    before = rows.read_bytes()[: done * 4 * 16]
    embed_cohort.run(trained.encoder, many.dataset, cut, "cpu")
    assert cut.read_bytes() == whole.read_bytes()
    assert np.array_equal(np.frombuffer(before, "<f4").reshape(done, 16), read_embeddings(cut).embeddings[:done])
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["resnet1d", "two_towers"])
def test_an_encoder_of_any_kind_comes_out_of_a_checkpoint_with_its_last_weights(name: str, tmp_path: Path) -> None:
    settings = small_settings(encoder_name=name, encoder_size="small", learnable_temperature=True)
    model = build_model(settings)
    identity = {**settings.content("run", "build", "split", "train"), "dataset": "a hash"}
    path = tmp_path / "c.pth"
    save_checkpoint(path, Checkpoint(identity, TrainingState(epoch=3), model.state_dict(), {}, None))
    encoder = encoder_of_checkpoint(path)
    x_BCT, present_BC = torch.randn(2, 2, 500), torch.ones(2, 2)
    with torch.no_grad():
        torch.testing.assert_close(encoder.network(x_BCT, present_BC), model["encoder"](x_BCT, present_BC))
    assert encoder.description["weights"]["epoch"] == 3
    assert encoder.description["dataset_content_hash"] == "a hash"
    save_checkpoint(path, Checkpoint({**identity, "hidden_dims": [4]}, TrainingState(), model.state_dict(), {}, None))
    with pytest.raises(RefusedError, match="of another release"):
        encoder_of_checkpoint(path)
