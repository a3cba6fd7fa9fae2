"""The explorer is one page that fetches nothing and lets no name in the data become markup."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgppg.discovery import explorer
from ecgppg.discovery.explorer import strip_json, write_explorer
from ecgppg.discovery.strip_data import Strip


def strip(segment_id: int, calibrated: bool = True, **changes: Any) -> Strip:
    t = np.arange(1250) / 125
    values = {
        "segment_id": segment_id,
        "subject": "</script><b>x",
        "ecg_T": np.sin(2 * np.pi * t).astype(np.float32),
        "ppg_T": np.cos(2 * np.pi * t).astype(np.float32) * 40 + 7,
        "calibrated": calibrated,
        "fs_hz": 125.0,
        "lead": "II",
        "record": "r",
        "start_sample": 0,
        "heart_rate_bpm": 60.0,
        "rr_cv": np.nan,
    }
    return Strip(**(values | changes))


def page_data(path: Path) -> tuple[str, dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert len(found) == 1
    return text, json.loads(found[0])


def write(path: Path, n: int = 50) -> None:
    rng = np.random.default_rng(0)
    patterns = {
        "n_segments": n, "n_patients": 5, "splits": ["test"], "outcome": "1 cluster",
        "clusters": [{"id": 0, "n_segments": n, "n_patients": 5, "exemplar_segment_ids": ["9000000000000000007"],
                      "largest_patient_share": 0.2, "patient_cluster": False, "stability": 0.9, "descriptors": {}}],
    }  # fmt: skip
    points = {
        "map_x": rng.normal(size=n).astype(np.float32),
        "map_y": rng.normal(size=n).astype(np.float32),
        "cluster": np.zeros(n, np.int32),
        "segment_id": np.arange(n, dtype=np.int64) + 9_000_000_000_000_000_000,
        "subject_id": np.arange(n) % 5,
    }
    write_explorer(
        path, patterns, points, {9_000_000_000_000_000_007: strip(9_000_000_000_000_000_007)}, [("a<b", True)]
    )


def test_the_page_stands_alone_and_escapes_what_the_data_say(tmp_path: Path) -> None:
    path = tmp_path / "explorer.html"
    write(path)
    text, data = page_data(path)
    without_names = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|<link|<img|src=|@import|url\((?!#)", without_names)
    assert "default-src 'none'" in text
    assert "</script><b>x" not in text
    assert "</script><b>x" in data["strips"]["9000000000000000007"]["caption"]
    assert data["notices"] == [{"text": "a<b", "strong": True}]
    assert not re.search(r"@[A-Z]+@", text)


def test_points_and_ids_survive_whole(tmp_path: Path) -> None:
    path = tmp_path / "explorer.html"
    write(path)
    points = page_data(path)[1]["points"]
    ids = np.frombuffer(base64.b64decode(points["segment_id"]), "<i8")
    assert ids.tolist() == [9_000_000_000_000_000_000 + i for i in range(50)]
    assert np.isnan(np.frombuffer(base64.b64decode(points["heart_rate_bpm"]), "<f4")).all()


def test_too_many_points_are_thinned_and_said_but_exemplars_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer, "MOST_POINTS", 20)
    path = tmp_path / "explorer.html"
    write(path)
    data = page_data(path)[1]
    ids = np.frombuffer(base64.b64decode(data["points"]["segment_id"]), "<i8")
    assert 20 <= len(ids) <= 21
    assert 9_000_000_000_000_000_007 in ids
    assert "of 50 windows" in data["notices"][-1]["text"]


def test_the_script_runs_over_the_page_and_answers_the_pointer(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is absent: the page's script is not run")
    path = tmp_path / "explorer.html"
    write(path)
    stand_in = Path(__file__).with_name("explorer_dom.js")
    done = subprocess.run([node, stand_in, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "points": 50, "rings": 1, "clusters": 1, "notices": ["a<b"], "tip": "block", "heading": "Cluster 0",
        "strips": 1, "unpinned": "Choose a cluster",
    }  # fmt: skip


def test_a_strip_keeps_its_millivolts() -> None:
    found = strip_json(strip(1))
    codes = np.frombuffer(base64.b64decode(found["ecg"]["codes"]), "<i2")
    assert codes * found["ecg"]["step"] == pytest.approx(np.sin(2 * np.pi * np.arange(1250) / 125), abs=1e-4)
    assert (found["ecg"]["low"], found["ecg"]["high"], found["ecg"]["gain"]) == (-1.5, 1.5, 10)
    assert found["seconds"] == 10
    assert "10 mm/mV" in found["note"]


def test_a_tall_ecg_gets_half_the_gain_and_an_uncalibrated_one_no_millivolts() -> None:
    tall = strip(1, ecg_T=np.linspace(-3, 3, 1250, dtype=np.float32))
    assert strip_json(tall)["ecg"]["gain"] == 5
    raw = strip_json(strip(1, calibrated=False, ecg_T=np.linspace(0, 900, 1250, dtype=np.float32)))
    assert raw["ecg"]["high"] <= 2
    assert "uncalibrated" in raw["note"]


def test_an_absent_channel_is_not_drawn() -> None:
    only_ppg = strip_json(strip(1, ecg_T=None))
    assert only_ppg["ecg"] is None
    assert only_ppg["seconds"] == 10
    assert strip_json(strip(1, ppg_T=None))["ppg"] is None
