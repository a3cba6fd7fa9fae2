"""--check: a flipped byte, a missing file, a wrong count in each artefact in turn is found and named."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgppg import pipeline
from ecgppg.cli import production
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.core.files import write_completion, write_json
from ecgppg.core.side_files import changed_files, side_files
from ecgppg.stages import check
from tests.store_samples import write_sample
from tests.test_end_to_end import SMALL

UNCHECKED = ("production.log", "tensorboard", "cohort")
"""A log that grows, TensorBoard's own files, and inputs."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built dataset and a trained encoder, with its embeddings, stroke report and report page."""
    from ecgppg.synthetic.cohort import make_cohort

    out = tmp_path_factory.mktemp("checked")
    make_cohort(out / "cohort", n_patients=6, minutes=2, seed=1, num_workers=0)
    changes = {"num_workers": 0, "min_segments_per_patient": 1, "num_epochs": 2, "checkpoint_every": 1}
    (out / "small.json").write_text(json.dumps(SMALL | changes))
    inputs = ["--waveforms", str(out / "cohort/waveforms"), "--clinical", str(out / "cohort/clinical")]
    words = [*inputs, "--config", str(out / "small.json"), "--output-dir", str(out / "out")]
    assert production.main(["--build-dataset", *words]) == 0
    assert production.main(["--train-only", "--output-dir", str(out / "out")]) == 0
    layout = OutputLayout(out / "out")
    settings = pipeline_settings(layout)
    for stage in ("stroke", "report"):
        pipeline.run_stages(settings, layout, (stage,))
    return out


def pipeline_settings(layout: OutputLayout):
    from ecgppg.stages.check_settings import stored_settings

    return stored_settings(layout)


def artefacts(root: Path) -> list[Path]:
    return [
        path for path in sorted(root.rglob("*"))
        if path.is_file() and not set(path.relative_to(root).parts) & set(UNCHECKED)
    ]  # fmt: skip


def problems(root: Path) -> list[str]:
    return check.run(OutputLayout(root)).problems


@contextmanager
def replaced(path: Path, content: bytes | None) -> Iterator[None]:
    """The file with other bytes, or gone; put back at the end."""
    whole = path.read_bytes()
    try:
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        yield
    finally:
        path.write_bytes(whole)


def flipped(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x04
    return bytes(content)


def unfound(root: Path, absent: bool) -> list[str]:
    """Artefacts of which a flipped byte, or the absence, is not named."""
    missed = []
    for path in artefacts(root):
        with replaced(path, None if absent else flipped(path)):
            found = problems(root)
        if not any(path.name.removesuffix(".done.json") in line for line in found):
            missed.append(f"{path.name}: {found}")
    return missed


def test_a_flipped_byte_in_each_artefact_is_named(folder: Path) -> None:
    out = folder / "out"
    names = {path.name for path in artefacts(out)}
    assert {
        "full_dataset.h5", "full_dataset_metadata.parquet", "full_dataset_metadata.pkl", "clinical_features.csv",
        "linkage.parquet", "dataset_card.md", "dataset_card.json", "splits.parquet", "latest_checkpoint.pth",
        "checkpoint_epoch_1.pth", "embeddings.npz", "val_embeddings.npz", "encoder.safetensors", "encoder.json",
        "metrics.jsonl", "stroke_report.html", "stroke_report.json", "report.html", "config.json",
    } <= names  # fmt: skip
    assert problems(out) == []
    assert unfound(out, absent=False) == []
    assert production.main(["--check", "--output-dir", str(out)]) == 0
    with replaced(out / "report.html", flipped(out / "report.html")):
        assert production.main(["--check", "--output-dir", str(out)]) == 1


@pytest.mark.slow
def test_the_absence_of_each_artefact_is_named(folder: Path) -> None:
    # A kill between a checkpoint and its record leaves it without: it is whole, and counts.
    assert [m for m in unfound(folder / "out", absent=True) if ".pth.done.json" not in m] == []


@pytest.mark.slow
def test_the_same_of_a_whole_run_with_patterns(folder: Path, tmp_path: Path) -> None:
    words = ["--config", str(folder / "small.json"), "--set", "include_train=true", "--output-dir", str(tmp_path)]
    inputs = ["--waveforms", str(folder / "cohort/waveforms"), "--clinical", str(folder / "cohort/clinical")]
    more = ["--set", "discovery_splits=[train, val, test]", "--set", "min_cluster_size=5"]
    assert production.main([*inputs, *words, *more]) == 0
    assert {"discovered_patterns.json", "windows.parquet", "explorer.html", "validation.md"} <= {
        path.name for path in artefacts(tmp_path)
    }
    assert unfound(tmp_path, absent=False) == []
    assert [m for m in unfound(tmp_path, absent=True) if ".pth.done.json" not in m] == []


def test_rows_are_counted_in_every_table(folder: Path) -> None:
    out, layout = folder / "out", OutputLayout(folder / "out")
    for path in (layout.metadata, layout.linkage, layout.splits):
        changed = pd.read_parquet(path).iloc[:-1]
        _one_row_less(out, path, lambda target, frame=changed: frame.to_parquet(target, index=False))
    features = pd.read_csv(layout.features)
    _one_row_less(out, layout.features, lambda target: features.iloc[:-1].to_csv(target, index=False))
    with np.load(layout.embeddings) as arrays:
        shorter = {name: arrays[name][:-1] for name in arrays.files}
    _one_row_less(out, layout.embeddings, lambda target: np.savez(target, **shorter))


def _one_row_less(out: Path, path: Path, write) -> None:
    """A table that lost a row, in a record that has its new checksum and its old count."""
    record = json.loads(completion_path(path).read_text())
    with replaced(path, b""), replaced(completion_path(path), b""):
        write(path)
        extra = {k: v for k, v in record.items() if k in ("counts", "labels_hash", "epoch", "note")}
        write_completion(path, record["content"], record["rows"], **extra)
        found = problems(out)
    assert any(f"{path}: holds {record['rows'] - 1} rows" in line for line in found), found


def test_parts_and_shards_of_an_unfinished_build(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    paths = [layout.part(7), layout.shard(0)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sample(path, [(7, "r", 1250 * k) for k in range(3)])
        write_completion(path, {}, rows=3)
    assert problems(tmp_path) == []
    for path in (*paths, *map(completion_path, paths)):
        for content in (flipped(path), None) if path in paths else (flipped(path), b"{}", b""):
            with replaced(path, content):
                assert any(path.name.removesuffix(".done.json") in line for line in problems(tmp_path)), path
        if path in paths:
            write_completion(path, {}, rows=4)
            assert f"{path}: holds 3 rows, its completion record says 4" in problems(tmp_path)
            write_completion(path, {}, rows=3)


def test_patterns_agree_with_their_table(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    layout.discovery.mkdir()
    pd.DataFrame({"cluster": [-1, 0, 0, 1]}).to_parquet(layout.discovery / "windows.parquet")
    clusters = [{"id": 0, "n_segments": 2}, {"id": 1, "n_segments": 1}]
    good = {"n_segments": 4, "n_noise": 1, "windows_file": "windows.parquet", "clusters": clusters}
    wrong = [{**clusters[0], "n_segments": 3}, clusters[1]]
    for described, expected in (
        (good, ""), (good | {"n_noise": 2}, "n_noise is 2"), (good | {"n_segments": 5}, "n_segments is 5"),
        (good | {"clusters": wrong}, "cluster 0 is 3"), ({"clusters": []}, "does not hold what its stage writes"),
    ):  # fmt: skip
        write_json(layout.patterns, described)
        beside = side_files(layout.discovery, [layout.discovery / "windows.parquet"])
        write_completion(layout.patterns, {}, len(described["clusters"]), files=beside)
        found = problems(tmp_path)
        assert len(found) == bool(expected)
        assert expected in "".join(found)


def test_a_record_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("../secret", str(tmp_path / "secret")):
        (line,) = changed_files(folder, {name: [1, "0"]})
        assert "names" in line
    for listed in ([], {"a": 3}, "x"):
        assert changed_files(folder, listed)


def test_settings_that_are_not_those_of_the_dataset_are_named(folder: Path) -> None:
    config = folder / "out" / "config.json"
    stored = json.loads(config.read_text())
    for content, expected in (
        (json.dumps(stored | {"sampling_rate_hz": 100.0}), "built with other settings (sampling_rate_hz"),
        (json.dumps(stored | {"no_such_setting": 1}), "unknown setting"),
        ("{", "not JSON"),
    ):
        with replaced(config, content.encode()):
            (line,) = problems(folder / "out")
        assert expected in line
        assert str(config) in line
