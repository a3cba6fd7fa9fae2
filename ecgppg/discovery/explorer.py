"""One page to look through the patterns with: map, clusters, strips; opens in any browser, fetches nothing."""

import base64
import html
import json
from pathlib import Path
from typing import Any

import numpy as np

from ecgppg.core.files import write_text
from ecgppg.discovery.colours import NOISE_COLOUR, cluster_colour, patient_colour
from ecgppg.discovery.paper import ecg_range_mv, mm_per_mv
from ecgppg.discovery.strip_data import Strip

PAGE = Path(__file__).with_name("explorer_page.html")
MOST_POINTS = 50_000
MOST_ECG_MM = 40.0
PPG_MM = 12.0


def write_explorer(
    path: Path,
    patterns: dict[str, Any],
    points: dict[str, np.ndarray],
    strips: dict[int, Strip],
    notices: list[tuple[str, bool]],
) -> None:
    """Write explorer.html.

    Parameters
    ----------
    path : Path
    patterns : dict
        The content of discovered_patterns.json.
    points : dict of array, shape (N,)
        map_x, map_y, cluster, segment_id, subject_id, and heart_rate_bpm and rr_cv where known.
    strips : dict of Strip
        By segment_id.
    notices : list of (str, bool)
        What the reader must know; True: in red.
    """
    n = len(points["segment_id"])
    rows = np.arange(n) if n <= MOST_POINTS else np.sort(np.random.default_rng(0).choice(n, MOST_POINTS, replace=False))
    if len(rows) < n:
        # The windows with strips must be on the map.
        with_strip = np.flatnonzero(np.isin(points["segment_id"], list(strips)))
        rows = np.union1d(rows, with_strip)
        notices = [*notices, (f"The map shows {len(rows):,} of {n:,} windows.", False)]
    patients, place = np.unique(points["subject_id"][rows], return_inverse=True)
    unknown = np.full(n, np.nan)
    x, y = points["map_x"], points["map_y"]
    data = {
        "points": {
            "x": _encoded(x[rows], "<f4"),
            "y": _encoded(y[rows], "<f4"),
            "cluster": _encoded(points["cluster"][rows], "<i2"),
            "heart_rate_bpm": _encoded(points.get("heart_rate_bpm", unknown)[rows], "<f4"),
            "rr_cv": _encoded(points.get("rr_cv", unknown)[rows], "<f4"),
            "patient": _encoded(place, "<i4"),
            "segment_id": _encoded(points["segment_id"][rows], "<i8"),
        },
        "bounds": {"x": _ends(x), "y": _ends(y)},
        "patients": [{"id": str(p), "colour": patient_colour(p)} for p in patients.tolist()],
        "clusters": [{**c, "colour": cluster_colour(c["id"])} for c in patterns["clusters"]],
        "strips": {str(segment): strip_json(strip) for segment, strip in strips.items()},
        "notices": [{"text": text, "strong": strong} for text, strong in notices],
        "noise_colour": NOISE_COLOUR,
    }
    title = "Patterns in ECG and PPG"
    # "<" escaped: no name in the data can end the script element.
    payload = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    page = (
        PAGE.read_text(encoding="utf-8")
        .replace("@TITLE@", html.escape(title))
        .replace("@SUBTITLE@", html.escape(subtitle(patterns)))
    )
    write_text(path, page.replace("@DATA@", payload))


def subtitle(patterns: dict[str, Any]) -> str:
    """What was clustered and what came out, in one line."""
    where = (
        f"{patterns['n_segments']:,} windows of {patterns['n_patients']:,} patients ({', '.join(patterns['splits'])})"
    )
    return f"{where}: {patterns['outcome']}"


def strip_json(strip: Strip) -> dict[str, Any]:
    """One strip for the page: codes with the step that turns them into mV (ECG) or millimetres (PPG)."""
    found: dict[str, Any] = {
        "caption": strip.caption,
        "note": f"segment {strip.segment_id}",
        "fs_hz": strip.fs_hz,
        "calibrated": strip.calibrated,
        "ecg": None,
        "ppg": None,
    }
    shown = strip.ecg_T if strip.ecg_T is not None else strip.ppg_T
    found["seconds"] = 0.0 if shown is None else len(shown) / strip.fs_hz
    if strip.ecg_T is not None:
        span = float(np.ptp(strip.ecg_T)) or 1.0
        ecg_T = strip.ecg_T if strip.calibrated else strip.ecg_T * (1.5 / span)
        low, high = ecg_range_mv(ecg_T)
        gain = mm_per_mv(low, high, MOST_ECG_MM)
        found["ecg"] = {**_quantised(ecg_T), "low": low, "high": high, "gain": gain}
        found["note"] = f"{f'{gain:g} mm/mV' if strip.calibrated else 'ECG uncalibrated'}, {found['note']}"
    if strip.ppg_T is not None:
        low, high = float(strip.ppg_T.min()), float(strip.ppg_T.max())
        scaled = (strip.ppg_T - low) * (PPG_MM / max(high - low, 1e-9))
        found["ppg"] = {**_quantised(scaled), "zero": PPG_MM}
    return found


def _quantised(x_T: np.ndarray) -> dict[str, Any]:
    step = max(float(np.abs(x_T).max()), 1e-9) / 32767
    return {"codes": _encoded(np.round(x_T / step), "<i2"), "step": step}


def _encoded(values: np.ndarray, dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode("ascii")


def _ends(values: np.ndarray) -> list[float]:
    return [float(values.min()), float(values.max())] if len(values) else [0.0, 1.0]
