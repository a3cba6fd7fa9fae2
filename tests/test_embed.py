"""Embeddings of every window, and encoders that load or are refused."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgppg.api import load_encoder, open_dataset
from ecgppg.config.errors import ConfigError, InputError
from ecgppg.config.schema import SPLITS, OutputLayout
from ecgppg.core.files import read_completion
from ecgppg.stages import embed as embed_stage
from ecgppg.stages import train as train_stage
from ecgppg.store.embeddings import read_embeddings
from tests.small_dataset import small_settings, write_small_dataset


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    torch.set_num_threads(1)
    layout = OutputLayout(tmp_path_factory.mktemp("trained"))
    write_small_dataset(layout)
    train_stage.run(small_settings(num_epochs=1), layout)
    return layout


@pytest.fixture
def layout(trained: OutputLayout, tmp_path: Path) -> OutputLayout:
    shutil.copytree(trained.root, tmp_path / "out")
    return OutputLayout(tmp_path / "out")


def test_every_window_is_embedded_once_in_order_with_its_split(layout: OutputLayout) -> None:
    summary = embed_stage.run(small_settings(), layout)
    dataset = open_dataset(layout.dataset)
    everything = read_embeddings(layout.embeddings)
    assert len(everything) == len(dataset) == summary["windows"]
    assert sorted(dataset.column("segment_id").tolist()) == everything.segment_id.tolist()
    parts = [read_embeddings(layout.embeddings_of(name)) for name in SPLITS]
    assert [len(part) for part in parts] == [summary[name] for name in SPLITS] == [72, 36, 36]
    assert set(np.concatenate([p.segment_id for p in parts]).tolist()) == set(everything.segment_id.tolist())
    for name, part in zip(SPLITS, parts, strict=True):
        assert set(part.split.tolist()) == {name}
        place = np.searchsorted(everything.segment_id, part.segment_id)
        np.testing.assert_array_equal(everything.embeddings[place], part.embeddings)
    for path in (layout.embeddings, *map(layout.embeddings_of, SPLITS)):
        assert read_completion(path, verify=True) is not None


def test_embeddings_are_those_of_the_exported_encoder_on_whole_windows(layout: OutputLayout) -> None:
    embed_stage.run(small_settings(), layout)
    everything, dataset = read_embeddings(layout.embeddings), open_dataset(layout.dataset)
    by_id = np.argsort(dataset.column("segment_id"))
    encoder = load_encoder(layout.encoder)
    direct = encoder.embed(dataset.read(by_id))
    np.testing.assert_allclose(everything.embeddings, direct, atol=1e-5)
    np.testing.assert_array_equal(dataset.column("subject_id")[by_id], everything.subject_id)
    one_by_one = np.concatenate([encoder.embed(dataset.read([row])) for row in by_id[:5]])
    np.testing.assert_allclose(one_by_one, direct[:5], atol=1e-5)


def test_embedding_again_is_the_same_and_done_only_while_encoder_and_windows_are(layout: OutputLayout) -> None:
    assert not embed_stage.run(small_settings(), layout)["done_before"]
    content = layout.embeddings.read_bytes()
    assert embed_stage.run(small_settings(), layout)["done_before"]
    layout.embeddings_of("val").unlink()
    assert not embed_stage.run(small_settings(), layout)["done_before"]
    assert np.array_equal(read_embeddings(layout.embeddings).embeddings, np.load(BytesIO(content))["embeddings"])
    train_stage.run(small_settings(num_epochs=3), layout)
    assert not embed_stage.run(small_settings(num_epochs=3), layout)["done_before"]


def test_no_encoder_is_said(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    write_small_dataset(layout, n_patients=3)
    with pytest.raises(InputError, match=r"encoder\.json"):
        embed_stage.run(small_settings(), layout)


def test_an_encoder_of_other_channels_is_refused(layout: OutputLayout) -> None:
    path = layout.encoder / "encoder.json"
    description = json.loads(path.read_text())
    description["input"]["channels"] = ["PPG", "ECG"]
    path.write_text(json.dumps(description))
    with pytest.raises(InputError, match="takes channels"):
        embed_stage.run(small_settings(), layout)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("encoder", {"name": "resnet1d", "n_channels": 2, "hidden_dims": [10**6, 10**6], "embedding_dim": 16}),
        ("encoder", {"name": "resnet1d", "n_channels": 2, "hidden_dims": [], "embedding_dim": 16}),
        ("encoder", {"name": "other"}),
        ("encoder", []),
        ("train_subject_ids", ["everyone"]),
        ("train_subject_ids", None),
        ("input", None),
        ("format", "another"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(layout: OutputLayout, part: str, value: object) -> None:
    path = layout.encoder / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {part: value}))
    with pytest.raises(InputError, match="encoder"):
        load_encoder(layout.encoder)


def test_damaged_or_missing_weights_are_refused(layout: OutputLayout) -> None:
    weights = layout.encoder / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable encoder"):
        load_encoder(layout.encoder)
    weights.unlink()
    with pytest.raises(InputError, match="not a readable encoder"):
        load_encoder(layout.encoder)
    with pytest.raises(InputError, match="absent"):
        load_encoder(layout.root / "nowhere")


def test_windows_of_the_wrong_shape_and_unknown_devices_are_refused(layout: OutputLayout) -> None:
    encoder = load_encoder(layout.encoder)
    with pytest.raises(InputError, match=r"\(N, 2, T\)"):
        encoder.embed(np.zeros((3, 1, 1250), np.float32))
    assert encoder.embed(np.zeros((0, 2, 1250), np.float32)).shape == (0, 16)
    with pytest.raises(ConfigError, match="device"):
        load_encoder(layout.encoder, "abacus")
