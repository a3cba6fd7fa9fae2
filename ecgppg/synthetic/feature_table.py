"""A simulated feature table with known answers: what the stroke report must find, and how much there is to find.

No waveform lies behind it. Atrial fibrillation (AF) raises the odds of stroke by a known factor and shows itself in
an irregular pulse; earlier codes know of it in less than half, so the waveform tells something the codes do not.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ecgppg.config.schema import UNKNOWN_LABEL, UNKNOWN_TIME_US

AF_ODDS_RATIO = 3.0
_DAY_US = 86_400_000_000
_START_US = 4_102_444_800_000_000  # 2100-01-01, where the dates of the real database lie

# log odds per unit, for detection and prediction alike
_EFFECTS = {
    "af": np.log(AF_ODDS_RATIO),
    "f_age_years": 0.03,
    "f_prior_hypertension": 0.25,
    "f_prior_diabetes": 0.20,
    "f_prior_heart_failure": 0.25,
    "f_prior_stroke": 0.60,
}


@dataclass(frozen=True)
class PlantedTruth:
    """What the feature table does not hold.

    Attributes
    ----------
    patients : pd.DataFrame
        One row per (subject_id, hadm_id): af (1, 0), probability_detection, probability_prediction.
    log_odds_ratios : dict
        The planted effects, per unit of `af` and of `f_` columns.
    """

    patients: pd.DataFrame
    log_odds_ratios: dict[str, float]


class SimulatedTable(NamedTuple):
    """Features and outcomes as `clinical_features.csv` has them, and the truth behind them."""

    features: pd.DataFrame
    truth: PlantedTruth


def simulate(n_patients: int = 2000, seed: int = 42) -> SimulatedTable:
    """Draw patients, their rhythm, what codes and waveform tell of it, and their strokes.

    Parameters
    ----------
    n_patients : int
        Patients; a seventh has a second admission, whose row is not eligible.
    seed : int
        Root of every draw.
    """
    rng = np.random.default_rng(seed)
    n = n_patients
    age = np.clip(rng.normal(66, 14, n), 18, 97)
    male = rng.random(n) < 0.55
    heart_failure = rng.random(n) < _sigmoid(-2.2 + 0.03 * (age - 65))
    af = rng.random(n) < _sigmoid(-2.3 + 0.05 * (age - 65) + 0.7 * heart_failure)
    f = {
        "f_age_years": np.minimum(age, 90.0).round(1),
        "f_age_over_89": (age >= 90).astype(int),
        "f_sex_male": male.astype(int),
        "f_prior_hypertension": (rng.random(n) < _sigmoid(-0.1 + 0.03 * (age - 65))).astype(int),
        "f_prior_diabetes": (rng.random(n) < 0.27).astype(int),
        "f_prior_heart_failure": heart_failure.astype(int),
        "f_prior_vascular": (rng.random(n) < 0.18).astype(int),
        "f_prior_stroke": (rng.random(n) < 0.08).astype(int),
        "f_prior_af": (af & (rng.random(n) < 0.4)).astype(int),
    }
    coded_before = np.any([values == 1 for name, values in f.items() if name.startswith("f_prior_")], axis=0)
    f["f_n_prior_admissions"] = coded_before.astype(int)
    f["f_med_anticoagulant"] = (rng.random(n) < np.where(f["f_prior_af"] == 1, 0.5, 0.06)).astype(int)
    f |= _waveform(af, rng)

    background = sum(
        _EFFECTS[name] * (f[name] - (65 if name == "f_age_years" else 0)) for name in _EFFECTS if name in f
    )
    log_odds = background + _EFFECTS["af"] * af
    probability = {"detection": _sigmoid(-2.85 + log_odds), "prediction": _sigmoid(-2.95 + log_odds)}
    y_detection = (rng.random(n) < probability["detection"]).astype(int)
    y_prediction = (rng.random(n) < probability["prediction"]).astype(int)
    # A later stroke is no first stroke where there was one before or in this admission.
    y_prediction = np.where((f["f_prior_stroke"] == 1) | (y_detection == 1), UNKNOWN_LABEL, y_prediction)

    index_time = _START_US + rng.integers(0, 36_500, n) * _DAY_US + rng.integers(1, 48, n) * 1_800_000_000
    discharge = index_time + rng.integers(1, 20, n) * _DAY_US
    later = discharge + rng.integers(30, 1500, n) * _DAY_US
    features = pd.DataFrame(
        {
            "subject_id": np.arange(1, n + 1),
            "hadm_id": 100_000 + np.arange(n),
            "index_time_us": index_time,
            "first_eligible": 1,
            **f,
            **{f"known_{name}": index_time for name in f if not name.startswith("f_wave_")},
            "known_f_wave": index_time,
            "y_stroke_detection": y_detection,
            "known_y_stroke_detection": discharge,
            "y_stroke_prediction": y_prediction,
            "known_y_stroke_prediction": np.where(y_prediction == UNKNOWN_LABEL, UNKNOWN_TIME_US, later),
        }
    )
    truth = pd.DataFrame(
        {
            "subject_id": features["subject_id"],
            "hadm_id": features["hadm_id"],
            "af": af.astype(int),
            **{f"probability_{task}": values for task, values in probability.items()},
        }
    )
    again = features.sample(n=n // 7, random_state=seed)
    second = again.assign(
        hadm_id=again["hadm_id"] + 100_000,
        index_time_us=again["index_time_us"] + 2000 * _DAY_US,
        first_eligible=0,
        y_stroke_detection=UNKNOWN_LABEL,
        y_stroke_prediction=UNKNOWN_LABEL,
        known_y_stroke_detection=UNKNOWN_TIME_US,
        known_y_stroke_prediction=UNKNOWN_TIME_US,
    )
    second_truth = truth.loc[again.index].assign(hadm_id=second["hadm_id"])
    return SimulatedTable(
        pd.concat([features, second], ignore_index=True),
        PlantedTruth(
            pd.concat([truth, second_truth], ignore_index=True),
            {name: float(effect) for name, effect in _EFFECTS.items()},
        ),
    )


def _waveform(af: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What the first day of waveform would show: AF beats irregularly and a little faster; so do some others."""
    n = af.size
    ectopy = rng.random(n) < 0.10
    typical_cv = np.where(af, 0.20, np.where(ectopy, 0.12, 0.045))
    rr_cv = typical_cv * rng.lognormal(0, 0.30, n)
    rate = np.where(af, 92, 82) + rng.normal(0, 14, n)
    unreadable = rng.random(n) < 0.02
    return {
        "f_wave_heart_rate_bpm": np.where(unreadable, np.nan, np.clip(rate, 40, 170)).round(1),
        "f_wave_rr_cv": np.where(unreadable, np.nan, rr_cv).round(4),
        "f_wave_quality": rng.beta(14, 2, n).round(3),
    }


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
