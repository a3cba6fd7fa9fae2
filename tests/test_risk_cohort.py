"""Who is predicted, who is not, and what is refused as a leak."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgppg.config.errors import InputError
from ecgppg.risk.cells import shown_cohort, shown_count, shown_steps
from ecgppg.risk.cohort import TASKS, Step, build_cohort, read_features
from ecgppg.risk.embedded import AdmissionEmbeddings, mean_embeddings
from ecgppg.risk.guards import refuse_encoder_overlap
from ecgppg.synthetic.feature_table import simulate

DETECTION, PREDICTION = TASKS


@pytest.fixture
def table() -> pd.DataFrame:
    return simulate(300, 5).features


def _read(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    path = folder / "clinical_features.csv"
    table.to_csv(path, index=False)
    return read_features(path)


def test_one_row_a_patient_and_every_patient_accounted_for(table: pd.DataFrame) -> None:
    for task in TASKS:
        cohort = build_cohort(table, task)
        assert cohort.frame["subject_id"].is_unique
        assert cohort.frame["subject_id"].is_monotonic_increasing
        assert cohort.steps[0].n_remaining - sum(s.n_patients for s in cohort.steps[1:]) == cohort.n_patients
        assert cohort.n_events == cohort.frame[task.outcome].sum()


def test_prediction_leaves_out_who_had_a_stroke_before(table: pd.DataFrame) -> None:
    leaked = table.assign(y_stroke_prediction=table["y_stroke_detection"].clip(lower=0))
    cohort = build_cohort(leaked, PREDICTION)
    assert (cohort.frame["f_prior_stroke"] == 0).all()


def test_outcome_known_by_the_index_time_is_left_out_and_counted(table: pd.DataFrame) -> None:
    patient = build_cohort(table, DETECTION).frame["subject_id"].iloc[0]
    late = table.copy()
    late.loc[late["subject_id"] == patient, "known_y_stroke_detection"] = 0
    cohort = build_cohort(late, DETECTION)
    assert patient not in set(cohort.frame["subject_id"])
    assert Step("outcome known by the index time", 1, cohort.n_patients) in cohort.steps


def test_a_task_may_bring_its_own_eligible_rows(table: pd.DataFrame) -> None:
    kept = table["subject_id"] <= 100
    own = table.assign(first_eligible_prediction=(table["first_eligible"] == 1) & kept)
    assert build_cohort(own, PREDICTION).frame["subject_id"].max() <= 100
    assert build_cohort(own, DETECTION).frame["subject_id"].max() > 100


def test_patient_predicted_twice_is_refused(table: pd.DataFrame) -> None:
    twice = pd.concat([table, table[table["subject_id"] == 7].head(1).assign(hadm_id=1)])
    with pytest.raises(InputError, match="patient 7 has more than one row"):
        build_cohort(twice, DETECTION)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="index_time_us"), "has no column index_time_us"),
        (lambda t: t.drop(columns=["y_stroke_detection", "y_stroke_prediction"]), "has neither y_stroke_detection"),
        (lambda t: t.assign(f_age_years="old"), "f_age_years holds text"),
        (lambda t: t.assign(f_age_years=np.inf), "f_age_years holds an infinite value"),
        (lambda t: t.assign(y_stroke_detection=2), "y_stroke_detection holds a value other"),
        (lambda t: t.assign(first_eligible=np.nan), "an empty value"),
        (lambda t: t.assign(known_f_age_years=t["index_time_us"] + 1), "f_age_years became known after the index time"),
        (lambda t: t.assign(f_stroke_this=0, known_f_stroke_this=0), "f_stroke_this is a label"),
        (
            lambda t: t.assign(f_code=t["y_stroke_detection"].clip(lower=0), known_f_code=0),
            "f_code tells y_stroke_detection in every row",
        ),
    ],
)
def test_tables_that_cannot_serve_are_refused_with_one_line(table, change, message, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        _read(change(table), tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_absent_and_empty_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such feature table"):
        read_features(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match="is no CSV table"):
        read_features(tmp_path / "empty.csv")


def test_table_survives_its_csv(table: pd.DataFrame, tmp_path: Path) -> None:
    eligible = table.assign(first_eligible=table["first_eligible"].astype(bool))
    pd.testing.assert_frame_equal(_read(eligible, tmp_path), table, check_dtype=False)


def test_encoder_that_trained_on_an_evaluated_patient_is_refused() -> None:
    refuse_encoder_overlap([1, 2, 3], [4, 5])
    with pytest.raises(InputError, match="2 evaluated patients were in the encoder's training"):
        refuse_encoder_overlap([1, 2, 3], np.array([2, 3, 4]))


def test_embeddings_are_averaged_over_the_windows_before_the_index_time() -> None:
    windows = pd.DataFrame(
        {
            "segment_id": [10, 11, 12, 13, 14],
            "subject_id": [1, 1, 1, 2, 1],
            "hadm_id": [5, 5, 5, 6, 9],
            "start_time_us": [0, 10, 20, 0, 0],
        }
    )
    rows = pd.DataFrame({"subject_id": [2, 1], "hadm_id": [6, 5], "index_time_us": [10, 20]})
    vectors = np.array([[50.0, 0], [1, 2], [3, 4], [100, 100], [7, 7]])
    # Rows of the embeddings in another order than the windows: 14, 10, 11, 12, 13.
    keys, means = mean_embeddings(vectors, np.array([14, 10, 11, 12, 13]), windows, rows, segment_us=10)
    assert keys.to_numpy().tolist() == [[1, 5], [2, 6]]
    # Patient 1: windows 10 and 11 end by 20; 12 ends at 30, 14 is of another admission.
    assert means.tolist() == [[2, 3], [7, 7]]
    embeddings = AdmissionEmbeddings(keys, means, {1, 2}, frozenset())
    assert embeddings.of(rows).tolist() == [[7, 7], [2, 3]]
    assert embeddings.has(rows.assign(hadm_id=[6, 9])).tolist() == [True, False]


def test_small_cells_are_hidden_and_cannot_be_subtracted() -> None:
    assert [shown_count(n, 11) for n in (0, 1, 10, 11, 2000)] == ["0", "<11", "<11", "11", "2,000"]
    assert shown_cohort(100, 5, 11) == ("100", "<11")
    assert shown_cohort(100, 95, 11) == ("hidden", "95")
    steps = [Step("all", 60, 60), Step("a", 20, 40), Step("b", 3, 37)]
    assert shown_steps(steps, 11) == [("all", "", "hidden"), ("a", "20", ""), ("b", "<11", "37")]
    assert shown_steps(steps, 1) == [("all", "", "60"), ("a", "20", "40"), ("b", "3", "37")]
