"""One task on one cohort, from the feature table to measured models or to the reason why there are none."""

from dataclasses import dataclass, field

import pandas as pd

from ecgppg.config.settings import Settings
from ecgppg.evaluation.discrimination import expected_half_width
from ecgppg.risk.cohort import Cohort, Task, build_cohort
from ecgppg.risk.embedded import AdmissionEmbeddings
from ecgppg.risk.guards import refuse_encoder_overlap
from ecgppg.risk.measure import Measured, measure
from ecgppg.risk.models import MODEL_TITLES, Ladder, run_ladder
from ecgppg.risk.scores import BedsideScore, cha2ds2_vasc

SUSPICIOUS_AUROC = 0.9
REFERENCE_AUROC = 0.75


@dataclass(frozen=True)
class Analysis:
    """What one section of the report shows.

    Attributes
    ----------
    cohort : Cohort
        The patients.
    with_embeddings : bool
        Whether the waveform score also saw the encoder; the cohort is then the risk reserve.
    ladder, measured : optional
        None where too few events allow no model; `why_not` then says so.
    half_width : float
        Half the interval that an AUROC of 0.75 is expected to have with these events.
    """

    cohort: Cohort
    with_embeddings: bool
    score: BedsideScore
    ladder: Ladder | None
    measured: Measured | None
    why_not: str
    half_width: float
    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Task and cohort in two or three words."""
        return self.cohort.task.name.capitalize() + (", with embeddings" if self.with_embeddings else "")


def analyse(
    table: pd.DataFrame,
    task: Task,
    settings: Settings,
    embeddings: AdmissionEmbeddings | None = None,
    truth: pd.Series | None = None,
) -> Analysis:
    """Guard, fit and measure one task.

    Parameters
    ----------
    table : pd.DataFrame
        From `read_features`.
    task : Task
        The question.
    settings : Settings
        n_outer_folds, n_bootstrap, confidence, min_events, seed.
    embeddings : AdmissionEmbeddings, optional
        Restricts the cohort to the risk reserve and adds the encoder to the waveform score.
    truth : pd.Series, optional
        The probability each patient's outcome was drawn from, by subject_id: simulated tables only.

    Raises
    ------
    InputError
        A patient twice, or an encoder that was trained on an evaluated patient.
    """
    only = None
    if embeddings is not None:
        only = {
            "outside the risk reserve": table["subject_id"].isin(embeddings.reserve),
            "no embedding before the index time": embeddings.has(table),
        }
    cohort = build_cohort(table, task, only)
    if embeddings is not None:
        refuse_encoder_overlap(cohort.frame["subject_id"], embeddings.trained_on)
    n_without = cohort.n_patients - cohort.n_events
    half_width = expected_half_width(cohort.n_events, n_without, REFERENCE_AUROC, settings.confidence)
    score = cha2ds2_vasc(cohort.frame)
    why_not = _why_no_model(cohort.n_events, n_without, settings.min_events)
    if why_not:
        return Analysis(cohort, embeddings is not None, score, None, None, why_not, half_width)
    embedding_ND = None if embeddings is None else embeddings.of(cohort.frame)
    ladder = run_ladder(cohort.frame, cohort.y_N, settings.n_outer_folds, settings.seed, embedding_ND)
    predictions = dict(ladder.predictions)
    if truth is not None:
        predictions["truth"] = truth.loc[cohort.frame["subject_id"]].to_numpy(dtype=float)
    measured = measure(cohort.y_N, predictions, ladder.fold_N, settings.n_bootstrap, settings.confidence, settings.seed)
    return Analysis(cohort, embeddings is not None, score, ladder, measured, "", half_width, leakage_warnings(measured))


def leakage_warnings(measured: Measured) -> list[str]:
    """One line for every model that ranks too well to be believed."""
    return [
        f"Leakage suspected: {MODEL_TITLES[name]} reaches AUROC {estimates['auroc'].value:.2f}. Above "
        f"{SUSPICIOUS_AUROC} an answer has most likely entered the features: no finding until that is ruled out."
        for name, estimates in measured.models.items()
        if name != "truth" and estimates["auroc"].value > SUSPICIOUS_AUROC
    ]


def _why_no_model(n_events: int, n_without: int, least: int) -> str:
    if n_events < least:
        return f"fewer than {least} patients with the outcome: a model would describe chance, so only counts are given"
    if n_without < least:
        return f"fewer than {least} patients without the outcome: nothing to tell the others from"
    return ""
