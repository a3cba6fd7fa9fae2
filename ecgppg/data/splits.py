"""Which patients train, choose and judge: by patient, by hash, and never moved again.

The patients seen first are ranked within their stratum by a hash of (seed, subject_id) and dealt out so that train,
val and test get their shares of every stratum and, from three patients on, none is empty. Whoever comes later is
placed by comparing the same hash with the shares as thresholds, which moves nobody.

The risk reserve lies inside test: every patient with the primary outcome, with hash-drawn controls, so that no encoder
ever trains on the patients whom the risk report judges.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ecgppg.config.errors import RefusedError
from ecgppg.config.schema import SPLITS
from ecgppg.config.settings import Settings
from ecgppg.core.seeds import hash_unit

MIN_CONTROLS_PER_CASE = 5
COLUMNS = ("subject_id", "split", "stratum", "risk_reserve")


def assign_splits(patients: pd.DataFrame, settings: Settings, frozen: pd.DataFrame | None = None) -> pd.DataFrame:
    """Assign every patient to train, val or test.

    Parameters
    ----------
    patients : DataFrame
        One row a patient: subject_id, and stroke, arrhythmia, death, primary, each 1, 0 or -1 (unknown).
    settings : Settings
        seed, val_share, test_share, reserve_controls_per_case, reserve_max_share.
    frozen : DataFrame, optional
        An earlier result: its patients keep their rows, whatever has become of their labels.

    Returns
    -------
    DataFrame
        subject_id (int64), split, stratum (str), risk_reserve (bool), ordered by subject_id. `attrs["note"]` says what
        the risk reserve holds, or why it holds nothing.
    """
    if patients["subject_id"].duplicated().any():
        raise ValueError("subject_id: a patient has more than one row")
    table = patients.sort_values("subject_id").reset_index(drop=True)
    table["unit"] = [hash_unit("split", settings.seed, s) for s in table["subject_id"].tolist()]
    table["stratum"] = [
        _stratum(*row) for row in zip(table["stroke"], table["arrhythmia"], table["death"], strict=True)
    ]
    old = frozen if frozen is not None and len(frozen) else pd.DataFrame(columns=list(COLUMNS))
    new = table[~table["subject_id"].isin(old["subject_id"])].copy()
    cases = set(table.loc[table["primary"] == 1, "subject_id"])
    old_cases = len(cases & set(old.loc[old["risk_reserve"].astype(bool), "subject_id"]))
    new["risk_reserve"] = new["subject_id"].isin(_draw_reserve(new, old, old_cases, settings))
    new["split"] = "test"
    rest = new[~new["risk_reserve"]]
    if len(old):
        dealt = pd.Series([_by_threshold(u, settings) for u in rest["unit"]], index=rest.index, dtype=object)
    else:
        dealt = _deal(rest, len(new), settings)
    new.loc[rest.index, "split"] = dealt
    result = new[list(COLUMNS)] if not len(old) else pd.concat([old[list(COLUMNS)], new[list(COLUMNS)]])
    result = result.astype({"subject_id": "int64", "risk_reserve": bool}).sort_values("subject_id", ignore_index=True)
    result.attrs["note"] = _note(result, cases, settings)
    return result


def refuse_patient_in_two_splits(subject_id: np.ndarray, name: str) -> None:
    """Refuse splits in which a patient has more than one row.

    Parameters
    ----------
    subject_id : ndarray of int64 (N,)
        One row a patient, if all is well.
    name : str
        What the error calls the splits: their path.

    Raises
    ------
    RefusedError
        Names one such patient.
    """
    unique, counts = np.unique(subject_id, return_counts=True)
    if (counts > 1).any():
        raise RefusedError(f"{name}: patient {unique[counts > 1][0]} stands in it twice; a patient has one split")


def refuse_trained_on_test(splits: pd.DataFrame, trained_on: Iterable[int], name: str) -> None:
    """Refuse an encoder that knows a patient of the test split.

    Parameters
    ----------
    splits : DataFrame
        subject_id, split.
    trained_on : iterable of int
        Patients whom it was trained on or chosen by.
    name : str
        What the error calls the encoder: its path.

    Raises
    ------
    RefusedError
        Names how many patients, and one of them.
    """
    test = set(splits.loc[splits["split"] == "test", "subject_id"].tolist())
    known = test & {int(s) for s in trained_on}
    if known:
        raise RefusedError(
            f"{name}: the encoder was trained on {len(known)} patients of the test split ({min(known)} is one); "
            "train it anew (--fresh) on these splits"
        )


def _stratum(stroke: int, arrhythmia: int, death: int) -> str:
    if stroke == arrhythmia == death == -1:
        return "unlabelled"
    values = {"stroke": stroke, "arrhythmia": arrhythmia, "death": death}
    return " ".join(f"{name}={'?' if value == -1 else value}" for name, value in values.items())


def _by_threshold(unit: float, settings: Settings) -> str:
    # Val at the far end: controls of the risk reserve are those of lowest hash, and may be more than test's share.
    if unit < settings.test_share:
        return "test"
    return "val" if unit >= 1 - settings.val_share else "train"


def _deal(rest: pd.DataFrame, n_all: int, settings: Settings) -> pd.Series:
    """Deal patients out, stratum by stratum in hash order, each to the split that lies furthest behind its share.

    Shares hold within one patient in every stratum and overall; patients already in test count for test.
    """
    n_reserve = n_all - len(rest)
    wanted = np.array([0.0, settings.val_share * n_all, max(0.0, settings.test_share * n_all - n_reserve)])
    wanted[0] = max(0.0, len(rest) - wanted.sum())
    share = wanted / max(1.0, wanted.sum())
    ordered = rest.sort_values(["stratum", "unit"])
    count, split = np.zeros(3), []
    for position in range(len(ordered)):
        behind = share * (position + 1) - count
        chosen = int(np.argmax(behind))
        count[chosen] += 1
        split.append(SPLITS[chosen])
    dealt = pd.Series(split, index=ordered.index, dtype=object)
    for name, already in (("val", 0), ("test", n_reserve)):
        if n_all >= 3 and not already and not (dealt == name).any():
            spare = ordered.index[(dealt == "train").to_numpy()]
            dealt[ordered.loc[spare, "unit"].idxmin()] = name
    return dealt


def _draw_reserve(new: pd.DataFrame, old: pd.DataFrame, old_cases: int, settings: Settings) -> set[int]:
    """Which of the new patients join the risk reserve: all new cases, and controls as far as there is room."""
    cases = set(new.loc[new["primary"] == 1, "subject_id"])
    held = int(old["risk_reserve"].sum())
    n_cases = len(cases) + old_cases
    room = int(settings.reserve_max_share * (len(new) + len(old))) - n_cases
    if not n_cases or room < n_cases:
        return set()
    n_controls = min(settings.reserve_controls_per_case * n_cases, room)
    free = new[new["primary"] == 0].sort_values("unit")["subject_id"]
    return cases | set(free.head(max(0, n_controls - (held - old_cases))))


def _note(result: pd.DataFrame, cases: set[int], settings: Settings) -> str:
    """What the risk reserve holds, in one line."""
    reserve = set(result.loc[result["risk_reserve"], "subject_id"])
    n_cases, n_outside = len(reserve & cases), len(cases - reserve)
    if not cases:
        return f"no risk reserve: no patient has the primary outcome {settings.primary_outcome}"
    if not reserve:
        return (
            f"no risk reserve: {n_outside} cases among {len(result)} patients leave no room for as many controls "
            f"within {settings.reserve_max_share:.0%} of patients"
        )
    note = f"risk reserve: {n_cases} cases and {len(reserve) - n_cases} controls of {len(result)} patients"
    if len(reserve) - n_cases < MIN_CONTROLS_PER_CASE * n_cases:
        note += f"; fewer than {MIN_CONTROLS_PER_CASE} controls a case"
    return note + (f"; {n_outside} cases lie outside it: they became known, or too many, later" if n_outside else "")
