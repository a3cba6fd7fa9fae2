"""Who is in the cohort: each person's rhythm, age and outcomes, drawn from a model whose coefficients are known."""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ecgppg.synthetic.rhythm import RATE_BPM

if TYPE_CHECKING:
    import pandas as pd

AF_SHARE = 0.15
OTHER_SHARES = {"sinus": 0.45, "ectopy": 0.20, "tachycardia": 0.175, "pauses": 0.175}
"""How adults without atrial fibrillation are divided among the other rhythms."""
NEONATE_SHARE = 1 / 30
OVER_89_SHARE = 1 / 20


@dataclass(frozen=True)
class OutcomeModel:
    """Planted truth: two logistic models, and how codes tell of the rhythm.

    logit P(stroke, this admission or later) = stroke_intercept + stroke_af AF + stroke_age_per_year (age - 65);
    logit P(death within a year) = death_intercept + death_age_per_year (age - 65) + death_af AF + death_stroke stroke.
    """

    stroke_intercept: float = -2.1
    stroke_af: float = math.log(3.0)
    stroke_age_per_year: float = 0.03
    stroke_this_share: float = 0.5
    death_intercept: float = -1.8
    death_age_per_year: float = 0.04
    death_af: float = math.log(1.5)
    death_stroke: float = math.log(2.5)
    death_in_hospital_share: float = 0.45
    prior_stroke_share: float = 0.06
    af_coded_given_af: float = 0.9
    af_coded_given_no_af: float = 0.04
    paroxysmal_given_af: float = 0.33

    def to_json(self) -> dict[str, float]:
        """Coefficients by name, plus the odds ratios they stand for."""
        return {
            **asdict(self),
            "stroke_af_odds_ratio": math.exp(self.stroke_af),
            "death_stroke_odds_ratio": math.exp(self.death_stroke),
            "death_af_odds_ratio": math.exp(self.death_af),
        }


def simulate_people(n: int, seed: int, model: OutcomeModel | None = None) -> "pd.DataFrame":
    """Draw people with their rhythm and outcomes; no waveforms, no dates.

    Parameters
    ----------
    n : int
        How many.
    seed : int
    model : OutcomeModel, optional
        The default one if not given.

    Returns
    -------
    DataFrame
        One row a person, in order: subject_id, neonate, gender, age_years (at the index admission; 0 for neonates),
        rhythm, af, paroxysmal, rate_bpm, stroke, stroke_when ("none", "this", "later"), prior_stroke, died,
        death_where ("none", "hospital", "home"), af_coded, p_stroke, p_death. A share of `AF_SHARE` of all, at least
        one, has atrial fibrillation, the old more often.
    """
    import pandas as pd

    model = model or OutcomeModel()
    rng = np.random.default_rng([seed, 1])
    neonate = np.zeros(n, bool)
    neonate[rng.permutation(n)[: round(NEONATE_SHARE * n)]] = True
    age = np.where(neonate, 0.0, _adult_ages(n, rng))
    rhythm = _rhythms(age, neonate, rng)
    af = rhythm == "af"

    p_stroke = _logistic(model.stroke_intercept + model.stroke_af * af + model.stroke_age_per_year * (age - 65))
    stroke = (rng.random(n) < p_stroke) & ~neonate
    p_death = _logistic(
        model.death_intercept
        + model.death_age_per_year * (age - 65)
        + model.death_af * af
        + model.death_stroke * stroke
    )
    died = (rng.random(n) < p_death) & ~neonate
    chance = {name: rng.random(n) for name in ("when", "where", "prior", "coded", "paroxysmal", "gender", "rate")}
    low, high = np.transpose(
        [RATE_BPM["neonate" if baby else kind] for baby, kind in zip(neonate, rhythm, strict=True)]
    )
    return pd.DataFrame(
        {
            "subject_id": np.sort(rng.choice(np.arange(100, max(99_000, 4 * n)), n, replace=False)),
            "neonate": neonate,
            "gender": np.where(chance["gender"] < 0.56, "M", "F"),
            "age_years": np.round(age, 2),
            "rhythm": rhythm,
            "af": af,
            "paroxysmal": af & (chance["paroxysmal"] < model.paroxysmal_given_af),
            "rate_bpm": np.round(low + (high - low) * chance["rate"], 1),
            "stroke": stroke,
            "stroke_when": np.where(
                stroke, np.where(chance["when"] < model.stroke_this_share, "this", "later"), "none"
            ),
            "prior_stroke": (chance["prior"] < model.prior_stroke_share) & ~neonate,
            "died": died,
            "death_where": np.where(
                died, np.where(chance["where"] < model.death_in_hospital_share, "hospital", "home"), "none"
            ),
            "af_coded": (chance["coded"] < np.where(af, model.af_coded_given_af, model.af_coded_given_no_af))
            & ~neonate,
            "p_stroke": np.where(neonate, 0.0, p_stroke).round(6),
            "p_death": np.where(neonate, 0.0, p_death).round(6),
        }
    )


def _adult_ages(n: int, rng: np.random.Generator) -> np.ndarray:
    very_old = rng.random(n) < OVER_89_SHARE
    return np.where(very_old, rng.uniform(90, 98, n), np.clip(rng.normal(66, 14, n), 19, 88.9))


def _rhythms(age: np.ndarray, neonate: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rhythm of each person: fibrillation to a fixed number, drawn with weights that rise with age (Gumbel top-k)."""
    n = len(age)
    rhythm = rng.choice(list(OTHER_SHARES), n, p=list(OTHER_SHARES.values())).astype(object)
    score = np.where(neonate, -np.inf, 0.04 * age + rng.gumbel(size=n))
    n_af = min(math.ceil(AF_SHARE * n - 1e-9), int((~neonate).sum()))
    rhythm[np.argsort(-score, kind="stable")[:n_af]] = "af"
    rhythm[neonate] = "sinus"
    return rhythm


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
