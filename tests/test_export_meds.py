"""The MEDS export: valid by the standard's own schemas, nothing earlier than it was known, nobody in two places."""

import json
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from meds import CodeMetadataSchema, DataSchema, DatasetMetadataSchema, LabelSchema, SubjectSplitSchema

from ecgppg.cli.main import main
from ecgppg.config.errors import InputError, RefusedError
from ecgppg.config.load import build_settings
from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import read_completion
from ecgppg.interop.meds_tables import label_table, split_table
from ecgppg.stages import export_meds, features_only
from ecgppg.store.metadata import write_metadata
from tests.clinical_folder import write_folder

UNKNOWN_US = np.iinfo(np.int64).min


def us(text):
    return int(np.datetime64(text, "us").astype(np.int64))


def segments():
    start = us("2120-01-10T10:00:00")
    return pd.DataFrame(
        {
            "segment_id": [7, 5, 9, 8],
            "subject_id": [1, 1, 3, 4],
            "start_time_us": [start, start + 10_000_000, us("2140-05-20T02:00:00"), UNKNOWN_US],
            "heart_rate_bpm": np.array([70.5, np.nan, 90, 60], np.float32),
            "rr_cv": np.array([0.05, np.nan, 0.2, 0.1], np.float32),
            "quality": np.array([0.9, 0.8, 0.7, 0.6], np.float32),
        }
    )


def splits(*rows):
    frame = pd.DataFrame(rows, columns=["subject_id", "split"])
    return frame.assign(stratum="unlabelled", risk_reserve=False)


@pytest.fixture
def out(tmp_path):
    layout = OutputLayout(tmp_path / "out")
    layout.root.mkdir()
    settings = build_settings({"clinical_dir": str(write_folder(tmp_path / "tables")), "min_age_years": 0})
    features_only.run(settings, layout)
    write_metadata(layout.metadata, None, segments())
    splits((1, "train"), (2, "val"), (3, "test"), (4, "train")).to_parquet(layout.splits, index=False)
    return settings, layout


def read_data(layout):
    files = sorted((layout.meds / "data").rglob("*.parquet"))
    return files, pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)


def test_every_table_is_valid_by_the_standards_own_schemas(out):
    settings, layout = out
    summary = export_meds.run(settings, layout)
    files, data = read_data(layout)
    for path in files:
        DataSchema.validate(pq.read_table(path))
    for path in (layout.meds / "labels").glob("*.parquet"):
        LabelSchema.validate(pq.read_table(path))
    SubjectSplitSchema.validate(pq.read_table(layout.meds / "metadata" / "subject_splits.parquet"))
    codes = pq.read_table(layout.meds / "metadata" / "codes.parquet")
    CodeMetadataSchema.validate(codes)
    DatasetMetadataSchema.validate(json.loads((layout.meds / "metadata" / "dataset.json").read_text()))
    assert set(data["code"]) == set(codes.column("code").to_pylist())
    assert summary["n_events"] == len(data)
    assert summary["n_subjects"] == 4
    assert read_completion(layout.meds / "metadata" / "dataset.json", verify=True) is not None


def test_a_patient_is_in_one_file_together_and_in_order(out):
    settings, layout = out
    export_meds.run(settings, layout)
    files, _ = read_data(layout)
    assert [str(path.relative_to(layout.meds / "data")) for path in files] == [
        "held_out/0.parquet", "train/0.parquet", "tuning/0.parquet",
    ]  # fmt: skip
    seen = []
    for path in files:
        table = pd.read_parquet(path)
        own = table["subject_id"].drop_duplicates().tolist()
        assert (table["subject_id"].diff().fillna(0) >= 0).all()
        seen += own
        for _, events in table.groupby("subject_id"):
            timed = events["time"].dropna()
            assert timed.is_monotonic_increasing
            assert events["time"].isna().to_numpy()[: len(events) - len(timed)].all()
    assert sorted(seen) == [1, 2, 3, 4]
    split = pd.read_parquet(layout.meds / "metadata" / "subject_splits.parquet")
    assert dict(zip(split["subject_id"], split["split"], strict=True)) == {
        1: "train", 2: "tuning", 3: "held_out", 4: "train",
    }  # fmt: skip


def test_events_stand_at_the_time_they_were_known(out):
    settings, layout = out
    export_meds.run(settings, layout)
    data = read_data(layout)[1].set_index(["subject_id", "code"]).sort_index()

    def times(subject, code):
        found = data.loc[[(subject, code)], "time"]
        return [str(t) for t in found]

    assert times(1, "DIAGNOSIS//ICD9CM//434.91") == ["2122-01-20 12:00:00"]  # at discharge, not at admission
    assert times(1, "MEDICATION//anticoagulant") == ["2121-01-10 00:00:00"]  # the day after
    assert times(1, "HOSPITAL_ADMISSION//ELECTIVE") == ["2121-01-10 08:00:00"]
    assert times(1, "ICU_ADMISSION//CCU") == ["2120-01-10 10:00:00"]
    assert times(1, "WAVEFORM//HEART_RATE//bpm") == ["2120-01-10 10:00:10"]  # at the window's end
    assert times(1, "WAVEFORM//QUALITY") == ["2120-01-10 10:00:10", "2120-01-10 10:00:20"]
    assert data.loc[[(1, "WAVEFORM//QUALITY")], "segment_id"].tolist() == [7, 5]
    assert data.loc[[(1, "WAVEFORM//HEART_RATE//bpm")], "numeric_value"].tolist() == [70.5]
    assert times(1, "MEDS_BIRTH") == ["2070-05-05 00:00:00"]
    assert times(2, "MEDS_DEATH") == ["2125-03-02 03:00:00"]  # in hospital: its hour
    assert times(3, "MEDS_DEATH") == ["2140-08-02 00:00:00"]  # elsewhere: when its day is over
    assert (4, "WAVEFORM//QUALITY") not in data.index  # of unknown time


def test_births_three_centuries_ago_are_withheld(out):
    settings, layout = out
    export_meds.run(settings, layout)
    data = read_data(layout)[1]
    old = data[data["subject_id"] == 2]
    assert "MEDS_BIRTH" not in set(old["code"])
    static = old[old["code"] == "AGE//90_OR_OVER"].iloc[0]
    assert (static["numeric_value"], pd.isna(static["time"])) == (90, True)
    assert data["time"].dropna().min() > datetime(2000, 1, 1)


def test_labels_are_the_questions_of_the_report(out):
    settings, layout = out
    summary = export_meds.run(settings, layout)
    detection = pd.read_parquet(layout.meds / "labels" / "stroke_detection.parquet")
    features = pd.read_csv(layout.features)
    asked = features[features["first_eligible"]].sort_values("subject_id")
    assert detection["subject_id"].tolist() == asked["subject_id"].tolist()
    assert (
        detection["prediction_time"].astype("datetime64[us]").astype("int64").tolist()
        == asked["index_time_us"].tolist()
    )
    assert detection["boolean_value"].tolist() == (asked["y_stroke_detection"] == 1).tolist()
    prediction = pd.read_parquet(layout.meds / "labels" / "stroke_prediction.parquet")
    assert prediction["boolean_value"].tolist() == [True]
    assert summary["n_labels"]["stroke_detection"] == len(detection)
    data = read_data(layout)[1]
    coded = data[data["code"] == "DIAGNOSIS//ICD9CM//434.91"].merge(prediction, on="subject_id")
    assert (coded["time"] > coded["prediction_time"]).all()


def test_an_outcome_known_by_its_prediction_time_is_no_label():
    features = pd.DataFrame(
        {
            "subject_id": [1, 2, 3, 4],
            "index_time_us": [10, 10, 10, UNKNOWN_US],
            "y_x": [1, 1, -1, 1],
            "known_y_x": [11, 10, UNKNOWN_US, 20],
        }
    )
    assert label_table(features, "y_x", None).column("subject_id").to_pylist() == [1]


def test_a_patient_twice_or_without_a_split_is_refused(out):
    settings, layout = out
    with pytest.raises(RefusedError, match="patient 1 stands in it twice"):
        split_table(splits((1, "train"), (1, "test")), np.array([1]))
    splits((1, "train"), (2, "val")).to_parquet(layout.splits, index=False)
    with pytest.raises(InputError, match="2 patients have none"):
        export_meds.run(settings, layout)
    assert not layout.meds.exists()


def test_waveforms_alone_and_tables_alone(out, tmp_path):
    settings, layout = out
    alone = OutputLayout(tmp_path / "alone")
    alone.root.mkdir()
    with pytest.raises(InputError, match="neither segments nor features"):
        export_meds.run(settings, alone)
    write_metadata(alone.metadata, None, segments())
    summary = export_meds.run(build_settings({}), alone)
    assert summary == {"n_subjects": 3, "n_events": 7, "n_labels": {}}
    files, data = read_data(alone)
    assert [path.name for path in files] == ["0.parquet"]
    assert set(data["code"].str.split("//").str[0]) == {"WAVEFORM"}
    layout.metadata.unlink()
    assert export_meds.run(settings, layout)["n_subjects"] == 4


def test_the_command_replaces_what_was_there(out, tmp_path):
    settings, layout = out
    (layout.meds / "data").mkdir(parents=True)
    (layout.meds / "data" / "old.parquet").write_bytes(b"old")
    assert main(["export-meds", "--output-dir", str(layout.root), "--clinical", str(settings.clinical_dir)]) == 0
    files, _ = read_data(layout)
    assert len(files) == 3
    assert main(["export-meds", "--output-dir", str(tmp_path / "none")]) == 2


def test_the_real_demo_is_valid(data_dir, tmp_path):
    layout = OutputLayout(tmp_path)
    settings = build_settings({"clinical_dir": str(data_dir / "mimic3-demo-1.4"), "min_age_years": 0})
    features_only.run(settings, layout)
    assert export_meds.run(settings, layout)["n_subjects"] == 100
    files, data = read_data(layout)
    for path in files:
        DataSchema.validate(pq.read_table(path))
    af = data.loc[data["code"] == "DIAGNOSIS//ICD9CM//427.31", "subject_id"].nunique()
    stroke = data.loc[data["code"].str.match(r"DIAGNOSIS//ICD9CM//43[0-8]"), "subject_id"].nunique()
    assert (af, stroke) == (34, 13)
    assert data.loc[data["code"] == "MEDS_DEATH", "subject_id"].nunique() == 100
    assert (data["code"].str.startswith("HOSPITAL_ADMISSION")).sum() == 129
