"""In a simulated table the answer is known: does an ordinary regression find the planted odds ratio again?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgppg.risk.cohort import Cohort


@dataclass(frozen=True)
class Recovered:
    """An odds ratio that was planted, and what the data give back."""

    task: str
    title: str
    planted: float
    found: float
    low: float
    high: float


def recovered_odds_ratio(
    cohort: Cohort, truth: pd.DataFrame, log_odds_ratios: Mapping[str, float], name: str, title: str, confidence: float
) -> Recovered:
    """Logistic regression of the outcome on the planted cause and all that was planted beside it (statsmodels).

    Parameters
    ----------
    cohort : Cohort
        One task's patients.
    truth : pd.DataFrame
        subject_id, hadm_id and the planted cause `name`, which the feature table does not hold.
    log_odds_ratios : mapping
        Planted effects by column: `name`, and `f_` columns to adjust for.
    name : str
        The cause asked about.
    title : str
        Of the line in the report.
    confidence : float
        Width of the (Wald) interval.
    """
    import statsmodels.api as sm

    joined = cohort.frame.merge(truth[["subject_id", "hadm_id", name]], on=["subject_id", "hadm_id"], validate="1:1")
    others = [column for column in log_odds_ratios if column != name and joined[column].nunique() > 1]
    x = sm.add_constant(joined[[name, *others]].astype(float))
    fitted = sm.GLM(cohort.y_N, x, family=sm.families.Binomial()).fit()
    low, high = fitted.conf_int(alpha=1 - confidence).loc[name]
    found, low, high = np.exp([fitted.params[name], low, high])
    return Recovered(
        cohort.task.name, title, float(np.exp(log_odds_ratios[name])), float(found), float(low), float(high)
    )
