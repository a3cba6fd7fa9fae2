"""The ladder of models, from knowing nothing to clinic and waveform, each predicted out of fold."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ecgppg.risk.linear import LinearModel, fit_linear, stratified_folds
from ecgppg.risk.scores import cha2ds2_vasc
from ecgppg.risk.trees import TreeModel, fit_trees
from ecgppg.risk.waveform_score import WaveformScore, cross_fitted_score, fit_waveform_score

MODEL_TITLES = {
    "prevalence": "Prevalence only",
    "age_sex": "Age and sex",
    "clinical": "Clinical",
    "clinical_waveform": "Clinical + waveform score",
    "boosted_trees": "Boosted trees",
    "truth": "Planted truth (ceiling)",
}
MIN_EVENTS_FOR_TREES = 100
_EVENTS_PER_PREDICTOR = 10
_AGE_SEX = ("f_age_years", "f_sex_male")
# In the order in which few events are spent on them; the score holds what lies further down, in one number.
_CLINICAL = (
    "f_age_years", "score_cha2ds2_vasc", "f_sex_male", "f_prior_af", "f_prior_stroke", "f_med_anticoagulant",
    "f_prior_heart_failure", "f_prior_hypertension", "f_prior_diabetes", "f_prior_vascular",
)  # fmt: skip
# How long or how well a patient was measured speaks of the stay, not of the heart.
_MEASURES_THE_MEASURING = ("_quality", "_windows", "_segments", "_hours")


@dataclass(frozen=True)
class Ladder:
    """Out-of-fold predictions of every model, and the models fitted on everybody.

    Attributes
    ----------
    fold_N : np.ndarray
        Outer fold of each patient.
    predictions : dict
        {model: probability, shape (N,)}, in the order of the ladder.
    predictors : dict
        {model: names of what it saw}.
    fitted : dict
        {model: parameters as plain values}, fitted on all patients of the task.
    absent : dict
        {model: why it was not fitted}.
    """

    fold_N: np.ndarray
    predictions: dict[str, np.ndarray]
    predictors: dict[str, list[str]]
    fitted: dict[str, dict[str, Any]]
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Matrix:
    """The numbers of one cohort."""

    x: pd.DataFrame
    age_sex: list[str]
    clinical: list[str]
    waveform: list[str]
    embedding_ND: np.ndarray | None


def waveform_measurements(frame: pd.DataFrame) -> list[str]:
    """Waveform columns that describe the heart rather than how it was measured."""
    names = [str(name) for name in frame if str(name).startswith("f_wave_")]
    return [n for n in names if not any(m in n for m in _MEASURES_THE_MEASURING)]


def clinical_predictors(frame: pd.DataFrame, n_events: int) -> list[str]:
    """The clinical predictors that this many events can carry: one per ten events, three at the least."""
    usable = [n for n in _CLINICAL if n in frame and frame[n].nunique() > 1]
    return usable[: max(3, n_events // _EVENTS_PER_PREDICTOR)]


def run_ladder(
    frame: pd.DataFrame, y_N: np.ndarray, n_folds: int, seed: int, embedding_ND: np.ndarray | None = None
) -> Ladder:
    """Predict every patient out of fold with every model that the table and the events allow.

    Parameters
    ----------
    frame : pd.DataFrame
        `f_` columns, one row a patient.
    y_N : np.ndarray
        Outcome, 1 or 0.
    n_folds : int
        Outer folds, stratified by outcome.
    seed : int
        Of folds and subsampling.
    embedding_ND : np.ndarray, optional
        One embedding a patient, from an encoder that has not trained on any of them.
    """
    from threadpoolctl import threadpool_limits

    x = frame.assign(score_cha2ds2_vasc=cha2ds2_vasc(frame).points_N)
    n_events = int(y_N.sum())
    data = _Matrix(
        x, [n for n in _AGE_SEX if n in x], clinical_predictors(x, n_events), waveform_measurements(x), embedding_ND
    )
    fold_N = stratified_folds(y_N, n_folds, seed)
    names, absent = _possible(data, n_events)
    # One number for everybody: refitted per fold it would follow the held-out events, in reverse.
    predictions = {"prevalence": np.full(y_N.size, y_N.mean())}
    fitted: dict[str, dict[str, Any]] = {"prevalence": {"probability": float(y_N.mean())}}
    # A thousand small fits: threads that wait for each other made them five times slower on a busy machine.
    with threadpool_limits(1):
        for model in names:
            p_N = np.empty(y_N.size)
            for k in np.unique(fold_N):
                inside = fold_N == k
                p_N[inside] = _fit(model, data, y_N, ~inside, seed).probability(data, inside)
            predictions[model] = p_N
            fitted[model] = _fit(model, data, y_N, np.ones(y_N.size, bool), seed).to_json()
    waveform = data.waveform + ([f"embedding ({embedding_ND.shape[1]} dimensions)"] if embedding_ND is not None else [])
    predictors = {
        "prevalence": [],
        "age_sex": data.age_sex,
        "clinical": data.clinical,
        "clinical_waveform": data.clinical + [f"waveform score of: {', '.join(waveform)}"],
        "boosted_trees": data.clinical + data.waveform,
    }
    return Ladder(fold_N, predictions, {m: predictors[m] for m in predictions}, fitted, absent)


def _possible(data: _Matrix, n_events: int) -> tuple[list[str], dict[str, str]]:
    names, absent = [], {}
    if data.age_sex:
        names.append("age_sex")
    else:
        absent["age_sex"] = "the table has neither f_age_years nor f_sex_male"
    if data.clinical:
        names.append("clinical")
    else:
        absent["clinical"] = "the table has no clinical predictor that varies"
    if not data.clinical or not (data.waveform or data.embedding_ND is not None):
        absent["clinical_waveform"] = "the table has no waveform measurement" if data.clinical else absent["clinical"]
    else:
        names.append("clinical_waveform")
    if n_events < MIN_EVENTS_FOR_TREES:
        absent["boosted_trees"] = f"fitted from {MIN_EVENTS_FOR_TREES} events on"
    elif data.clinical:
        names.append("boosted_trees")
    return names, absent


@dataclass(frozen=True)
class _Plain:
    """A model straight on columns."""

    model: LinearModel | TreeModel

    def probability(self, data: _Matrix, rows: np.ndarray) -> np.ndarray:
        return self.model.probability(data.x.loc[rows, self.model.names].to_numpy(dtype=float))

    def to_json(self) -> dict[str, Any]:
        return self.model.to_json()


@dataclass(frozen=True)
class _WithScore:
    """Clinical columns and the waveform's one number."""

    score: WaveformScore
    model: LinearModel

    def probability(self, data: _Matrix, rows: np.ndarray) -> np.ndarray:
        score_N = self.score.log_odds(*_waveform_of(data, rows))
        clinical = data.x.loc[rows, data.clinical].to_numpy(dtype=float)
        return self.model.probability(np.column_stack([clinical, score_N]))

    def to_json(self) -> dict[str, Any]:
        return {"waveform_score": self.score.to_json(), "model": self.model.to_json()}


def _fit(model: str, data: _Matrix, y_N: np.ndarray, rows: np.ndarray, seed: int) -> _Plain | _WithScore:
    y = y_N[rows]
    if model == "boosted_trees":
        names = data.clinical + data.waveform
        return _Plain(fit_trees(data.x.loc[rows, names].to_numpy(dtype=float), y, names, seed))
    if model == "clinical_waveform":
        waveform, embedding = _waveform_of(data, rows)
        inside_N = cross_fitted_score(waveform, embedding, y, data.waveform, seed)
        clinical = data.x.loc[rows, data.clinical].to_numpy(dtype=float)
        linear = fit_linear(np.column_stack([clinical, inside_N]), y, data.clinical + ["waveform_score"], seed)
        return _WithScore(fit_waveform_score(waveform, embedding, y, data.waveform, seed), linear)
    names = data.age_sex if model == "age_sex" else data.clinical
    return _Plain(fit_linear(data.x.loc[rows, names].to_numpy(dtype=float), y, names, seed))


def _waveform_of(data: _Matrix, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    waveform = data.x.loc[rows, data.waveform].to_numpy(dtype=float)
    return waveform, None if data.embedding_ND is None else data.embedding_ND[rows]
