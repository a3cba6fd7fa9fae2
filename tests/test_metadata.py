"""The table of segments: parquet and its plain copy."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgppg.config.errors import InputError
from ecgppg.store.metadata import read_metadata, write_metadata


def frame() -> pd.DataFrame:
    rhythm = pd.Categorical.from_codes([0, 1, -1], ["AF", "N"])
    return pd.DataFrame(
        {
            "segment_id": np.array([3, 2**62, 1], np.int64),
            "start_time_us": np.array([-(2**63), 0, 5], np.int64),
            "heart_rate_bpm": np.array([60, np.nan, 70], np.float32),
            "record": ["p00/ä", "", "b"],
            "stroke_this": np.array([1, 0, -1], np.int8),
            "label_rhythm": rhythm,
        }
    )


def test_parquet_keeps_types_and_values(tmp_path: Path) -> None:
    write_metadata(tmp_path / "m.parquet", None, frame())
    pd.testing.assert_frame_equal(read_metadata(tmp_path / "m.parquet"), frame())
    assert list(read_metadata(tmp_path / "m.parquet", ["segment_id"]).columns) == ["segment_id"]
    assert [p.name for p in tmp_path.iterdir()] == ["m.parquet"]


def test_pickle_is_a_plain_table(tmp_path: Path) -> None:
    write_metadata(tmp_path / "m.parquet", tmp_path / "m.pkl", frame())
    plain = pd.read_pickle(tmp_path / "m.pkl")
    assert plain["label_rhythm"].dtype == object
    assert plain["label_rhythm"].tolist()[:2] == ["AF", "N"]
    assert plain["segment_id"].tolist() == frame()["segment_id"].tolist()


def test_empty_table(tmp_path: Path) -> None:
    write_metadata(tmp_path / "m.parquet", tmp_path / "m.pkl", frame().iloc[:0])
    assert len(read_metadata(tmp_path / "m.parquet")) == 0


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_metadata(tmp_path / "absent.parquet")
    (tmp_path / "m.parquet").write_text("not parquet")
    with pytest.raises(InputError, match="not a readable table"):
        read_metadata(tmp_path / "m.parquet")
    write_metadata(tmp_path / "m.parquet", None, frame())
    with pytest.raises(InputError, match="not a readable table"):
        read_metadata(tmp_path / "m.parquet", ["absent"])
