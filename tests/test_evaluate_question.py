"""Questions: which column and values, whom they leave out, and what is refused in one line."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ecgppg.config.errors import ConfigError, InputError
from ecgppg.stages.evaluate_question import Question, parse_label, read_answers
from ecgppg.store.reader import SegmentDataset, open_dataset
from tests.labelled_dataset import write_labelled_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SegmentDataset]:
    path = tmp_path_factory.mktemp("question") / "full_dataset.h5"
    write_labelled_dataset(path, n_patients=9, n_windows=2)
    with open_dataset(path) as held:
        yield held


def test_a_value_against_the_rest_and_against_one(dataset: SegmentDataset) -> None:
    codes = dataset.column("label_reference")
    rest = read_answers(dataset, parse_label("label_reference=A", None))
    assert rest.asked_N.all()
    assert np.array_equal(rest.y_N, codes == 0)
    one = read_answers(dataset, parse_label("label_reference=A", "O"))
    assert np.array_equal(one.asked_N, codes != 1)
    assert np.isnan(one.y_N[codes == 1]).all()
    assert np.array_equal(one.stratum_N, rest.stratum_N)


def test_unknown_labels_are_left_out(dataset: SegmentDataset) -> None:
    answers = read_answers(dataset, parse_label("label_irregular", None))
    last = dataset.column("subject_id").max()
    assert np.array_equal(~answers.asked_N, dataset.column("subject_id") == last)
    assert set(answers.y_N[answers.asked_N]) == {0.0, 1.0}


def test_a_number_is_a_target(dataset: SegmentDataset) -> None:
    answers = read_answers(dataset, Question("label_age", regression=True))
    assert np.array_equal(answers.y_N, dataset.column("label_age"))
    assert len(np.unique(answers.stratum_N)) >= 4
    assert answers.stratum_N.min() >= 0


@pytest.mark.parametrize(
    ("word", "against", "says"),
    [
        ("label_nothing=A", None, "labels are"),
        ("label_reference=B", None, "no value B"),
        ("label_reference=A", "B", "no value B"),
        ("label_reference", None, "label_reference=A"),
        ("label_irregular=1", None, "leave =VALUE out"),
        ("label_age", None, "--target"),
        ("subject_id", None, "neither 0 nor 1"),
    ],
)
def test_what_cannot_be_asked_is_one_line(dataset: SegmentDataset, word: str, against: str | None, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        read_answers(dataset, parse_label(word, against))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("word", "against"), [("label=", None), ("=A", None), ("label_irregular", "O"), ("x=A", "A")])
def test_words_that_are_no_question(word: str, against: str | None) -> None:
    with pytest.raises(ConfigError):
        parse_label(word, against)


def test_names_are_no_number(dataset: SegmentDataset) -> None:
    with pytest.raises(InputError, match="use --label"):
        read_answers(dataset, Question("label_reference", regression=True))


def test_numbers_that_a_table_gave_as_text_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "full_dataset.h5"
    write_labelled_dataset(path, n_patients=4, n_windows=1, ages=("61", "90+", "", "45.5"))
    with open_dataset(path) as held:
        answers = read_answers(held, Question("label_age_text", regression=True))
    assert answers.y_N[:2].tolist() == [61, 90]
    assert np.array_equal(answers.asked_N, [True, True, False, True])


def test_codes_of_an_admission_come_with_a_caution() -> None:
    assert "after discharge" in str(Question("stroke_this").caution)
    assert "after discharge" in str(Question("af_after").caution)
    assert "dying" in str(Question("death_hospital").caution)
    assert Question("label_reference", "A").caution is None


def test_names_of_folders_hold_nothing_a_path_minds() -> None:
    assert Question("label_reference", "A", "O").name == "label_reference_A_vs_O"
    assert "/" not in Question("label_reference", "~/../x").name
    assert Question("label_reference", "~").name == "label_reference_other"
