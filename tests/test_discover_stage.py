"""Discovery and validation as stages: their files, their contract, and what they do with little."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgppg.config.errors import InputError
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, read_json
from ecgppg.discovery import reduce
from ecgppg.stages import discover, validate
from ecgppg.store.codec import quantize
from ecgppg.store.embeddings import write_embeddings
from ecgppg.store.metadata import write_metadata
from ecgppg.store.reader import open_dataset
from ecgppg.store.segments import SegmentTable
from ecgppg.store.writer import write_segments
from tests.planted import planted_embeddings

SETTINGS: dict[str, Any] = {
    "min_cluster_size": 15, "min_samples": 5, "n_components": 6, "n_stability_runs": 2, "num_workers": 1,
    "n_permutations": 100, "n_bootstrap": 100, "n_exemplars": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quick_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """UMAP takes half a minute to compile; its own test is marked slow."""
    monkeypatch.setattr(reduce, "MAP_UMAP_WINDOWS", 0)


def make_output(root: Path, labels: bool = True, clinical: bool = True) -> OutputLayout:
    """An output folder with embeddings, dataset and metadata of planted clusters."""
    layout = OutputLayout(root)
    rows, truth = planted_embeddings()
    n = len(rows)
    rng = np.random.default_rng(0)
    beat = np.sin(2 * np.pi * 1.2 * np.arange(1250) / 125)
    x = np.stack([np.stack([beat, 30 * beat])] * n) + 0.05 * rng.normal(size=(n, 2, 1250))
    x[:, 1][truth == 1] = 0
    step = np.full((n, 2), 0.005)
    step[truth == 1, 1] = 0
    signals, scale = quantize(x, step)
    columns: dict[str, Any] = {
        "segment_id": rows.segment_id,
        "subject_id": rows.subject_id,
        "subject": rows.subject_id.astype(str).astype(object),
        "record": np.array([f"p{s}/r" for s in rows.subject_id], object),
        "start_sample": np.arange(n) * 1250,
        "start_time_us": np.zeros(n, np.int64),
        "ecg_lead": np.full(n, "II", object),
        "gain": np.full((n, 2), 200, np.float32),
        "fs_hz": np.full((n, 2), 125, np.float32),
        "quality": np.full(n, 0.9, np.float32),
        "flags": np.where(truth == 2, 1, 0).astype(np.uint16),
        "heart_rate_bpm": np.where(truth == 0, np.nan, 60 + 20 * truth).astype(np.float32),
        "rr_cv": np.full(n, 0.05, np.float32),
        "n_beats": np.full(n, 12, np.int16),
        "ppg_lag_s": np.full(n, np.nan, np.float32),
    }
    if clinical:
        columns |= {
            "hadm_id": np.full(n, 1, np.int64),
            "link_grade": np.ones(n, np.uint8),
            "care_unit": np.full(n, "MICU", object),
        }
    if labels:
        columns["stroke_this"] = (rows.subject_id % 3 == 0).astype(np.int8)
    layout.root.mkdir(parents=True)
    attributes = {"channel_names": ["ECG", "PPG"], "units": ["mV", "NU"], "sampling_rate_hz": 125.0, "config_hash": "x"}
    write_segments(layout.dataset, SegmentTable(signals, scale, columns), attributes)
    with open_dataset(layout.dataset) as dataset:
        write_metadata(layout.metadata, None, dataset.to_frame())
    write_embeddings(layout.embeddings, rows)
    return layout


def test_planted_patterns_come_out_with_every_file_of_the_contract(tmp_path: Path) -> None:
    layout = make_output(tmp_path / "a folder")
    summary = discover.run(Settings(**SETTINGS), layout)
    assert summary["n_clusters"] == 4
    assert not summary["done_before"]
    found = json.loads(layout.patterns.read_text(), parse_constant=pytest.fail)
    assert {"parameters", "n_noise", "clusters", "includes_train", "outcome"} <= found.keys()
    assert found["parameters"]["min_cluster_size"] == 15
    assert found["includes_train"] is False
    held = [c for c in found["clusters"] if c["patient_cluster"]]
    assert len(held) == 1
    assert held[0]["n_patients"] == 1
    assert held[0]["largest_patient_share"] == 1
    assert held[0]["descriptors"]["heart_rate_bpm"]["low"] is None
    assert "1 of them held mostly by one patient" in found["outcome"]
    assert sum(c["n_segments"] for c in found["clusters"]) + found["n_noise"] == found["n_segments"]
    windows = pd.read_parquet(layout.discovery / found["windows_file"])
    for c in found["clusters"]:
        assert all(isinstance(s, str) for s in c["exemplar_segment_ids"])
        assert len(c["exemplar_segment_ids"]) == 3
        assert {"n_patients", "stability", "descriptors", "segment_ids_file"} <= c.keys()
        if not c["patient_cluster"]:
            assert c["stability"] > 0.9
        with open(layout.discovery / c["segment_ids_file"], newline="") as f:
            listed = {row["segment_id"] for row in csv.DictReader(f)}
        assert listed == set(windows.loc[windows.cluster == c["id"], "segment_id"].astype(str))
        assert set(c["exemplar_segment_ids"]) <= listed
    names = {"map.png", "overview.png", "explorer.html", *(f"strips_cluster_{k}.png" for k in range(4))}
    assert names <= {p.name for p in layout.discovery.iterdir()}
    assert all((layout.discovery / name).stat().st_size > 2000 for name in names)
    assert "data use agreement" in (layout.discovery / "explorer.html").read_text()
    assert read_completion(layout.patterns, verify=True) is not None
    assert discover.run(Settings(**SETTINGS), layout)["done_before"]


def test_a_smaller_run_leaves_no_file_of_the_larger_one(tmp_path: Path) -> None:
    layout = make_output(tmp_path / "out", labels=False, clinical=False)
    discover.run(Settings(**SETTINGS), layout)
    assert "data use agreement" not in (layout.discovery / "explorer.html").read_text()
    summary = discover.run(Settings(**SETTINGS | {"min_cluster_size": 400}), layout)
    assert summary["n_clusters"] == 0
    assert "too few" in summary["outcome"]
    assert not summary["done_before"]
    assert not list(layout.discovery.glob("cluster_*"))
    assert not list(layout.discovery.glob("strips_*"))
    assert "overview.png" not in {p.name for p in layout.discovery.iterdir()}
    assert (layout.discovery / "explorer.html").is_file()
    assert "found no clusters" in validate.run(Settings(**SETTINGS), layout)["outcome"]


def test_embeddings_alone_are_enough(tmp_path: Path) -> None:
    layout = make_output(tmp_path / "out")
    layout.dataset.unlink()
    layout.metadata.unlink()
    assert discover.run(Settings(**SETTINGS), layout)["n_clusters"] == 4
    assert read_json(layout.patterns)["clusters"][0]["descriptors"]["quality"] is None
    assert not list(layout.discovery.glob("strips_*"))
    assert "no label is known" in validate.run(Settings(**SETTINGS), layout)["outcome"]


def test_no_windows_of_the_splits_is_an_outcome_and_not_a_crash(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    rows, _ = planted_embeddings(n_patients=4, n_windows=20, split="train")
    write_embeddings(layout.embeddings, rows)
    summary = discover.run(Settings(**SETTINGS), layout)
    assert summary["n_clusters"] == 0
    assert summary["n_segments"] == 0
    labelled = discover.run(Settings(**SETTINGS | {"include_train": True}), layout)
    assert labelled["n_segments"] == 80
    assert read_json(layout.patterns)["includes_train"] is True
    assert "was trained on" in (layout.discovery / "explorer.html").read_text()


def test_validation_writes_its_files_and_follows_the_labels(tmp_path: Path) -> None:
    layout = make_output(tmp_path / "out")
    settings = Settings(**SETTINGS | {"min_cell_patients": 1})
    discover.run(settings, layout)
    summary = validate.run(settings, layout)
    assert summary["n_tests"] == 3
    assert not summary["done_before"]
    found = json.loads((layout.validation / "validation.json").read_text(), parse_constant=pytest.fail)
    assert found["unit"] == "patient"
    assert found["n_patients"] == 24
    assert {u["what"] for u in found["untested"]} == {"cluster 3"}
    assert {p.name for p in layout.validation.glob("*")} >= {"validation.md", "enrichment.png"}
    assert validate.run(settings, layout)["done_before"]
    frame = pd.read_parquet(layout.metadata).assign(stroke_this=np.int8(-1))
    write_metadata(layout.metadata, None, frame)
    assert "no label is known" in validate.run(settings, layout)["outcome"]
    assert not (layout.validation / "enrichment.png").exists()


def test_files_of_another_build_are_refused_in_one_line(tmp_path: Path) -> None:
    layout = make_output(tmp_path / "out")
    settings = Settings(**SETTINGS)
    with pytest.raises(InputError, match=r"discovered_patterns\.json"):
        validate.run(settings, layout)
    discover.run(settings, layout)
    write_metadata(layout.metadata, None, pd.read_parquet(layout.metadata).iloc[5:])
    with pytest.raises(InputError, match="another build"):
        validate.run(settings, layout)
    with pytest.raises(InputError, match="another build"):
        discover.run(Settings(**SETTINGS | {"n_exemplars": 2}), layout)
    layout.patterns.write_text('{"clusters": [{}]}')
    with pytest.raises(InputError, match="lacks its id"):
        validate.run(settings, layout)
    layout.embeddings.unlink()
    with pytest.raises(InputError, match="no such file"):
        discover.run(settings, layout)
