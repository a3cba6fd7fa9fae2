"""A dataset file as plain h5py sees it, and label columns made anew."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgppg.config.errors import RunError
from ecgppg.config.schema import SEGMENT_COLUMNS
from ecgppg.store.reader import open_dataset
from ecgppg.store.segments import Categories, SegmentTable
from ecgppg.store.writer import replace_columns, write_segments
from tests.store_samples import ATTRIBUTES, N_SAMPLES, make_table, write_sample

ROWS = [(20, "p00/b", 1250), (7, "p00/ä", 0), (20, "p00/a", 2500), (20, "p00/b", 0)]
IN_ORDER = [(7, "p00/ä", 0), (20, "p00/a", 2500), (20, "p00/b", 0), (20, "p00/b", 1250)]


def test_plain_h5py_reads_the_schema(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "part.h5", ROWS)
    table = make_table(ROWS).sorted()
    with h5py.File(path) as f:
        signals = f["signals"]
        assert signals.chunks == (1, 2, N_SAMPLES)
        assert (signals.compression, signals.shuffle, signals.dtype) == ("gzip", True, np.int16)
        np.testing.assert_array_equal(signals[:], table.signals_NCT)
        np.testing.assert_array_equal(f["scale"][:], table.scale_NC)
        assert set(f["segments"]) == {column.name for column in SEGMENT_COLUMNS}
        assert f["segments/record"].asstr()[:].tolist() == [record for _, record, _ in IN_ORDER]
        assert [n.decode() if isinstance(n, bytes) else n for n in f.attrs["channel_names"]] == ["ECG", "PPG"]
        for column in SEGMENT_COLUMNS:
            dataset = f["segments"][column.name]
            assert dataset.dtype.kind == "S" if column.dtype == "str" else dataset.dtype == column.dtype
            assert dataset.shape == ((4, 2) if column.per_channel else (4,))
            assert dataset.attrs["meaning"] == column.meaning


def test_same_content_gives_the_same_hash_in_any_order_and_other_content_another(tmp_path: Path) -> None:
    def content_hash(name: str, rows: list[tuple[int, str, int]], seed: int = 0) -> str:
        with open_dataset(write_sample(tmp_path / name, rows, seed)) as dataset:
            assert dataset.content_hash() == dataset.attributes["content_hash"]
            return dataset.content_hash()

    first = content_hash("a.h5", ROWS)
    assert content_hash("b.h5", ROWS[::-1]) == first
    assert content_hash("c.h5", ROWS, seed=1) != first
    assert content_hash("d.h5", ROWS[1:]) != first


def test_empty_table(tmp_path: Path) -> None:
    with open_dataset(write_sample(tmp_path / "empty.h5", [])) as dataset:
        assert len(dataset) == 0
        assert dataset.read([]).shape == (0, 2, N_SAMPLES)
        assert dataset.to_frame().shape[0] == 0
        assert dataset.content_hash() == dataset.attributes["content_hash"]


def test_tables_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    table = make_table(ROWS)
    columns = dict(table.columns)
    without = {name: values for name, values in columns.items() if name != "quality"}
    unfit = (
        {"gain": columns["quality"]},
        {"x": np.zeros(3)},
        {"x": np.zeros(4, complex)},
        {"c": Categories(np.full(4, 3), ("a", "b"))},
    )
    for bad in (without, *({**columns, **one} for one in unfit)):
        with pytest.raises(RunError, match="column"):
            SegmentTable(table.signals_NCT, table.scale_NC, bad)
    with pytest.raises(RunError, match="int16"):
        SegmentTable(table.signals_NCT.astype(np.int32), table.scale_NC, columns)
    with pytest.raises(RunError, match="scale"):
        SegmentTable(table.signals_NCT, table.scale_NC[:, :1], columns)
    with pytest.raises(RunError, match="config_hash is absent"):
        write_segments(tmp_path / "x.h5", table, {k: v for k, v in ATTRIBUTES.items() if k != "config_hash"})
    with pytest.raises(RunError, match="3 channel names"):
        write_segments(tmp_path / "x.h5", table, {**ATTRIBUTES, "channel_names": ["a", "b", "c"]})
    assert list(tmp_path.iterdir()) == []


def test_replace_columns_changes_labels_and_nothing_else(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "full.h5", ROWS)
    with h5py.File(path) as f:
        chunks = [f["signals"].id.read_direct_chunk((i, 0, 0)) for i in range(4)]
    rhythm = Categories(np.array([0, 1, 255, 1]), ("AF", "N"))
    labels = {"stroke_this": np.array([1, 0, -1, 0], np.int8), "label_rhythm": rhythm, "care_unit": np.array(["a"] * 4)}
    replace_columns(path, path, [{**labels, "hadm_id": np.arange(4)}])
    halves = [{"stroke_this": np.zeros(2, np.int8)}] * 2
    replace_columns(path, tmp_path / "new.h5", halves, drop=["care_unit"])
    with open_dataset(path) as before, open_dataset(tmp_path / "new.h5") as after:
        assert before.values("label_rhythm").decoded().tolist() == ["AF", "N", None, "N"]
        assert before.to_frame()["label_rhythm"].isna().tolist() == [False, False, True, False]
        assert before.categories("label_rhythm") == ("AF", "N")
        assert before.categories("hadm_id") is None
        assert before.column("hadm_id").tolist() == [0, 1, 2, 3]
        assert "care_unit" in before.columns
        assert "care_unit" not in after.columns
        assert after.values("label_rhythm").names == ("AF", "N")
        assert before.attributes["content_hash"] == after.attributes["content_hash"] == after.content_hash()
        assert before.attributes["labels_hash"] != after.attributes["labels_hash"]
    with h5py.File(tmp_path / "new.h5") as f:
        assert [f["signals"].id.read_direct_chunk((i, 0, 0)) for i in range(4)] == chunks
    with pytest.raises(RunError, match="comes from the waveform"):
        replace_columns(path, path, [{"quality": np.zeros(4)}])
    for n_rows in (3, 5):
        with pytest.raises(RunError, match=f"stroke_this: {n_rows} rows came of 4"):
            replace_columns(path, path, [{"stroke_this": np.zeros(n_rows, np.int8)}])
