"""Merging equals writing all rows at once, whatever the files they come from."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.config.errors import InputError, RunError
from ecgppg.store import merge
from ecgppg.store.codec import quantize
from ecgppg.store.merge import merge_segments, merged_columns
from ecgppg.store.reader import open_dataset
from ecgppg.store.segments import Categories, SegmentTable
from ecgppg.store.writer import replace_columns, write_segments
from tests.store_samples import ATTRIBUTES, make_table, write_sample

ROWS = [(s, f"r{r}", 1250 * k) for s in (3, 1, 12) for r in (2, 10) for k in (4, 0, 7)]


def split_files(folder: Path) -> list[Path]:
    """All rows over four files whose ranges interleave; one of them is empty."""
    shares = [ROWS[0::3], ROWS[1::3], [], ROWS[2::3]]
    return [write_sample(folder / f"part{i}.h5", rows) for i, rows in enumerate(shares)]


def same_signals(a: Path, b: Path) -> bool:
    with open_dataset(a) as one, open_dataset(b) as other:
        rows = np.arange(len(one))
        keys = ("segment_id", "subject_id", "record", "start_sample")
        return np.array_equal(one.read(rows), other.read(rows)) and all(
            np.array_equal(one.column(k), other.column(k)) for k in keys
        )


@pytest.mark.parametrize("max_open", [1, 64])
def test_merge_equals_one_file(tmp_path: Path, max_open: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "MAX_OPEN", max_open)
    monkeypatch.setattr(merge, "ROWS_PER_BLOCK", 5)
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


def test_extra_columns_go_by_merged_rows_and_rows_can_be_left_out(tmp_path: Path) -> None:
    parts = split_files(tmp_path)
    columns = merged_columns(parts)
    keys = list(zip(columns["subject_id"], columns["record"], columns["start_sample"], strict=True))
    assert keys == sorted(ROWS)
    extra = {
        "hadm_id": columns["segment_id"] // 2,
        "care_unit": np.array(["MICU", ""] * 9),
        "stroke_this": np.arange(18, dtype=np.int8) % 2,
        "label_rhythm": Categories(np.arange(18) % 3, ("A", "N", "O")),
    }
    keep = np.arange(18) % 4 != 0
    assert merge_segments(parts, tmp_path / "m.h5", ATTRIBUTES, extra, keep) == keep.sum()
    with open_dataset(tmp_path / "m.h5") as dataset:
        assert (dataset.column("hadm_id") == dataset.column("segment_id") // 2).all()
        assert dataset.column("stroke_this").tolist() == (np.flatnonzero(keep) % 2).tolist()
        assert dataset.values("label_rhythm").decoded()[:3].tolist() == ["N", "O", "A"]
        np.testing.assert_array_equal(dataset.read([0]), _physical(sorted(ROWS)[1]))
    with pytest.raises(RunError, match="3 rows are marked"):
        merge_segments(parts, tmp_path / "m.h5", ATTRIBUTES, None, np.ones(3, bool))
    with pytest.raises(RunError, match="comes from the waveform"):
        merge_segments(parts, tmp_path / "m.h5", ATTRIBUTES, {"record": columns["record"]})


def _physical(row: tuple[int, str, int]) -> np.ndarray:
    table = make_table([row])
    return table.signals_NCT * table.scale_NC[..., None]


def test_growing_a_labelled_dataset(tmp_path: Path) -> None:
    old, new = write_sample(tmp_path / "old.h5", ROWS[:9]), write_sample(tmp_path / "new.h5", ROWS[9:])
    replace_columns(old, old, {"stroke_this": np.ones(9, np.int8), "label_gone": np.ones(9, np.int8)})
    assert "stroke_this" not in merged_columns([old, new])
    merge_segments([old, new], tmp_path / "grown.h5", ATTRIBUTES, {"stroke_this": np.zeros(18, np.int8)})
    merge_segments([old], tmp_path / "again.h5", ATTRIBUTES, {"stroke_this": np.zeros(9, np.int8)})
    merge_segments([old], tmp_path / "copy.h5", ATTRIBUTES)
    for name, labels in (
        ("grown", {"stroke_this"}),
        ("again", {"stroke_this"}),
        ("copy", {"stroke_this", "label_gone"}),
    ):
        with open_dataset(tmp_path / f"{name}.h5") as dataset:
            assert {c for c in dataset.columns if c in ("stroke_this", "label_gone")} == labels


def test_categories_of_files_are_joined_by_name(tmp_path: Path) -> None:
    paths = []
    for i, names in enumerate((("A", "N"), ("N", "O"))):
        table = make_table([(i, "r", 0), (i, "r", 1)])
        columns = {**table.columns, "label_x": Categories(np.array([1, 255 if i else 0]), names)}
        write_segments(tmp_path / f"{i}.h5", SegmentTable(table.signals_NCT, table.scale_NC, columns), ATTRIBUTES)
        paths.append(tmp_path / f"{i}.h5")
    assert merged_columns(paths)["label_x"].decoded().tolist() == ["N", "A", "O", None]


def test_nothing_merges_to_an_empty_dataset(tmp_path: Path) -> None:
    assert merge_segments([], tmp_path / "none.h5", ATTRIBUTES, {"hadm_id": np.empty(0, np.int64)}) == 0
    assert merge_segments([write_sample(tmp_path / "e.h5", [])], tmp_path / "one.h5", ATTRIBUTES) == 0
    for name in ("none.h5", "one.h5"):
        with open_dataset(tmp_path / name) as dataset:
            assert dataset.shape == (0, 2, 100)
    assert len(merged_columns([])["record"]) == 0


def test_files_that_do_not_fit_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    part = write_sample(tmp_path / "a.h5", ROWS[:4])
    twin = write_sample(tmp_path / "b.h5", ROWS[3:6])
    with pytest.raises(RunError, match=r"segment_id \d+ is in more than one row"):
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
