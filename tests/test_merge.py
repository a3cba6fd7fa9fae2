"""Merging equals writing all rows at once, whatever the files they come from."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.config.errors import InputError, RunError
from ecgppg.store import columns, merged_rows
from ecgppg.store.check import check_dataset
from ecgppg.store.codec import quantize
from ecgppg.store.content_hash import CONTENT_COLUMNS
from ecgppg.store.merge import merge_segments
from ecgppg.store.reader import open_dataset
from ecgppg.store.segments import Categories, SegmentTable, Values
from ecgppg.store.writer import replace_columns, write_segments
from tests.store_samples import ATTRIBUTES, make_table, write_sample

ROWS = [(s, f"r{r}", 1250 * k) for s in (3, 1, 20, 12) for r in (2, 10) for k in (4, 0, 7)]


def split_files(folder: Path) -> list[Path]:
    """All rows over four files whose patients interleave; one of them is empty."""
    shares = [of_patients(1, 12), of_patients(3), [], of_patients(20)]
    return [write_sample(folder / f"part{i}.h5", rows) for i, rows in enumerate(shares)]


def of_patients(*subject_ids: int) -> list[tuple[int, str, int]]:
    return [row for row in ROWS if row[0] in subject_ids]


def same_signals(a: Path, b: Path) -> bool:
    with open_dataset(a) as one, open_dataset(b) as other:
        rows = np.arange(len(one))
        keys = ("segment_id", "subject_id", "record", "start_sample")
        return np.array_equal(one.read(rows), other.read(rows)) and all(
            np.array_equal(one.column(k), other.column(k)) for k in keys
        )


@pytest.mark.parametrize("max_open", [1, 64])
def test_merge_equals_one_file(tmp_path: Path, max_open: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged_rows, "MAX_OPEN", max_open)
    monkeypatch.setattr(merged_rows, "ROWS_PER_BLOCK", 7)
    monkeypatch.setattr(merged_rows, "IDS_AT_ONCE", 5)
    monkeypatch.setattr(columns, "ROWS_PER_CHUNK", 4)
    whole = write_sample(tmp_path / "whole.h5", ROWS)
    assert merge_segments(split_files(tmp_path), tmp_path / "merged.h5", ATTRIBUTES) == len(ROWS)
    assert same_signals(whole, tmp_path / "merged.h5")
    with h5py.File(tmp_path / "merged.h5") as f:
        assert set(f) == {"signals", "scale", "segments"}


def test_hash_does_not_depend_on_how_rows_were_split(tmp_path: Path) -> None:
    parts = split_files(tmp_path)
    merge_segments(parts, tmp_path / "at_once.h5", ATTRIBUTES)
    merge_segments(parts[:2], tmp_path / "shard1.h5", ATTRIBUTES, keep_digests=True)
    merge_segments(parts[2:], tmp_path / "shard2.h5", ATTRIBUTES)  # without digests: decoded in the next merge
    merge_segments([tmp_path / "shard2.h5", tmp_path / "shard1.h5"], tmp_path / "in_steps.h5", ATTRIBUTES)
    with open_dataset(tmp_path / "at_once.h5") as one, open_dataset(tmp_path / "in_steps.h5") as other:
        assert one.content_hash() == one.attributes["content_hash"] == other.attributes["content_hash"]


@pytest.mark.parametrize("rows_per_block", [1, 13, 1000])
def test_the_clinics_columns_come_by_blocks_of_whole_patients(
    tmp_path: Path, rows_per_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_rows, "ROWS_PER_BLOCK", rows_per_block)
    parts, seen = split_files(tmp_path), []

    def clinic(segments: dict[str, np.ndarray]) -> dict[str, Values]:
        keys = zip(segments["subject_id"], np.char.decode(segments["record"]), segments["start_sample"], strict=True)
        seen.append(list(keys))
        n = len(seen[-1])
        return {
            "hadm_id": segments["segment_id"] // 2,
            "care_unit": np.array([b"MICU", b""] * (n // 2), "S5"),
            "stroke_this": (segments["start_sample"] % 4).astype(np.int8) // 2,
            "label_rhythm": Categories(np.arange(n) % 3, ("A", "N", "O")),
        }

    assert merge_segments(parts, tmp_path / "m.h5", ATTRIBUTES, clinic) == len(ROWS)
    assert [key for block in seen for key in block] == sorted(ROWS)
    patients = [{subject_id for subject_id, _, _ in block} for block in seen]
    assert sum(map(len, patients)) == 4, "a patient is in one block"
    assert len(seen) == {1: 4, 13: 2, 1000: 1}[rows_per_block]
    with open_dataset(tmp_path / "m.h5") as dataset:
        assert (dataset.column("hadm_id") == dataset.column("segment_id") // 2).all()
        assert dataset.column("stroke_this").tolist() == (dataset.column("start_sample") % 4 // 2).tolist()
        assert dataset.values("label_rhythm").decoded()[:3].tolist() == ["A", "N", "O"]
        assert dataset.column("care_unit").tolist() == ["MICU", ""] * 12
        np.testing.assert_array_equal(dataset.read([1]), _physical(sorted(ROWS)[1]))
    with pytest.raises(RunError, match="comes from the waveform"):
        merge_segments(parts, tmp_path / "m.h5", ATTRIBUTES, lambda segments: {"record": segments["record"]})


def _physical(row: tuple[int, str, int]) -> np.ndarray:
    table = make_table([row])
    return table.signals_NCT * table.scale_NC[..., None]


def test_growing_a_labelled_dataset(tmp_path: Path) -> None:
    old, new = write_sample(tmp_path / "old.h5", of_patients(1, 12)), write_sample(tmp_path / "new.h5", of_patients(3))
    replace_columns(old, old, [{"stroke_this": np.ones(12, np.int8), "label_gone": np.ones(12, np.int8)}])
    merge_segments(
        [old, new], tmp_path / "grown.h5", ATTRIBUTES, lambda rows: {"stroke_this": np.zeros(len(rows["record"]), "i1")}
    )
    with open_dataset(tmp_path / "grown.h5") as dataset:
        assert set(dataset.columns) == {*CONTENT_COLUMNS, "stroke_this"}, "labels of before are gone"
        assert dataset.column("stroke_this").tolist() == [0] * 18


def test_growing_a_dataset_built_before_a_column_was_added(tmp_path: Path) -> None:
    old, new = write_sample(tmp_path / "old.h5", of_patients(1, 12)), write_sample(tmp_path / "new.h5", of_patients(3))
    with h5py.File(old, "r+") as f:
        del f["segments/ppg_lag_s"]
    with open_dataset(old) as dataset:
        content_hash = dataset.content_hash()
    with h5py.File(old, "r+") as f:
        f.attrs["content_hash"] = content_hash
    assert check_dataset(old, deep=True) == [], "it is as whole as it was"
    merge_segments([old, new], tmp_path / "grown.h5", ATTRIBUTES)
    assert check_dataset(tmp_path / "grown.h5", deep=True) == []
    with open_dataset(tmp_path / "grown.h5") as dataset, open_dataset(new) as added:
        is_new = dataset.column("subject_id") == 3
        assert np.isnan(dataset.column("ppg_lag_s")[~is_new]).all()
        np.testing.assert_array_equal(dataset.column("ppg_lag_s")[is_new], added.column("ppg_lag_s"))


def test_nothing_merges_to_an_empty_dataset(tmp_path: Path) -> None:
    assert merge_segments([], tmp_path / "none.h5", ATTRIBUTES, lambda _: {"hadm_id": np.empty(0, np.int64)}) == 0
    assert merge_segments([write_sample(tmp_path / "e.h5", [])], tmp_path / "one.h5", ATTRIBUTES) == 0
    for name in ("none.h5", "one.h5"):
        with open_dataset(tmp_path / name) as dataset:
            assert dataset.shape == (0, 2, 100)


def test_files_that_do_not_fit_are_refused_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = write_sample(tmp_path / "a.h5", ROWS[:4])
    twin = write_sample(tmp_path / "b.h5", ROWS[3:6])
    with pytest.raises(RunError, match=r"patient 3 is in .*a\.h5 and in .*b\.h5"):
        merge_segments([part, twin], tmp_path / "m.h5", ATTRIBUTES)
    twin = write_sample(tmp_path / "b.h5", of_patients(1))
    with h5py.File(part) as mine, h5py.File(twin, "r+") as f:
        f["segments/segment_id"][3] = mine["segments/segment_id"][1]
    for at_once in (2**21, 3):
        monkeypatch.setattr(merged_rows, "IDS_AT_ONCE", at_once)
        with pytest.raises(RunError, match=r"segment_id \d+ is in more than one row"):
            merge_segments([part, twin], tmp_path / "m.h5", ATTRIBUTES)
    for name, value in (("start_sample", 0), ("record", b"r99"), ("subject_id", 2)):
        twin = write_sample(tmp_path / "b.h5", of_patients(1))
        with h5py.File(twin, "r+") as f:
            f["segments"][name][1] = value
        with pytest.raises(RunError, match=r"b\.h5: rows lie in another order"):
            merge_segments([part, twin], tmp_path / "m.h5", ATTRIBUTES)
    table = make_table([(1, "x", 0)])
    signals, scale = quantize(np.ones((1, 2, 50), np.float32), np.ones((1, 2)))
    write_segments(tmp_path / "c.h5", SegmentTable(signals, scale, table.columns), ATTRIBUTES)
    with pytest.raises(RunError, match="shape"):
        merge_segments([part, tmp_path / "c.h5"], tmp_path / "m.h5", ATTRIBUTES)
    with h5py.File(part, "r+") as f:
        f["signals"].id.write_direct_chunk((2, 0, 0), b"damaged")
        del f["digests"]
    with pytest.raises((RunError, InputError), match=r"a\.h5"):
        merge_segments([part], tmp_path / "m.h5", ATTRIBUTES)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5", "b.h5", "c.h5"]
