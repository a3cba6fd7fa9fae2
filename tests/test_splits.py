"""Splits by patient: shares, strata, stability, the risk reserve."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgppg.config.errors import RefusedError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from ecgppg.data.splits import assign_splits
from ecgppg.stages import split as split_stage
from ecgppg.store.metadata import write_metadata

SETTINGS = Settings()


def cohort(n: int, seed: int = 0, primary_rate: float = 0.0, first: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"subject_id": np.arange(first, first + n)})
    for name, rate in (("stroke", 0.1), ("arrhythmia", 0.4), ("death", 0.2)):
        table[name] = (rng.random(n) < rate).astype(np.int8)
    table["primary"] = (rng.random(n) < primary_rate).astype(np.int8)
    table.loc[table["primary"] == 1, "stroke"] = 1
    return table


def unlabelled(n: int) -> pd.DataFrame:
    table = pd.DataFrame({"subject_id": np.arange(1, n + 1)})
    return table.assign(stroke=-1, arrhythmia=-1, death=-1, primary=-1)


def test_shares_hold_overall_and_in_every_stratum() -> None:
    patients = cohort(1000)
    splits = assign_splits(patients, SETTINGS)
    assert splits["split"].value_counts().to_dict() == {"train": 650, "test": 200, "val": 150}
    for _, group in splits.groupby("stratum"):
        for name, share in (("train", 0.65), ("val", 0.15), ("test", 0.2)):
            assert abs((group["split"] == name).sum() - share * len(group)) <= 2


def test_the_order_of_the_rows_changes_nothing() -> None:
    patients = cohort(200, primary_rate=0.02)
    shuffled = patients.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(assign_splits(patients, SETTINGS), assign_splits(shuffled, SETTINGS))


def test_another_seed_gives_other_splits_of_the_same_sizes() -> None:
    a, b = (assign_splits(cohort(300), Settings(seed=s)) for s in (1, 2))
    assert (a["split"] != b["split"]).mean() > 0.3
    assert a["split"].value_counts().to_dict() == b["split"].value_counts().to_dict()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 33])
def test_from_three_patients_on_no_split_is_empty(n: int) -> None:
    for table in (unlabelled(n), cohort(n)):
        present = set(assign_splits(table, SETTINGS)["split"])
        assert present == {"train", "val", "test"} if n >= 3 else "train" in present


@pytest.mark.parametrize("rate", [0.0, 0.02])
def test_added_patients_move_nobody(rate: float) -> None:
    first = assign_splits(cohort(200, primary_rate=rate), SETTINGS)
    both = pd.concat([cohort(200, primary_rate=rate), cohort(2000, seed=1, primary_rate=rate, first=201)])
    later = assign_splits(both, SETTINGS, frozen=first)
    pd.testing.assert_frame_equal(later.head(200), first)
    pd.testing.assert_frame_equal(assign_splits(both, SETTINGS, frozen=later), later)
    share = later.tail(2000)["split"].value_counts(normalize=True)
    assert abs(share["val"] - 0.15) < 0.03
    assert abs(share["test"] - (0.2 if rate == 0 else 0.3)) < 0.03
    if rate:
        cases = set(both.loc[both["primary"] == 1, "subject_id"])
        assert cases <= set(later.loc[later["risk_reserve"], "subject_id"])
        assert later["risk_reserve"].mean() <= 0.3


def test_added_one_by_one_or_together_gives_the_same() -> None:
    first, more = unlabelled(10), unlabelled(14)
    together = assign_splits(more, SETTINGS, assign_splits(first, SETTINGS))
    one_by_one = assign_splits(first, SETTINGS)
    for n in (11, 12, 13, 14):
        one_by_one = assign_splits(unlabelled(n), SETTINGS, one_by_one)
    pd.testing.assert_frame_equal(together, one_by_one)


def test_changed_labels_move_nobody() -> None:
    patients = cohort(100, primary_rate=0.02)
    first = assign_splits(patients, SETTINGS)
    second = assign_splits(patients.assign(stroke=1, primary=1), SETTINGS, first)
    pd.testing.assert_frame_equal(second, first)
    assert "lie outside" in second.attrs["note"]


def test_patients_who_left_the_dataset_keep_their_place() -> None:
    first = assign_splits(cohort(50), SETTINGS)
    assert len(assign_splits(cohort(20), SETTINGS, first)) == 50


def test_risk_reserve_holds_every_case_with_twenty_controls_inside_test() -> None:
    patients = cohort(2000, primary_rate=0.01)
    cases = set(patients.loc[patients["primary"] == 1, "subject_id"])
    splits = assign_splits(patients, SETTINGS)
    reserve = splits[splits["risk_reserve"]]
    assert cases <= set(reserve["subject_id"])
    assert len(reserve) == 21 * len(cases)
    assert (reserve["split"] == "test").all()
    assert abs((splits["split"] == "val").mean() - 0.15) < 0.01
    assert (splits["split"] == "test").mean() == pytest.approx(max(0.2, len(reserve) / 2000), abs=0.01)


def test_risk_reserve_keeps_under_its_share_and_says_when_controls_are_few() -> None:
    patients = cohort(100).assign(primary=0)
    patients.loc[:9, "primary"] = 1
    splits = assign_splits(patients, SETTINGS)
    assert splits["risk_reserve"].sum() == 30
    assert "fewer than 5 controls" in splits.attrs["note"]
    assert (splits["split"] == "val").sum() == 15


def test_no_reserve_where_cases_are_too_many_or_none() -> None:
    many = cohort(40).assign(primary=0)
    many.loc[:9, "primary"] = 1
    splits = assign_splits(many, SETTINGS)
    assert not splits["risk_reserve"].any()
    assert "no risk reserve: 10 cases among 40" in splits.attrs["note"]
    assert not assign_splits(unlabelled(40), SETTINGS)["risk_reserve"].any()


def metadata(n_patients: int) -> pd.DataFrame:
    subject = np.repeat(np.arange(1, n_patients + 1), 3)
    return pd.DataFrame(
        {
            "segment_id": np.arange(len(subject)),
            "subject_id": subject,
            "stroke_this": np.where(subject % 5 == 0, np.tile([1, 0, -1], n_patients), 0).astype(np.int8),
            "arrhythmia_this": np.int8(-1),
            "death_90d": (subject % 2).astype(np.int8),
        }
    )


def test_patient_labels_are_the_most_that_any_window_says() -> None:
    labels = split_stage.patient_labels(metadata(10), "stroke").set_index("subject_id")
    assert labels.loc[5].tolist() == [1, -1, 1, 1]
    assert labels.loc[2].tolist() == [0, -1, 0, 0]
    none = split_stage.patient_labels(metadata(3)[["subject_id"]], "stroke")
    assert (none.drop(columns="subject_id") == -1).all(axis=None)


def test_stage_writes_once_adds_later_and_refuses_other_shares(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    write_metadata(layout.metadata, layout.metadata_pickle, metadata(30))
    first = split_stage.run(SETTINGS, layout)
    assert first["added"] == 30
    assert first["train"] + first["val"] + first["test"] == 30
    frozen = split_stage.read_splits(layout.splits)
    written = layout.splits.stat().st_mtime_ns
    assert split_stage.run(SETTINGS, layout)["added"] == 0
    assert layout.splits.stat().st_mtime_ns == written
    write_metadata(layout.metadata, layout.metadata_pickle, metadata(35))
    assert split_stage.run(SETTINGS, layout)["added"] == 5
    pd.testing.assert_frame_equal(split_stage.read_splits(layout.splits).head(30), frozen)
    record = read_completion(layout.splits, verify=True)
    assert record is not None
    assert record["rows"] == 35
    with pytest.raises(RefusedError, match=r"val_share: 0.15 -> 0.1"):
        split_stage.run(Settings(val_share=0.1), layout)


def test_stage_keeps_splits_whose_completion_record_is_lost(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    write_metadata(layout.metadata, layout.metadata_pickle, metadata(10))
    split_stage.run(SETTINGS, layout)
    frozen = split_stage.read_splits(layout.splits)
    completion_path(layout.splits).unlink()
    write_metadata(layout.metadata, layout.metadata_pickle, metadata(40))
    split_stage.run(SETTINGS, layout)
    pd.testing.assert_frame_equal(split_stage.read_splits(layout.splits).head(10), frozen)
    layout.splits.write_bytes(b"garbage")
    with pytest.raises(RefusedError, match="cannot be read"):
        split_stage.run(SETTINGS, layout)
