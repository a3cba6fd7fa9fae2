"""New definitions on a finished dataset: labels, features and card change, signals and splits do not."""

import csv
import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from ecgppg.cli.main import main
from ecgppg.clinical.code_lists import BUILT_IN, load_definitions
from ecgppg.config.errors import ConfigError
from ecgppg.config.schema import OutputLayout, is_label
from ecgppg.config.settings import Settings
from ecgppg.core.files import write_json
from ecgppg.stages import build, relabel, split
from ecgppg.stages.check import run as check
from ecgppg.stages.risk_reserve import standing
from ecgppg.synthetic.cohort import make_cohort

QUARTER = pd.Timedelta(minutes=15)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small synthetic cohort, built and split."""
    folder = tmp_path_factory.mktemp("relabel")
    truth = make_cohort(folder / "cohort", n_patients=6, minutes=5, seed=11, num_workers=0)
    chart_rhythms(truth)
    settings = Settings(
        waveforms_dir=str(folder / "cohort" / "waveforms"),
        clinical_dir=str(folder / "cohort" / "clinical"),
        max_segments_per_patient=12,
        num_workers=0,
        min_cell_patients=1,
    )
    layout = OutputLayout(folder / "out")
    write_json(layout.config, settings.model_dump(mode="json"))
    build.run(settings, layout)
    split.run(settings, layout)
    return settings, layout


def chart_rhythms(truth):
    """CHARTEVENTS with an entry four minutes into every record, by the text of one database or the other."""
    rows = [["ROW_ID", "SUBJECT_ID", "ITEMID", "CHARTTIME", "VALUE"]]
    for i, record in enumerate(truth.records.to_dict("records")):
        when = pd.Timestamp(record["start_time"]) + pd.Timedelta(minutes=4)
        item, value = ((212, "Atrial Fib"), (220048, "SR (Sinus Rhythm)"), (220045, "88"))[i % 3]
        rows.append([i, record["subject_id"], item, f"{when:%Y-%m-%d %H:%M:%S}", value])
    with open(truth.clinical / "CHARTEVENTS.csv", "w", newline="") as f:
        csv.writer(f).writerows(rows)


def test_windows_before_an_entry_have_the_charted_rhythm(built):
    settings, layout = built
    with open(Path(settings.clinical_dir) / "CHARTEVENTS.csv", newline="") as f:
        entries = [(int(r["SUBJECT_ID"]), pd.Timestamp(r["CHARTTIME"]), r["VALUE"]) for r in csv.DictReader(f)]
    meaning = {"Atrial Fib": "af", "SR (Sinus Rhythm)": "sinus"}
    metadata = pd.read_parquet(layout.metadata)
    expected = []
    for subject, start_us in zip(metadata["subject_id"], metadata["start_time_us"], strict=True):
        start = pd.Timestamp("1970-01-01") + pd.Timedelta(int(start_us), "us")
        ends = start + pd.Timedelta(seconds=10)
        near = [v for s, t, v in entries if s == subject and v in meaning and ends <= t <= start + QUARTER]
        expected.append(meaning[near[0]] if near else None)
    found = metadata["label_charted_rhythm"].astype(object)
    assert found.where(found.notna(), None).tolist() == expected
    assert {"af", "sinus", None} == set(expected)
    notices = json.loads(layout.card_json.read_text())["labels"]["notices"]
    assert [line for line in notices if line.startswith("charted rhythm: ")] == notices


def own_lists(path, **codes):
    lists = yaml.safe_load(BUILT_IN.read_text())
    for name, patterns in codes.items():
        lists["labels"][name]["codes"] = patterns
    path.write_text(yaml.safe_dump(lists | {"version": "mine"}))
    return str(path)


def stored_signals(layout):
    """SHA-256 of the signals as they lie in the file, compressed, chunk by chunk."""
    digest = hashlib.sha256()
    with h5py.File(layout.dataset) as f:
        for i in range(len(f["signals"])):
            digest.update(f["signals"].id.read_direct_chunk((i, 0, 0))[1])
        digest.update(f["scale"][()].tobytes())
    return digest.hexdigest()


def labels_of(layout):
    with h5py.File(layout.dataset) as f:
        return {name: f[f"segments/{name}"][()] for name in f["segments"] if is_label(name)}


def test_labels_features_and_card_change_and_nothing_else(
    built,
    tmp_path,
):
    settings, layout = built
    before = labels_of(layout)
    with h5py.File(layout.dataset) as f:
        content_hash = f.attrs["content_hash"]
    signals, table = stored_signals(layout), pd.read_csv(layout.features)
    splits = layout.splits.read_bytes()
    changed = settings.model_copy(update={"code_lists": own_lists(tmp_path / "mine.yaml", stroke=["401-405", "427"])})
    relabel.run(changed, layout)

    with h5py.File(layout.dataset) as f:
        assert f.attrs["content_hash"] == content_hash
    assert stored_signals(layout) == signals
    assert layout.splits.read_bytes() == splits
    after = labels_of(layout)
    assert after.keys() == before.keys()
    assert {name for name in after if not np.array_equal(after[name], before[name])} <= {
        f"stroke_{when}" for when in ("this", "before", "after")
    }
    assert (after["stroke_this"] == 1).sum() > (before["stroke_this"] == 1).sum()
    metadata = pd.read_parquet(layout.metadata)
    np.testing.assert_array_equal(metadata["stroke_this"], after["stroke_this"])
    features = pd.read_csv(layout.features)
    assert (features["y_stroke_detection"] == 1).sum() > (table["y_stroke_detection"] == 1).sum()
    waves = [name for name in table if name.startswith(("f_wave_", "index_time", "subject_id", "hadm_id"))]
    pd.testing.assert_frame_equal(features[waves], table[waves])
    card = json.loads(layout.card_json.read_text())
    assert card["labels"]["definitions"]["version"] == "mine"
    assert card["labels"]["labels_hash"] == load_definitions(tmp_path / "mine.yaml").labels_hash
    reserve = card["risk_reserve"]
    cases = set(metadata.loc[metadata[["stroke_this", "stroke_after"]].max(axis=1) == 1, "subject_id"])
    assert reserve["n_cases"] == len(cases) == reserve["cases_in_reserve"] + sum(reserve["cases_outside"].values())
    assert reserve["note"] in layout.card_markdown.read_text()
    assert check(layout).problems == []

    relabel.run(settings, layout)  # and back again
    for name, values in labels_of(layout).items():
        np.testing.assert_array_equal(values, before[name])
    assert json.loads(layout.card_json.read_text())["risk_reserve"] is None


def test_lists_without_the_primary_outcome_are_refused_before_anything_changes(built, tmp_path):
    settings, layout = built
    settings = settings.model_copy(update={"primary_outcome": "vt"})
    lists = yaml.safe_load(BUILT_IN.read_text())
    del lists["labels"]["vt"]
    (tmp_path / "lists.yaml").write_text(yaml.safe_dump(lists))
    bytes_before = layout.dataset.read_bytes()
    with pytest.raises(ConfigError, match="labels lacks vt"):
        relabel.run(settings.model_copy(update={"code_lists": str(tmp_path / "lists.yaml")}), layout)
    assert layout.dataset.read_bytes() == bytes_before


def test_the_reserve_is_counted_over_frozen_splits():
    splits = pd.DataFrame(
        {
            "subject_id": range(1, 9),
            "split": ["train", "train", "val", "test", "test", "test", "test", "test"],
            "risk_reserve": [False] * 4 + [True] * 4,
        }
    )
    patients = pd.DataFrame({"subject_id": range(1, 9), "primary": [1, 0, 1, 1, 1, 0, 0, -1]})
    found = standing(splits, patients, "af", 1)
    assert found["cases_outside"] == {"train": 1, "val": 1, "test": 1}
    assert (found["n_cases"], found["cases_in_reserve"]) == (4, 1)
    assert (found["controls_in_reserve"], found["unknown_in_reserve"]) == (2, 1)
    assert "2 in train or val" in found["note"]
    assert "fewer than 5 a case" in found["note"]
    assert found["share_of_cases_in_reserve"] == 0.25


def test_small_cells_of_the_reserve_are_hidden_and_not_told_by_subtraction():
    splits = pd.DataFrame(
        {"subject_id": range(60), "split": ["train"] * 20 + ["test"] * 40, "risk_reserve": [False] * 30 + [True] * 30}
    )
    cases = np.isin(np.arange(60), [*range(12), *range(30, 33)]).astype(int)  # 12 in train, 3 in the reserve
    found = standing(splits, pd.DataFrame({"subject_id": range(60), "primary": cases}), "stroke", 11)
    assert (found["n_cases"], found["cases_in_reserve"], found["share_of_cases_in_reserve"]) == ("hidden", "<11", None)
    assert found["cases_outside"] == {"train": 12, "val": 0, "test": 0}
    assert "of all patients with stroke <11 are in the risk reserve" in found["note"]
    plain = standing(splits, pd.DataFrame({"subject_id": range(60), "primary": cases}), "stroke", 1)
    assert (plain["n_cases"], plain["cases_in_reserve"], plain["share_of_cases_in_reserve"]) == (15, 3, 0.2)


def test_what_the_labels_count_is_said_before_a_finished_dataset_is_trained_on(built):
    _, layout = built
    counts = json.loads(layout.card_json.read_text())["labels"]["counts"]
    small = ["num_epochs=1", "hidden_dims=[8]", "embedding_dim=8", "batch_size=8", "device=cpu", "num_workers=0"]
    options = [part for pair in small for part in ("--set", pair)]
    assert main(["train", "--output-dir", str(layout.root), *options]) == 0
    said = layout.log.read_text()
    table = said.index("definitions in the clinical tables")
    assert said.count("definitions in the clinical tables") == 1
    assert table < said.index("== train") < said.index("epoch 1 of 1")
    lines = {line.split()[0]: line.split()[1:] for line in said[table:].splitlines()[2 : 2 + len(counts)]}
    for row in counts:
        numbers = [row[name] for name in ("n_patients", "n_admissions", "n_patients_primary", "n_admissions_primary")]
        assert lines[row["label"]] == [str(n) for n in numbers]
