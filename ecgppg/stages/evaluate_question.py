"""The question an evaluation asks: which column, which of its values against which, and whom it leaves out."""

import re
from dataclasses import dataclass

import numpy as np

from ecgppg.config.errors import ConfigError, InputError
from ecgppg.config.schema import UNKNOWN_LABEL, is_label
from ecgppg.store.reader import SegmentDataset
from ecgppg.store.segments import Categories

AFTER_DISCHARGE = re.compile(r"_(this|after|incident)$")


@dataclass(frozen=True)
class Question:
    """A question in words.

    Attributes
    ----------
    column : str
        Column of the dataset.
    value : str or None
        The value sought; None: the column holds 1 and 0.
    against : str or None
        The one value it is told from; None: all others.
    regression : bool
        The column is a number to be predicted.
    """

    column: str
    value: str | None = None
    against: str | None = None
    regression: bool = False

    @property
    def name(self) -> str:
        """Name of the folder of its results."""
        words = [self.column, *([self.value] if self.value else []), *(["vs", self.against] if self.against else [])]
        return "_".join(re.sub(r"[^A-Za-z0-9._-]+", "-", word).strip("-") or "other" for word in words)

    @property
    def words(self) -> str:
        """The question as people read it."""
        if self.regression:
            return f"{self.column} as a number"
        sought = f"{self.column} = {self.value}" if self.value else self.column
        return f"{sought} against {self.against if self.against else 'the rest'}"

    @property
    def caution(self) -> str | None:
        """What to know of the label before a result is believed."""
        if AFTER_DISCHARGE.search(self.column):
            return (
                f"{self.column} comes from ICD codes that were assigned after discharge, without a time: a score is of "
                "the admission and not of the window, and at the bedside the label was not yet known"
            )
        if self.column.startswith("death_"):
            return (
                f"{self.column} became known after the window: windows near the end are of the dying, not of prediction"
            )
        return None


@dataclass(frozen=True, eq=False)
class Answers:
    """What the dataset says to the question, window by window.

    Attributes
    ----------
    asked_N : ndarray of bool
        Windows that have an answer.
    y_N : ndarray of float64
        The answer: 1 or 0, or a number; NaN where there is none.
    stratum_N : ndarray of int64
        Codes of the whole column, to balance folds by.
    """

    asked_N: np.ndarray
    y_N: np.ndarray
    stratum_N: np.ndarray


def parse_label(word: str, against: str | None) -> Question:
    """Question of `COLUMN`, or `COLUMN=VALUE` and a value to tell it from.

    Raises
    ------
    ConfigError
        If the words are not of that form.
    """
    column, equals, value = word.partition("=")
    if not column or (equals and not value):
        raise ConfigError(f"--label {word}: expected COLUMN or COLUMN=VALUE")
    if against is not None and not value:
        raise ConfigError(f"--against {against}: goes with --label {column}=VALUE")
    if against is not None and against == value:
        raise ConfigError(f"--against {against}: is the value sought itself")
    return Question(column, value or None, against)


def read_answers(dataset: SegmentDataset, question: Question) -> Answers:
    """Look the question up in a dataset.

    Raises
    ------
    InputError
        If there is no such column or value, or the column is of another kind than the question.
    """
    if question.column not in dataset.columns:
        labels = [name for name in dataset.columns if is_label(name)]
        raise InputError(f"{dataset.path}: no column {question.column}; labels are {', '.join(labels) or 'none'}")
    values = dataset.values(question.column)
    if question.regression:
        return _numbers(dataset, question, values)
    if isinstance(values, Categories) or values.dtype.kind in "OSU":
        return _names(dataset, question, values)
    return _zero_or_one(dataset, question, values)


def _names(dataset: SegmentDataset, question: Question, values: Categories | np.ndarray) -> Answers:
    names_N = values.decoded() if isinstance(values, Categories) else values.astype(str).astype(object)
    known_N = np.array([bool(name) for name in names_N], bool)
    held, codes = np.unique(names_N[known_N].astype(str), return_inverse=True)
    if question.value is None:
        raise InputError(f"--label {question.column}: name one of its values, as {question.column}={held[0]}"
                         if len(held) else f"--label {question.column}: every value is unknown")  # fmt: skip
    for value in (question.value, question.against):
        if value is not None and value not in held:
            raise InputError(f"{dataset.path}: {question.column} has no value {value}; it has {', '.join(held)}")
    stratum_N = np.full(len(names_N), -1, np.int64)
    stratum_N[known_N] = codes
    asked_N = known_N & ((names_N == question.value) | (question.against is None) | (names_N == question.against))
    return _answers(asked_N, (names_N == question.value).astype(np.float64), stratum_N)


def _zero_or_one(dataset: SegmentDataset, question: Question, values: np.ndarray) -> Answers:
    if question.value is not None or values.dtype.kind not in "biu":
        hint = "numbers are predicted with --target" if values.dtype.kind == "f" else "leave =VALUE out"
        raise InputError(f"--label {question.column}: the column holds numbers; {hint}")
    other = set(np.unique(values).tolist()) - {0, 1, UNKNOWN_LABEL}
    if other:
        raise InputError(f"{dataset.path}: {question.column} holds {other.pop()}, neither 0 nor 1; use --target")
    return _answers(values != UNKNOWN_LABEL, values.astype(np.float64), values.astype(np.int64))


def _numbers(dataset: SegmentDataset, question: Question, values: Categories | np.ndarray) -> Answers:
    if isinstance(values, Categories) or values.dtype.kind in "OSU":
        y_N = _spelt_out(dataset, question, values)
    elif values.ndim == 1 and values.dtype.kind in "iuf":
        y_N = values.astype(np.float64)
        if values.dtype.kind != "f" and is_label(question.column):
            y_N[values == UNKNOWN_LABEL] = np.nan
    else:
        raise InputError(f"--target {question.column}: {dataset.path} holds no numbers there")
    asked_N = np.isfinite(y_N)
    stratum_N = np.full(len(y_N), -1, np.int64)
    if asked_N.any():
        stratum_N[asked_N] = np.digitize(y_N[asked_N], np.quantile(y_N[asked_N], [0.2, 0.4, 0.6, 0.8]))
    return _answers(asked_N, y_N, stratum_N)


def _spelt_out(dataset: SegmentDataset, question: Question, values: Categories | np.ndarray) -> np.ndarray:
    """Numbers that a table beside the records gave as text; 90+ is 90."""
    names_N = values.decoded() if isinstance(values, Categories) else values.astype(str).astype(object)
    number_of: dict[str | None, float] = {None: np.nan, "": np.nan}
    for name in sorted({name for name in names_N if name}):
        try:
            number_of[name] = float(name.removesuffix("+"))
        except ValueError:
            raise InputError(
                f"--target {question.column}: {dataset.path} holds {name!r} there, which is no number; use --label"
            ) from None
    return np.array([number_of[name] for name in names_N], np.float64)


def _answers(asked_N: np.ndarray, y_N: np.ndarray, stratum_N: np.ndarray) -> Answers:
    return Answers(asked_N, np.where(asked_N, y_N, np.nan), stratum_N)
