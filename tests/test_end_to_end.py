"""One run on the synthetic cohort through every stage, and the contract of every artefact it leaves."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from ecgppg.config.schema import CLINICAL_COLUMNS, FLAGS, SEGMENT_COLUMNS, SPLITS, OutputLayout, is_label

ROOT = Path(__file__).resolve().parent.parent
SMALL = {
    "num_epochs": 2,
    "batch_size": 16,
    "hidden_dims": [8, 16],
    "embedding_dim": 16,
    "projection_dim": 8,
    "max_segments_per_patient": 24,
    "min_segments_per_patient": 2,
    "test_share": 0.4,
    "min_cluster_size": 8,
    "min_samples": 3,
    "n_components": 4,
    "n_stability_runs": 2,
    "n_permutations": 100,
    "n_bootstrap": 100,
    "min_cell_patients": 1,
    "num_workers": 2,
}


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("a folder with spaces") / "cohort"
    make_cohort(folder, n_patients=12, minutes=4, seed=7, num_workers=0)
    return folder


@pytest.fixture(scope="module")
def output(cohort: Path) -> OutputLayout:
    """Every stage, by one command, into a folder whose path has spaces."""
    out = cohort.parent / "the output"
    config = cohort.parent / "small.json"
    config.write_text(json.dumps(SMALL))
    inputs = ("--waveforms", cohort / "waveforms", "--clinical", cohort / "clinical")
    result = run("production_pipeline.py", *inputs, "--config", config, "--output-dir", out)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return OutputLayout(out)


def test_the_dataset_file_is_as_documented(output: OutputLayout) -> None:
    with h5py.File(output.dataset) as f:
        n, c, t = f["signals"].shape
        assert (c, t) == (2, 1250)
        assert n > 50
        assert f["signals"].dtype == np.int16
        assert f["signals"].chunks == (1, c, t)
        assert (f["signals"].compression, f["signals"].shuffle) == ("gzip", True)
        assert f["scale"].shape == (n, c)
        calibrated = f["segments/flags"][:] & (1 << FLAGS.index("uncalibrated_ecg")) == 0
        peak_mv = np.abs(f["signals"][:, 0]).max(axis=1) * f["scale"][:, 0]
        assert 0.2 < np.median(peak_mv[calibrated]) < 3
        assert calibrated.any()
        for column in (*SEGMENT_COLUMNS, *CLINICAL_COLUMNS):
            stored = f["segments"][column.name]
            assert stored.shape == ((n, c) if column.per_channel else (n,)), column.name
            if column.dtype != "str":
                assert stored.dtype == np.dtype(column.dtype), column.name
        labels = [name for name in f["segments"] if is_label(name)]
        assert {"stroke_this", "stroke_before", "stroke_after", "af_this", "death_hospital"} <= set(labels)
        for name in labels:
            assert f["segments"][name].dtype == np.int8
            assert set(np.unique(f["segments"][name])) <= {-1, 0, 1}
        attributes = set(f.attrs)
    expected = {"channel_names", "units", "sampling_rate_hz", "schema_version", "config_hash", "content_hash", "filter"}
    assert expected <= attributes


def test_metadata_and_pickle_are_the_same_table(output: OutputLayout) -> None:
    metadata = pd.read_parquet(output.metadata)
    with open(output.metadata_pickle, "rb") as f:
        pd.testing.assert_frame_equal(pickle.load(f), metadata, check_dtype=False)
    with h5py.File(output.dataset) as f:
        assert np.array_equal(f["segments/segment_id"], metadata["segment_id"])
        assert np.array_equal(f["segments/stroke_this"], metadata["stroke_this"])
    order = metadata[["subject_id", "record", "start_sample"]]
    assert order.equals(order.sort_values(list(order.columns), ignore_index=True))
    assert metadata["segment_id"].is_unique


def test_the_attrition_table_adds_up(output: OutputLayout, cohort: Path) -> None:
    card = json.loads(output.card_json.read_text())
    counts = card["counts"]
    assert counts["windows_candidate"] == counts["windows_judged"] + counts.get("windows_over_limit", 0)
    assert counts["windows_judged"] == counts["windows_kept"] + sum(card["windows_dropped"].values())
    assert card["n_segments"] == counts["windows_kept"] - counts.get("windows_of_left_out_patients", 0)
    assert card["n_patients"] == pd.read_parquet(output.metadata)["subject_id"].nunique()
    assert sum(card["records_damaged"].values()) > 0, "the cohort has damaged records"
    damaged = pd.read_csv(cohort / "truth" / "damaged.csv")
    named = [line for line in output.log.read_text().splitlines() if "not read whole" in line]
    assert len(named) >= len(damaged) - 1, "a wrong checksum shows only where the whole file is read"
    assert "Synthetic patients" in output.card_markdown.read_text()


def test_real_tables_bring_their_agreement_along(tmp_path: Path) -> None:
    from ecgppg.stages.agreement import agreement

    assert "data use agreement" in agreement(str(tmp_path))
    assert "data use agreement" in agreement(None, linked=True)
    assert "licence of the waveform records" in agreement(None)


def test_every_record_is_linked_as_planted(output: OutputLayout, cohort: Path) -> None:
    linkage = pd.read_parquet(output.linkage)
    truth = pd.read_csv(cohort / "truth" / "records.csv")
    truth["record"] = truth["record"].str.split("/").str[-1]
    linkage["record"] = linkage["record"].str.split("/").str[-1]
    both = truth.merge(linkage, on="record", suffixes=("_truth", ""))
    assert len(both) == len(truth)
    graded = both[both["start_time_us"] > -(2**63)]
    assert (graded["link_grade_name"] == graded["expected_grade"]).all()


def test_no_patient_is_in_two_splits(output: OutputLayout) -> None:
    splits = pd.read_parquet(output.splits)
    assert splits["subject_id"].is_unique
    assert set(splits["split"]) == set(SPLITS)
    assert set(pd.read_parquet(output.metadata)["subject_id"]) <= set(splits["subject_id"])


def test_embeddings_are_joined_by_segment_id(output: OutputLayout) -> None:
    metadata = pd.read_parquet(output.metadata)
    splits = pd.read_parquet(output.splits).set_index("subject_id")["split"]
    rows = 0
    for path, split in [(output.embeddings, None), *((output.embeddings_of(s), s) for s in SPLITS)]:
        with np.load(path, allow_pickle=False) as held:
            embeddings, segment_id, subject_id = (held[k] for k in ("embeddings", "segment_id", "subject_id"))
            named = held["split"]
        assert embeddings.dtype == np.float32
        assert embeddings.shape == (len(segment_id), SMALL["embedding_dim"])
        assert np.isfinite(embeddings).all()
        assert (np.diff(segment_id) > 0).all()
        assert (named == splits.loc[subject_id].to_numpy()).all()
        if split is None:
            assert set(segment_id) == set(metadata["segment_id"])
        else:
            assert set(named) == {split}
            rows += len(segment_id)
    assert rows == len(metadata)


def test_features_hold_nothing_from_after_the_index_time(output: OutputLayout) -> None:
    features = pd.read_csv(output.features)
    assert not features.duplicated(["subject_id", "hadm_id"]).any()
    for column in (c for c in features if c.startswith("known_f_")):
        assert (features[column] <= features["index_time_us"]).all(), column
    assert not [c for c in features if c.startswith("f_") and ("_this" in c or "_after" in c)]


def test_training_leaves_checkpoints_metrics_and_an_encoder(output: OutputLayout) -> None:
    from ecgppg import load_encoder, open_dataset

    rows = [json.loads(line) for line in output.metrics.read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert output.latest_checkpoint.is_file()
    assert any(output.tensorboard.iterdir())
    encoder = load_encoder(output.encoder)
    dataset = open_dataset(output.dataset)
    with np.load(output.embeddings) as held:
        first = int(np.flatnonzero(dataset.column("segment_id") == held["segment_id"][0])[0])
        assert np.allclose(encoder.embed(dataset.read([first]))[0], held["embeddings"][0], atol=1e-4)
    trained = set(encoder.train_subject_ids)
    splits = pd.read_parquet(output.splits)
    assert trained == set(splits.loc[splits["split"] == "train", "subject_id"])


def test_reports_and_their_figures_are_there(output: OutputLayout) -> None:
    patterns = json.loads(output.patterns.read_text())
    assert {"parameters", "n_noise", "clusters"} <= set(patterns)
    for cluster in patterns["clusters"]:
        expected = {"id", "n_segments", "n_patients", "largest_patient_share", "stability", "exemplar_segment_ids"}
        assert expected <= set(cluster)
        assert all(isinstance(segment_id, str) for segment_id in cluster["exemplar_segment_ids"])
    pages = [output.discovery / "explorer.html", output.stroke / "stroke_report.html", output.report]
    for page in [*pages, output.validation / "validation.md", output.discovery / "map.png"]:
        assert page.stat().st_size > 500, page
    for page in pages:
        assert "http://" not in page.read_text().replace("http://www.w3.org", ""), "a page loads nothing from afar"


def test_check_passes_and_finds_a_flipped_byte(output: OutputLayout) -> None:
    result = run("production_pipeline.py", "--check", "--deep", "--output-dir", output.root)
    assert result.returncode == 0, result.stdout
    whole = output.splits.read_bytes()
    try:
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        output.splits.write_bytes(flipped)
        result = run("production_pipeline.py", "--check", "--output-dir", output.root)
        assert result.returncode == 1
        assert str(output.splits) in result.stdout
    finally:
        output.splits.write_bytes(whole)


def test_a_second_run_does_nothing_and_a_changed_setting_is_refused(output: OutputLayout) -> None:
    before = {p: p.stat().st_mtime_ns for p in (output.dataset, output.latest_checkpoint, output.embeddings)}
    assert run("production_pipeline.py", "--output-dir", output.root).returncode == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before
    for words, stage in (("ppg_band_hz=[0.5,8]", "build"), ("temperature=0.2", "train"), ("test_share=0.3", "split")):
        result = run("production_pipeline.py", "--output-dir", output.root, "--set", words)
        assert result.returncode == 2
        assert words.split("=")[0] in result.stderr
        assert stage in result.stderr
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_training_anew_keeps_the_dataset_and_the_splits(output: OutputLayout, tmp_path: Path) -> None:
    import shutil

    copy = OutputLayout(tmp_path / "copy")
    shutil.copytree(output.root, copy.root)
    kept = {path: path.read_bytes() for path in (copy.dataset, copy.splits)}
    words = ("--train-only", "--fresh", "--output-dir", copy.root, "--set", "temperature=0.2", "--num-epochs", 1)
    result = run("production_pipeline.py", *words)
    assert result.returncode == 0, result.stderr
    assert {path: path.read_bytes() for path in kept} == kept
    assert [json.loads(line)["epoch"] for line in copy.metrics.read_text().splitlines()] == [1]


def test_relabel_changes_labels_and_no_signal(output: OutputLayout, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(output.root, copy)
    lists = (ROOT / "ecgppg" / "clinical" / "code_lists.yaml").read_text()
    other = tmp_path / "lists.yaml"
    assert "427.31" in lists
    other.write_text(lists.replace("427.31", "401.9"))
    result = run("production_pipeline.py", "--relabel", "--output-dir", copy, "--set", f"code_lists={other}")
    assert result.returncode == 0, result.stderr
    with h5py.File(output.dataset) as old, h5py.File(copy / output.dataset.name) as new:
        assert old.attrs["content_hash"] == new.attrs["content_hash"]
        assert np.array_equal(old["signals"], new["signals"])
        assert not np.array_equal(old["segments/af_this"], new["segments/af_this"])
    assert run("production_pipeline.py", "--check", "--output-dir", copy).returncode == 0
