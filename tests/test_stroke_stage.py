"""The stroke stage from a feature table to pages, and what it refuses or leaves out."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgppg.config.errors import InputError, RefusedError
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion, write_completion, write_json
from ecgppg.risk.linear import LinearModel
from ecgppg.risk.models import MODEL_TITLES
from ecgppg.stages import stroke
from ecgppg.store.embeddings import Embeddings, write_embeddings
from ecgppg.store.metadata import write_metadata
from ecgppg.synthetic.feature_table import simulate

FAST = Settings(n_bootstrap=100, n_outer_folds=2)
COUNTS_ONLY = Settings(min_events=1000)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> tuple[Path, dict]:
    layout = OutputLayout(tmp_path_factory.mktemp("an output"))
    report = stroke.run_simulated(FAST, layout, n_patients=1200)
    return layout.stroke / "simulated", report


def _write_table(layout: OutputLayout, table: pd.DataFrame) -> None:
    layout.root.mkdir(parents=True, exist_ok=True)
    table.to_csv(layout.features, index=False)


def test_simulated_report_is_whole_and_says_what_it_is(simulated) -> None:
    folder, report = simulated
    for name in ("forest.png", "roc.png", "calibration.png", "decision_curve.png", "cohort_flow.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    markdown = (folder / "stroke_report.md").read_text()
    page = (folder / "stroke_report.html").read_text()
    assert "Simulated patients" in markdown.split("\n\n")[1]
    assert page.count("Simulated patients") >= 1 + 5
    assert report["simulated"] is True
    assert "simulated" in report["title"]
    assert json.loads((folder / "stroke_report.json").read_text()) == report
    assert read_completion(folder / "stroke_report.json", verify=True) is not None


def test_html_loads_nothing_from_elsewhere(simulated) -> None:
    page = (simulated[0] / "stroke_report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 5
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<script" not in page


def test_every_number_has_its_interval_its_patients_and_its_events(simulated) -> None:
    for analysis in simulated[1]["analyses"]:
        assert list(analysis["models"])[:4] == list(MODEL_TITLES)[:4]
        for name, model in analysis["models"].items():
            assert model["n_patients"] == analysis["n_patients"]
            assert model["n_events"] == analysis["n_events"]
            if name != "prevalence":
                for metric in ("auroc", "auprc", "brier", "calibration_intercept", "calibration_slope"):
                    assert model[metric]["low"] <= model[metric]["value"] <= model[metric]["high"]
        difference = analysis["clinical_waveform_minus_clinical"]["auroc"]
        assert difference["low"] <= difference["value"] <= difference["high"]
        assert 0.02 < analysis["expected_auroc_half_width"] < 0.2
    detection, prediction = (a["task"] for a in simulated[1]["analyses"])
    assert (detection, prediction) == ("detection", "prediction")
    assert [r["planted"] for r in simulated[1]["planted_odds_ratios"]] == pytest.approx([3, 3])


def test_fitted_models_are_arrays_that_predict(simulated) -> None:
    folder, _ = simulated
    kept = json.loads((folder / "models.json").read_text())
    clinical = LinearModel(**next(a for a in kept if a["task"] == "detection")["models"]["clinical"])
    assert clinical.probability(np.zeros((2, len(clinical.names)))).shape == (2,)
    assert {p.suffix for p in folder.iterdir()} == {".md", ".json", ".html", ".png", ".csv"}


def test_same_seed_gives_the_same_report(tmp_path: Path) -> None:
    table = simulate(200, 4).features
    reports = []
    for name in ("a", "b"):
        layout = OutputLayout(tmp_path / name)
        _write_table(layout, table)
        stroke.run(FAST, layout)
        reports.append((layout.stroke / "stroke_report.html").read_bytes())
    assert reports[0] == reports[1]
    assert b"imulated" not in reports[0]


def test_few_events_give_counts_only_and_remove_stale_figures(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    _write_table(layout, simulate(60, 1).features)
    layout.stroke.mkdir()
    (layout.stroke / "roc.png").write_bytes(b"of an earlier run")
    report = stroke.run(Settings(min_events=40), layout)
    assert not (layout.stroke / "roc.png").exists()
    assert (layout.stroke / "cohort_flow.png").exists()
    for analysis in report["analyses"]:
        assert analysis["models"] == {}
        assert analysis["n_events"] == "<11"
        assert analysis["no_model_because"].startswith("fewer than 40 patients with the outcome")
    assert "only counts are given" in (layout.stroke / "stroke_report.md").read_text()


def test_small_cells_stay_hidden_in_every_page(tmp_path: Path) -> None:
    table = simulate(200, 6).features
    cases = table.index[table["y_stroke_detection"] == 1]
    table.loc[cases[7:], "y_stroke_detection"] = 0
    layout = OutputLayout(tmp_path)
    _write_table(layout, table)
    stroke.run(Settings(n_bootstrap=100, n_outer_folds=2, min_events=5), layout)
    for name in ("stroke_report.md", "stroke_report.html", "stroke_report.json"):
        text = (layout.stroke / name).read_text()
        assert not re.search(r"\b7 (events|with the outcome)", text)
        assert '"n_events": "7"' not in text


def test_a_leak_is_suspected_where_the_waveform_knows_too_much(tmp_path: Path) -> None:
    table = simulate(400, 8).features
    rng = np.random.default_rng(0)
    table["f_wave_rr_cv"] = table["y_stroke_detection"].clip(lower=0) + rng.normal(0, 0.3, len(table))
    layout = OutputLayout(tmp_path)
    _write_table(layout, table)
    report = stroke.run(FAST, layout)
    assert "Leakage suspected" in report["analyses"][0]["warnings"][0]
    assert "Leakage suspected" in (layout.stroke / "stroke_report.html").read_text()


def test_table_without_waveform_or_without_a_task_says_so(tmp_path: Path) -> None:
    table = simulate(300, 2).features
    table = table.drop(columns=[c for c in table if c.startswith("f_wave_")] + ["y_stroke_prediction"])
    layout = OutputLayout(tmp_path)
    _write_table(layout, table)
    report = stroke.run(FAST, layout)
    assert [a["task"] for a in report["analyses"]] == ["detection"]
    assert report["analyses"][0]["not_fitted"]["clinical_waveform"] == "the table has no waveform measurement"
    assert any("no column y_stroke_prediction" in note for note in report["notes"])


def test_table_with_nothing_but_waveform_has_nothing_to_add_it_to(tmp_path: Path) -> None:
    table = simulate(300, 2).features
    layout = OutputLayout(tmp_path)
    _write_table(layout, table.drop(columns=[c for c in table if "f_" in c and "f_wave" not in c]))
    analysis = stroke.run(FAST, layout)["analyses"][0]
    assert list(analysis["models"]) == ["prevalence"]
    assert analysis["not_fitted"]["clinical_waveform"] == "the table has no clinical predictor that varies"
    assert analysis["cha2ds2_vasc"]["used"] == []


def test_missing_table_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such feature table"):
        stroke.run(FAST, OutputLayout(tmp_path))


def _with_embeddings(layout: OutputLayout, trained_on: list[int]) -> None:
    table, truth = simulate(400, 3)
    _write_table(layout, table)
    rng = np.random.default_rng(1)
    rows = table[table["first_eligible"] == 1].merge(truth.patients, on=["subject_id", "hadm_id"])
    windows = pd.DataFrame(
        {
            "segment_id": np.arange(2 * len(rows)),
            "subject_id": np.repeat(rows["subject_id"].to_numpy(), 2),
            "hadm_id": np.repeat(rows["hadm_id"].to_numpy(), 2),
            "start_time_us": np.repeat(rows["index_time_us"].to_numpy(), 2) - 20_000_000,
        }
    )
    write_metadata(layout.metadata, None, windows)
    vectors = rng.normal(size=(len(windows), 8)) + np.repeat(rows["af"].to_numpy(), 2)[:, None]
    split = np.where(windows["subject_id"] <= 100, "train", "test")
    stored = Embeddings(
        vectors.astype(np.float32), windows["segment_id"].to_numpy(), windows["subject_id"].to_numpy(), split
    )
    write_embeddings(layout.embeddings, stored)
    reserve = rows["subject_id"] > 100
    splits = pd.DataFrame({"subject_id": rows["subject_id"], "split": np.where(reserve, "test", "train")})
    splits.assign(stratum="unlabelled", risk_reserve=reserve).to_parquet(layout.splits, index=False)
    write_json(layout.encoder / "encoder.json", {"train_subject_ids": trained_on})


def test_embeddings_are_judged_on_the_risk_reserve(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    _with_embeddings(layout, trained_on=list(range(1, 101)))
    report = stroke.run(FAST, layout)
    sections = [(a["task"], a["with_embeddings"]) for a in report["analyses"]]
    assert sections == [("detection", False), ("detection", True), ("prediction", False), ("prediction", True)]
    assert report["analyses"][0]["n_patients"] == "400"
    assert report["analyses"][1]["n_patients"] == "300"
    seen = report["analyses"][1]["models"]["clinical_waveform"]["predictors"][-1]
    assert "embedding (8 dimensions)" in seen


def test_encoder_that_knows_an_evaluated_patient_is_refused(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    _with_embeddings(layout, trained_on=[99, 100, 101])
    with pytest.raises(InputError, match="1 evaluated patients were in the encoder's training"):
        stroke.run(COUNTS_ONLY, layout)


def test_embeddings_of_another_encoder_than_the_manifests_are_left_out(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    _with_embeddings(layout, trained_on=[1])
    (layout.encoder / "encoder.safetensors").write_bytes(b"new weights")
    write_completion(layout.embeddings, {"encoder_sha256": "of the old weights"}, 800)
    report = stroke.run(COUNTS_ONLY, layout)
    assert not any(a["with_embeddings"] for a in report["analyses"])
    assert any("another encoder" in note for note in report["notes"])


def test_a_patient_in_two_splits_stops_the_report(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    _with_embeddings(layout, trained_on=[1])
    splits = pd.read_parquet(layout.splits)
    pd.concat([splits, splits.tail(1).assign(split="train")]).to_parquet(layout.splits, index=False)
    with pytest.raises(RefusedError, match="stands in it twice"):
        stroke.run(COUNTS_ONLY, layout)


def test_earlier_admissions_stand_beside_every_score(tmp_path: Path) -> None:
    table = simulate(400, 3).features
    rng = np.random.default_rng(2)
    table["f_n_prior_admissions"] = (rng.random(len(table)) < 0.14).astype(int)
    table["known_f_n_prior_admissions"] = table["index_time_us"]
    layout = OutputLayout(tmp_path)
    _write_table(layout, table)
    detection = stroke.run(FAST, layout)["analyses"][0]
    n_seen = int((table.loc[table["first_eligible"] == 1, "f_n_prior_admissions"] > 0).sum())
    stated = detection["patients_with_earlier_admission"]
    assert stated.startswith(f"{n_seen} of 400 (")
    assert detection["cha2ds2_vasc"]["patients_with_earlier_admission"] == stated
    beside = {name: model["patients_with_earlier_admission"] for name, model in detection["models"].items()}
    assert beside["prevalence"] == beside["age_sex"] == "not needed"
    assert beside["clinical"] == beside["clinical_waveform"] == stated
    page = (layout.stroke / "stroke_report.md").read_text()
    assert page.count(stated) >= 4
    assert "| Clinical | 400 |" in page


def test_embeddings_of_an_encoder_without_manifest_are_left_out(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    _with_embeddings(layout, trained_on=[])
    (layout.encoder / "encoder.json").unlink()
    report = stroke.run(COUNTS_ONLY, layout)
    assert not any(a["with_embeddings"] for a in report["analyses"])
    assert any("no manifest" in note for note in report["notes"])
