"""The feature table as a file: every column explained, the synthetic cohort's truth recovered, real patients."""

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.features import clinical_features, rows_from_first_icu
from ecgppg.clinical.leakage import check_leakage
from ecgppg.clinical.tables import read_tables
from ecgppg.config.errors import InputError
from ecgppg.config.load import build_settings
from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import read_completion
from ecgppg.risk.cohort import TASKS, build_cohort, read_features
from ecgppg.risk.earlier import earlier_counts, earlier_seen, needs_earlier, wilson
from ecgppg.stages import features_only
from ecgppg.stages.feature_table import earlier_admissions_seen, make_features, write_features
from ecgppg.stages.wave_features import MEANINGS, admission_rows
from ecgppg.synthetic.people import simulate_people
from ecgppg.synthetic.stays import draw_course
from ecgppg.synthetic.tables import patient_rows, write_tables
from tests.clinical_folder import write_folder


@pytest.fixture
def layout(tmp_path):
    return OutputLayout(tmp_path / "out")


def settings(folder, **more):
    return build_settings({"clinical_dir": str(folder), "min_cell_patients": 1, **more})


def test_table_and_dictionary_stand_side_by_side_with_their_records(layout, tmp_path):
    ccs = tmp_path / "ccs.csv"
    ccs.write_text("icd9_code,ccs_id,ccs_name\n42731,106,Cardiac dysrhythmias\n")
    features_only.run(settings(write_folder(tmp_path / "tables"), ccs_file=str(ccs)), layout)
    table, dictionary = pd.read_csv(layout.features), pd.read_csv(layout.features_dictionary, keep_default_na=False)
    assert dictionary["column"].tolist() == table.columns.tolist()
    assert (dictionary["meaning"] != "").all()
    for path in (layout.features, layout.features_dictionary):
        assert read_completion(path, verify=True) is not None
    features = dictionary[dictionary["column"].str.startswith("f_")].set_index("column")
    assert (features["known"] != "").all()
    assert features["known_column"].isin(table.columns).all()
    assert (features["source"] != "").all()
    earlier = features[features["needs_earlier_admission"] == "yes"]
    assert earlier.index.str.startswith(("f_prior_", "f_elix_", "f_cha2ds2_vasc", "f_ccs_", "f_days_since_")).all()
    assert set(earlier["seen_in"]) == {
        "1 of 4 patients (25%) at any row, 0 of 3 patients (0%) at the row detection predicts"
    }
    assert "Quan" in features.loc["f_elix_obesity", "source"]
    assert "Lip et al." in features.loc["f_cha2ds2_vasc", "source"]
    assert features.loc["f_ccs_106", "meaning"] == "coded before: Cardiac dysrhythmias"
    assert table.set_index("hadm_id").loc[[11, 12], "f_ccs_106"].tolist() == [0, 1]


def test_that_no_ccs_file_was_given_is_said_once(layout, tmp_path, caplog):
    folder = write_folder(tmp_path / "tables")
    with caplog.at_level("INFO", logger="ecgppg"):
        features_only.run(settings(folder), layout)
    assert [line for line in caplog.messages if "CCS" in line] == [
        "clinical features: ccs_file is not set: no CCS groups among them"
    ]
    assert not [name for name in pd.read_csv(layout.features) if name.startswith("f_ccs")]
    caplog.clear()
    (tmp_path / "ccs.csv").write_text("icd9_code,ccs_id,ccs_name\n42731,106,Cardiac dysrhythmias\n")
    with caplog.at_level("INFO", logger="ecgppg"):
        features_only.run(settings(folder, ccs_file=str(tmp_path / "ccs.csv")), layout)
    assert not [line for line in caplog.messages if "CCS" in line]


def test_every_waveform_feature_is_explained_and_timed(layout, tmp_path):
    n = 30
    rng = np.random.default_rng(2)
    start_us = 4_733_000_000_000_000 + np.arange(n) * 10_000_000
    columns = {
        "subject_id": np.full(n, 1), "hadm_id": np.full(n, 11), "start_time_us": start_us,
        "heart_rate_bpm": rng.normal(80, 5, n), "rr_cv": rng.uniform(0, 0.2, n), "n_beats": np.full(n, 13),
        "quality": rng.uniform(0.5, 1, n),
    }  # fmt: skip
    rows = admission_rows(columns, 10_000_000)
    assert [name for name in rows if name.startswith("f_wave_")] == list(MEANINGS)
    assert rows["known_f_wave"].tolist() == rows["index_time_us"].tolist() == [start_us[-1] + 10_000_000]
    tables, given = read_tables(write_folder(tmp_path / "tables")), settings(tmp_path / "tables")
    write_features(make_features(tables, load_definitions(), rows, given), layout, {})
    dictionary = pd.read_csv(layout.features_dictionary).set_index("column")
    assert (dictionary.loc[list(MEANINGS), "known_column"] == "known_f_wave").all()
    late = rows.assign(known_f_wave=rows["index_time_us"] + 1)
    with pytest.raises(InputError, match="became known after the index time"):
        make_features(tables, load_definitions(), late, given)


def test_synthetic_truth_is_recovered_exactly(tmp_path):
    people = simulate_people(250, 6)
    rows, courses = [], {}
    for number, person in enumerate(people.to_dict("records")):
        rng = np.random.default_rng([6, number])
        course = courses[person["subject_id"]] = draw_course(person, number, rng)
        rows.append(patient_rows(person, course, rng))
    write_tables(tmp_path, rows)
    tables = read_tables(tmp_path)
    adults = people[~people["neonate"]].set_index("subject_id")
    index = rows_from_first_icu(tables, 18)
    index = index[index["hadm_id"].isin([course.index.hadm_id for course in courses.values()])]
    table = clinical_features(tables, load_definitions(), index).set_index("subject_id")
    check_leakage(table)
    assert table.index.tolist() == adults.index.tolist()
    roles = {s: [a.role for a in courses[s].admissions] for s in adults.index}
    prior = np.array(["prior" in roles[s] for s in adults.index])
    later = np.array(["later" in roles[s] for s in adults.index])
    assert table["f_n_prior_admissions"].tolist() == prior.tolist()
    assert table["f_prior_stroke"].tolist() == adults["prior_stroke"].tolist()
    assert table["y_stroke_detection"].tolist() == (adults["stroke_when"] == "this").tolist()
    assert table["y_af_this"].tolist() == adults["af_coded"].tolist()
    at_risk = later & ~adults["prior_stroke"] & (adults["stroke_when"] != "this")
    wanted = np.where(at_risk, adults["stroke_when"] == "later", -1)
    assert table["y_stroke_prediction"].tolist() == wanted.tolist()
    assert table["f_age_over_89"].tolist() == [courses[s].over_89 for s in adults.index]
    score = table["f_cha2ds2_vasc"] - table.filter(regex="^f_cha2ds2_vasc_").to_numpy() @ [1, 1, 1, 2, 1]
    age = table["f_age_years"]
    assert (score == (age >= 65).astype(int) + (age >= 75) + (adults["gender"] == "F")).all()
    assert (table.loc[~prior].filter(regex="^f_(elix|prior|cha2ds2_vasc_)") == 0).all(axis=None)
    assert (table.loc[prior].filter(regex="^f_elix") == 1).any(axis=None)


def test_features_of_the_demo_as_a_file(data_dir, layout, caplog):
    ccs = data_dir / "labels" / "hcup_ccs_2015_definitions.yaml"
    with caplog.at_level("INFO", logger="ecgppg"):
        features_only.run(settings(data_dir / "mimic3-demo-1.4", ccs_file=str(ccs), min_age_years=0), layout)
    # Patients and admissions in any position, then in the first, as sets over plain rows give them.
    lines = {line.split()[0]: line.split()[1:] for line in caplog.text.splitlines() if line}
    assert (lines["stroke_broad"], lines["af"]) == (["13", "21", "5", "5"], ["34", "48", "0", "0"])
    assert lines["stroke"] == ["6", "6", "4", "4"]
    table = read_features(layout.features)
    assert len(table) == table["hadm_id"].nunique() == 129
    assert table["subject_id"].nunique() == 100
    seen = table.groupby("subject_id")["f_n_prior_admissions"].max() > 0
    assert seen.sum() == 14
    dictionary = pd.read_csv(layout.features_dictionary)
    told = dictionary.loc[dictionary["needs_earlier_admission"] == "yes", "seen_in"].unique().tolist()
    assert told == ["14 of 100 patients (14%) at any row, 0 of 100 patients (0%) at the row detection predicts"]
    assert (table["f_n_prior_admissions"] > 0).sum() == 29
    # Each code has one CCS group: an earlier admission with codes has at least one, a first admission none.
    ccs_count = table.filter(like="f_ccs_").sum(axis=1)
    assert ((ccs_count > 0) == (table["f_n_prior_admissions"] > 0)).all()
    cohort = build_cohort(table, TASKS[0])
    assert (cohort.n_patients, cohort.n_events) == (100, 6)
    assert earlier_seen(cohort.frame, 0.95).n_seen == 0


def test_small_counts_of_earlier_admissions_are_hidden():
    table = pd.DataFrame(
        {
            "subject_id": range(30),
            "f_n_prior_admissions": [1] * 4 + [0] * 26,
            "first_eligible": [False] * 10 + [True] * 20,
        }
    )
    assert earlier_admissions_seen(table, 11) == (
        "<11 of 30 patients at any row, 0 of 20 patients (0%) at the row detection predicts"
    )
    seen = earlier_seen(table, 0.95)
    assert seen.shown(11) == "<11 of 30"
    assert seen.shown(1) == "4 of 30 (13%, 5–30%)"
    assert (earlier_counts(table, 11), earlier_counts(table, 1)) == ("<11 of 30", "4 of 30")
    without = table.drop(columns="f_n_prior_admissions")
    assert (earlier_seen(without, 0.95), earlier_counts(without, 1)) == (None, "")


def test_the_interval_of_a_share_is_wilsons():
    from statsmodels.stats.proportion import proportion_confint

    for k, n in ((0, 10), (14, 100), (3, 7), (20, 20)):
        assert wilson(k, n, 0.9) == pytest.approx(proportion_confint(k, n, 0.1, "wilson"), abs=1e-12)
    assert np.isnan(wilson(0, 0, 0.9)).all()


def test_models_that_need_earlier_codes_are_told_from_those_that_do_not():
    assert needs_earlier(["f_age_years", "score_cha2ds2_vasc"])
    assert needs_earlier(["f_prior_af"])
    assert not needs_earlier(["f_age_years", "f_sex_male", "f_med_statin", "waveform score of: f_wave_rr_cv"])
