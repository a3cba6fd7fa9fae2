"""Labels, outcomes and histories of four hundred random patients, worked out once more one row at a time.

The rules are written here a second time, with Python's own dates and sets and without a table: stays that overlap, lie
one in another, follow within hours or end before they begin; deaths with and without an hour; index times anywhere.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.features import clinical_features
from ecgppg.clinical.labels import label_rows
from ecgppg.clinical.leakage import check_leakage
from ecgppg.clinical.mortality import hours_to_death
from ecgppg.clinical.tables import read_tables
from tests.clinical_folder import write_folder

DEFINITIONS = load_definitions()
EPOCH, UNKNOWN = datetime(1970, 1, 1), np.iinfo(np.int64).min
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CODES = ["43491", "431", "43310", "4359", "438", "V1254", "42731", "4271", "4019", "4280", "25000", "486"]
RULES = {
    "stroke": lambda c: c in ("431", "43491"),
    "stroke_broad": lambda c: c.startswith("43"),
    "stroke_history": lambda c: c in ("438", "V1254"),
    "tia": lambda c: c == "4359",
    "af": lambda c: c == "42731",
    "arrhythmia": lambda c: c.startswith("427"),
}


def us(when):
    return (when - EPOCH) // timedelta(microseconds=1)


def draw(rng):
    """(patients, stays): {subject: (born, died on)}, and one dict a stay, in the order of patient and time."""
    patients, stays = {}, []
    for subject in range(1, 401):
        begins = datetime(2110, 1, 1) + int(rng.integers(0, 20_000)) * DAY
        own = []
        for _ in range(int(rng.choice([1, 2, 3, 5], p=[0.4, 0.3, 0.2, 0.1]))):
            came = begins + int(rng.choice([0, 5, 40, 300, 9000], p=[0.1, 0.2, 0.3, 0.2, 0.2])) * HOUR
            came += int(rng.integers(0, 24 * 60)) * timedelta(minutes=1)
            left = came + int(rng.integers(-5, 400)) * HOUR
            own.append({"subject": subject, "came": came, "left": left, "died": None})
            begins = max(begins, left)
        own.sort(key=lambda stay: stay["came"])
        dies = rng.random()
        if dies < 0.2:
            last = own[-1]
            last["died"] = last["left"] = max(last["left"], last["came"]) + HOUR
            died_on = last["died"].replace(hour=0, minute=0)
        else:
            died_on = (
                None if dies < 0.5 else (own[-1]["left"] + int(rng.integers(0, 500)) * DAY).replace(hour=0, minute=0)
            )
        patients[subject] = (datetime(2050, 1, 1) + int(rng.integers(0, 9000)) * DAY, died_on)
        for stay in own:
            stay["hadm"], stay["carevue"] = 1000 + len(stays), bool(rng.random() < 0.5)
            some = rng.choice(CODES, int(rng.integers(1, 5)), replace=False, p=[0.04] * 6 + [0.76 / 6] * 6)
            stay["codes"] = set(some.tolist()) if rng.random() < 0.9 else set()
            stays.append(stay)
    return patients, stays


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """(tables, patients, stays, rows): rows are (stay, time), two a stay, from a day before it to a day after."""
    rng = np.random.default_rng(44)
    patients, stays = draw(rng)
    folder = write_folder(
        tmp_path_factory.mktemp("random"),
        PATIENTS=[(s, "F", f"{born}", "" if died is None else f"{died}") for s, (born, died) in patients.items()],
        ADMISSIONS=[
            (s["subject"], s["hadm"], f"{s['came']}", f"{s['left']}", "" if s["died"] is None else f"{s['died']}",
             "URGENT", int(s["died"] is not None))
            for s in stays
        ],
        DIAGNOSES_ICD=[(s["subject"], s["hadm"], i, c) for s in stays for i, c in enumerate(sorted(s["codes"]), 1)],
        ICUSTAYS=[
            (s["subject"], s["hadm"], s["hadm"], "carevue" if s["carevue"] else "metavision", "CCU", f"{s['came']}",
             f"{s['left']}")
            for s in stays
        ],
        PRESCRIPTIONS=[],
    )  # fmt: skip
    rows = []
    for stay in stays:
        minutes = max(int((stay["left"] - stay["came"]) / timedelta(minutes=1)), 0)
        for at in rng.integers(-24 * 60, minutes + 24 * 60, 2).tolist():
            rows.append((stay, stay["came"] + at * timedelta(minutes=1)))
    return read_tables(folder), patients, stays, rows


def arrays(rows):
    columns = zip(*((stay["subject"], stay["hadm"], us(at)) for stay, at in rows), strict=True)
    return tuple(np.array(column) for column in columns)


def coded(stays, rule):
    """1 if any stay has such a code, 0 if none of those with codes has, -1 without codes."""
    with_codes = [stay["codes"] for stay in stays if stay["codes"]]
    return int(any(rule(code) for codes in with_codes for code in codes)) if with_codes else -1


def over(stay):
    return max(stay["left"], stay["came"])


def test_codes_of_this_an_earlier_and_a_later_stay(drawn):
    tables, _, stays, rows = drawn
    found = label_rows(tables, DEFINITIONS, *arrays(rows))
    seen = set()
    for i, (stay, _) in enumerate(rows):
        own = [s for s in stays if s["subject"] == stay["subject"]]
        before = [s for s in own if (s["came"], s["hadm"]) < (stay["came"], stay["hadm"])]
        after = [s for s in own if (s["came"], s["hadm"]) > (stay["came"], stay["hadm"])]
        for name, rule in RULES.items():
            expected = [coded(group, rule) for group in ([stay], before, after)]
            assert [found[f"{name}_{when}"][i] for when in ("this", "before", "after")] == expected
            seen.update((name, value) for value in expected)
    assert seen == {(name, value) for name in RULES for value in (-1, 0, 1)}


def test_deaths_as_far_as_they_are_followed_and_not_after_they_came(drawn):
    tables, patients, stays, rows = drawn
    found = label_rows(tables, DEFINITIONS, *arrays(rows))
    hours = hours_to_death(tables, *arrays(rows)[1:])
    seen = set()
    for i, (stay, at) in enumerate(rows):
        died_on = patients[stay["subject"]][1]
        hour = next((s["died"] for s in stays if s["subject"] == stay["subject"] and s["died"]), None)
        dead = (died_on is not None and at.date() > died_on.date()) or (hour is not None and at > hour)
        followed = over(stay).date() + (365 if stay["carevue"] else 90) * DAY
        for name, days in (("death_90d", 90), ("death_1y", 365)):
            until = at.date() + days * DAY
            known = not dead and until <= followed
            expected = int(died_on is not None and died_on.date() <= until) if known else -1
            assert found[name][i] == expected, (stay, at)
            seen.add((name, expected))
        assert found["death_hospital"][i] == int(stay["died"] is not None)
        if stay["died"] is None or at > stay["died"]:
            assert np.isnan(hours[i])
        else:
            assert hours[i] == pytest.approx((stay["died"] - at) / HOUR, rel=1e-5)
        seen.add(("after death", dead))
    assert len(seen) == 8


def test_outcomes_and_histories_of_a_row(drawn):
    tables, _, stays, rows = drawn
    rows = rows[::2]  # one a stay
    table = clinical_features(
        tables,
        DEFINITIONS,
        pd.DataFrame(dict(zip(("subject_id", "hadm_id", "index_time_us"), arrays(rows), strict=True))),
    )
    check_leakage(table)
    told = {"detection": set(), "prediction": set(), "n": set()}
    for (stay, at), row in zip(rows, table.to_dict("records"), strict=True):
        others = [s for s in stays if s["subject"] == stay["subject"] and s is not stay]
        past = [s for s in others if over(s) <= at]
        codes = set().union(*(s["codes"] for s in past))
        assert row["f_n_prior_admissions"] == len(past)
        assert row["f_prior_stroke"] == any(RULES["stroke"](c) or RULES["stroke_history"](c) for c in codes)
        assert row["f_prior_af"] == row["f_elix_arrhythmia"] - ("4271" in codes and "42731" not in codes)
        assert row["known_f_elix"] == (max(us(over(s)) for s in past) if past else us(at))
        assert row["y_stroke_detection"] == coded([stay], RULES["stroke"])
        assert row["known_y_stroke_detection"] == (us(over(stay)) if stay["codes"] else UNKNOWN)

        so_far = [stay, *(s for s in others if s["came"] <= at)]
        later = [s for s in others if s["came"] > at and s["codes"]]
        had = any(RULES["stroke"](c) or RULES["stroke_history"](c) for s in so_far for c in s["codes"])
        expected = -1 if had or not stay["codes"] else coded(later, RULES["stroke"])
        assert row["y_stroke_prediction"] == expected
        cases = [over(s) for s in later if expected == 1 and coded([s], RULES["stroke"]) == 1]
        when = UNKNOWN if expected == -1 else us(min(cases)) if cases else us(max(map(over, later)))
        assert row["known_y_stroke_prediction"] == when
        told["detection"].add(row["y_stroke_detection"])
        told["prediction"].add(expected)
        told["n"].add(len(past))
    assert told["detection"] == told["prediction"] == {-1, 0, 1}
    assert {0, 1, 2} <= told["n"]
    for name in ("detection", "prediction"):
        chosen = table[table["first_eligible" if name == "detection" else "first_eligible_prediction"]]
        may = table[(table[f"y_stroke_{name}"] >= 0) & (table[f"known_y_stroke_{name}"] > table["index_time_us"])]
        earliest = may.loc[may.groupby("subject_id")["index_time_us"].idxmin()]
        assert chosen["subject_id"].is_unique
        assert sorted(chosen["hadm_id"]) == sorted(earliest["hadm_id"])
