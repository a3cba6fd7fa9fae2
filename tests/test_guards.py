"""Each way in which an answer gets into the question, planted, and refused."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.code_lists import BUILT_IN, load_definitions
from ecgppg.clinical.comorbidities import groups_of_admissions
from ecgppg.clinical.comorbidity_maps import load_maps
from ecgppg.clinical.features import clinical_features, rows_from_first_icu
from ecgppg.clinical.leakage import check_leakage, known_column
from ecgppg.clinical.tables import read_tables
from ecgppg.config.errors import InputError, RefusedError
from ecgppg.data.splits import refuse_trained_on_test
from ecgppg.risk.cohort import read_features
from ecgppg.risk.guards import refuse_encoder_overlap
from ecgppg.stages.split import read_splits
from ecgppg.synthetic.feature_table import simulate
from tests.clinical_folder import DIAGNOSES, ROWS, write_folder

DEFINITIONS = load_definitions()


def us(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


@pytest.fixture
def tables(tmp_path):
    return read_tables(write_folder(tmp_path))


@pytest.fixture
def table(tables):
    return clinical_features(tables, DEFINITIONS, rows_from_first_icu(tables))


@pytest.fixture
def many():
    return simulate(400, 11).features


def refused(table, words):
    with pytest.raises(InputError, match=words) as caught:
        check_leakage(table)
    assert "\n" not in str(caught.value)


def test_comorbidities_of_the_admission_at_hand_are_refused(tables, table):
    """The mistake every public pipeline makes: Elixhauser flags of this very stay, known at its discharge."""
    check_leakage(table)
    flags = pd.DataFrame(
        groups_of_admissions(tables, load_maps().elixhauser).astype(float), index=tables.admissions["hadm_id"]
    )
    discharge_us = tables.admissions.set_index("hadm_id")["dischtime"].astype("int64")
    leaked = table.assign(
        f_elix_arrhythmia=flags[1].reindex(table["hadm_id"]).to_numpy(),
        known_f_elix=discharge_us.reindex(table["hadm_id"]).to_numpy(),
    )
    refused(leaked, "f_elix_.* became known after the index time in 6 rows")


@pytest.mark.parametrize("column", ["known_f_prior", "known_f_cha2ds2_vasc", "known_f_n_prior_admissions"])
def test_a_time_after_the_index_time_is_refused_in_every_family(table, column):
    refused(table.assign(**{column: table["index_time_us"] + 1}), "became known after the index time")


def test_a_waveform_that_goes_on_after_the_index_time_is_refused(many):
    refused(many.assign(known_f_wave=many["index_time_us"] + 10_000_000), "f_wave_.* became known after the index time")
    refused(many.drop(columns="known_f_wave"), "f_wave_heart_rate_bpm lacks its column")


def test_a_waveform_after_its_outcome_is_refused(many, tmp_path):
    row = many.index[many["first_eligible"] == 1][5]
    late = many.copy()
    late.loc[row, "known_y_stroke_detection"] = late.loc[row, "index_time_us"]
    refused(late, "1 rows with first_eligible have their waveform after their outcome: y_stroke_detection")
    late.to_csv(tmp_path / "late.csv", index=False)
    with pytest.raises(InputError, match="after their outcome"):
        read_features(tmp_path / "late.csv")
    ahead = many.assign(first_eligible_prediction=many["y_stroke_prediction"] >= 0)
    ahead["known_y_stroke_prediction"] = ahead["index_time_us"] - 1
    refused(ahead, "rows with first_eligible_prediction have their waveform after their outcome: y_stroke_prediction")


def test_a_death_before_the_waveform_is_a_waveform_after_its_outcome(many):
    row = many.index[many["first_eligible"] == 1][7]
    late = many.assign(y_death_90d=0, known_y_death_90d=many["index_time_us"] + 1)
    check_leakage(late)
    late.loc[row, ["y_death_90d", "known_y_death_90d"]] = 1, late.loc[row, "index_time_us"]
    refused(late, "1 rows with first_eligible have their waveform after their outcome: y_death_90d")


@pytest.mark.parametrize(
    "name",
    [
        "f_hours_to_death", "f_days_to_discharge", "f_time_until_stroke", "f_died", "f_dod", "f_death_within_30d",
        "f_hospital_expire_flag", "f_deathtime", "f_hospital_mortality", "f_survived", "f_los", "f_icu_los",
        "f_length_of_stay", "f_discharge_location", "f_dischtime", "f_icu_outtime", "f_survival_days",
    ],
)  # fmt: skip
def test_what_lies_ahead_is_no_feature_whatever_time_it_claims(many, name):
    """Numbers that say nothing, claimed to be known at the index time: the name alone is refused."""
    rng = np.random.default_rng(1)
    planted = many.assign(**{name: rng.random(len(many)), f"known_{name}": many["index_time_us"]})
    refused(planted, f"{name} is .* and may not be a feature")


def test_hours_to_death_under_an_innocent_name_are_refused(many):
    """Only the dead have them: that they are there tells the outcome, whatever their size."""
    rng = np.random.default_rng(2)
    died = (rng.random(len(many)) < 0.2).astype(int)
    outcome = {"y_death_hospital": died, "known_y_death_hospital": many["index_time_us"] + 1}
    hours = np.where(died == 1, rng.uniform(0, 500, len(many)), np.nan)
    check_leakage(many.assign(**outcome))
    refused(many.assign(**outcome, f_severity=hours, known_f_severity=0), "f_severity tells y_death_hospital in every")
    # And with the gaps filled, as people do.
    filled = np.where(died == 1, hours, 9_999.0)
    refused(many.assign(**outcome, f_severity=filled, known_f_severity=0), "f_severity tells y_death_hospital in every")


def test_a_number_that_tells_outcomes_apart_by_one_cut_is_refused_and_a_waveform_may(many):
    rng = np.random.default_rng(3)
    stroke = many["y_stroke_detection"].to_numpy() == 1
    high = rng.normal(0, 1, len(many)) + 12 * stroke
    refused(many.assign(f_nihss=high, known_f_nihss=0), "f_nihss tells y_stroke_detection in every row")
    refused(many.assign(f_nihss=-high, known_f_nihss=0), "f_nihss tells y_stroke_detection in every row")
    check_leakage(many.assign(f_wave_st=high))
    check_leakage(many.assign(f_nihss=rng.normal(0, 1, len(many)) + 2 * stroke, known_f_nihss=0))


def test_codes_of_the_users_own_labels_are_refused_too(many, tmp_path):
    lists = BUILT_IN.read_text(encoding="utf-8").replace(
        'codes: ["430", "431", "433.x1", "434.x1", "436"]', 'codes: ["401"]', 1
    )
    (tmp_path / "mine.yaml").write_text(lists, encoding="utf-8")
    coded = many.assign(f_dx_4019=0, known_f_dx_4019=0)
    check_leakage(coded)
    with pytest.raises(InputError, match=r"named for a code of the label stroke of mine\.yaml"):
        check_leakage(coded, definitions=load_definitions(tmp_path / "mine.yaml"))


def test_a_stroke_in_an_admission_that_had_begun_is_no_prediction(tmp_path):
    """Two stays at once: the stroke of the second was under way, or over, when the waveform of the first was taken."""
    at_once = (1, 14, "2120-01-12 08:00:00", "2120-01-15 12:00:00", "", "EMERGENCY", 0)
    admissions = [*ROWS["ADMISSIONS"], at_once]
    tables = read_tables(write_folder(tmp_path, ADMISSIONS=admissions, DIAGNOSES_ICD=[*DIAGNOSES, (1, 14, 1, "431")]))
    rows = pd.DataFrame({"subject_id": [1], "hadm_id": [11], "index_time_us": [us("2120-01-13 00:00:00")]})
    row = clinical_features(tables, DEFINITIONS, rows).iloc[0]
    assert (row["y_stroke_prediction"], row["first_eligible_prediction"]) == (-1, False)
    before = rows.assign(index_time_us=us("2120-01-12 07:59:59"))
    row = clinical_features(tables, DEFINITIONS, before).iloc[0]
    assert (row["y_stroke_prediction"], row["known_y_stroke_prediction"]) == (1, us("2120-01-15 12:00:00"))


@pytest.mark.parametrize(
    "name", ["f_43491", "f_icd9_431", "f_dx_43491_any", "f_code_42731", "f_v1254", "f_436_primary", "f_dx_4275"]
)
def test_a_label_code_among_the_features_is_refused(many, name):
    refused(many.assign(**{name: 0, f"known_{name}": 0}), f"{name} is named for a code of the label")


def test_codes_that_make_no_label_may_be_features(many):
    names = ["f_dx_4280", "f_icd9_25000", "f_prior_43491", "f_ccs_109", "f_wave_heart_rate_p05_bpm"]
    check_leakage(many.assign(**dict.fromkeys(names, 0.0), **{f"known_{name}": 0 for name in names}))


@pytest.mark.parametrize("share", [1.0, 0.99])
def test_a_copy_of_the_outcome_under_another_name_is_refused(many, share):
    copy = many["y_stroke_detection"].clip(lower=0).to_numpy().copy()
    others = np.flatnonzero(copy == 0)
    flipped = others[: round((1 - share) * len(others))]
    copy[flipped] = 1
    refused(many.assign(f_severity=copy, known_f_severity=0), "f_severity tells y_stroke_detection in")


def test_a_good_feature_is_no_copy(many):
    good = many["y_stroke_detection"].clip(lower=0).to_numpy().copy()
    good[::10] = 1 - good[::10]
    check_leakage(many.assign(f_good=good, known_f_good=0))


def test_the_time_of_a_feature_is_its_own_or_its_familys():
    columns = ["known_f_elix", "known_f_wave", "known_f_age_years", "known_f_wave_rate"]
    assert known_column("f_elix_obesity", columns) == "known_f_elix"
    assert known_column("f_age_years", columns) == "known_f_age_years"
    assert known_column("f_wave_rate_bpm", columns) == "known_f_wave_rate"
    assert known_column("f_elixir", columns) is None
    assert known_column("f_age", columns) is None


def test_a_patient_in_two_splits_is_refused(tmp_path):
    splits = pd.DataFrame(
        {
            "subject_id": [1, 2, 2],
            "split": ["train", "train", "test"],
            "stratum": "unlabelled",
            "risk_reserve": [False, False, True],
        }
    )
    path = tmp_path / "splits.parquet"
    splits.to_parquet(path, index=False)
    with pytest.raises(RefusedError, match="patient 2 stands in it twice"):
        read_splits(path)
    splits.head(2).assign(risk_reserve=[False, True]).to_parquet(path, index=False)
    with pytest.raises(RefusedError, match="1 patients of the risk reserve are outside test"):
        read_splits(path)
    splits.head(2).to_parquet(path, index=False)
    assert read_splits(path)["subject_id"].tolist() == [1, 2]


def test_an_encoder_that_knows_a_test_patient_is_refused():
    splits = pd.DataFrame({"subject_id": [1, 2, 3, 4], "split": ["train", "val", "test", "test"]})
    refuse_trained_on_test(splits, [1, 2], "encoder")
    with pytest.raises(RefusedError, match=r"trained on 1 patients of the test split \(4 is one\)"):
        refuse_trained_on_test(splits, [1, 4], "encoder")
    with pytest.raises(InputError, match="1 evaluated patients were in the encoder's training"):
        refuse_encoder_overlap([3, 4], [1, 4])


def test_whether_drugs_come_later_is_not_told_beforehand(tmp_path):
    """0 and unknown must not differ by prescriptions that begin after the index time."""
    later = [(1, 13, "2122-01-15 00:00:00", "Warfarin")]
    rows = pd.DataFrame({"subject_id": [1], "hadm_id": [13], "index_time_us": [us("2122-01-12 00:00:00")]})
    told = []
    for name, prescriptions in (("some", later), ("none", [])):
        folder = write_folder(tmp_path / name, PRESCRIPTIONS=prescriptions)
        told.append(clinical_features(read_tables(folder), DEFINITIONS, rows).filter(like="f_med_").to_numpy(float))
    np.testing.assert_array_equal(told[0], told[1])
    assert np.isnan(told[0][0, 0])


def test_a_later_stay_with_a_discharge_in_the_past_is_no_history(tmp_path):
    """Discharged, by a slip, before the waveform, though it began a year after it."""
    slip = (1, 14, "2123-01-10 08:00:00", "2119-01-20 12:00:00", "", "EMERGENCY", 0)
    folder = write_folder(
        tmp_path, ADMISSIONS=[*ROWS["ADMISSIONS"], slip], DIAGNOSES_ICD=[*DIAGNOSES, (1, 14, 1, "4280")]
    )
    rows = pd.DataFrame({"subject_id": [1], "hadm_id": [13], "index_time_us": [us("2122-01-12 00:00:00")]})
    row = clinical_features(read_tables(folder), DEFINITIONS, rows).iloc[0]
    assert (row["f_n_prior_admissions"], row["f_elix_heart_failure"]) == (2, 0)
