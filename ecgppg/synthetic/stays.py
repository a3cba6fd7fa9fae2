"""When each person was in hospital, and when they were recorded: admissions, ICU stays, record placement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

PLACEMENTS = {
    "inside": "inside",
    "before_3h": "within_6h",
    "after_4h": "within_6h",
    "before_9h": "within_12h",
    "weeks_away": "none",
    "years_off": "none",
}
"""How a record lies to its admission, and the link grade that its start deserves."""
LONGEST_RECORD_MINUTES = 150.0
"""Above this a record three hours before an admission would reach into it."""


@dataclass(frozen=True)
class Admission:
    """One hospital admission with one ICU stay; `role` is "prior", "index" (the recorded one) or "later"."""

    role: str
    hadm_id: int
    icustay_id: int
    admittime: datetime
    dischtime: datetime
    intime: datetime
    outtime: datetime
    died: bool


@dataclass(frozen=True)
class Course:
    """A person's dates.

    Parameters
    ----------
    dob : datetime
        As the tables give it: 300 years before the first admission for those over 89.
    over_89 : bool
    dod : datetime or None
        Known day of death; None too where the follow-up of the newer system ended before it.
    dbsource : str
        "carevue" or "metavision".
    admissions : tuple of Admission
        In order of time.
    """

    dob: datetime
    over_89: bool
    dod: datetime | None
    dbsource: str
    admissions: tuple[Admission, ...]

    @property
    def index(self) -> Admission:
        """The admission that is recorded."""
        return next(a for a in self.admissions if a.role == "index")


@dataclass(frozen=True)
class Placement:
    """Start of a record, how it lies to the index admission, and the admission a linkage should find (-1: none)."""

    case: str
    start: datetime
    expected_grade: str
    expected_hadm_id: int


def draw_course(person: dict[str, Any], number: int, rng: np.random.Generator) -> Course:
    """Draw the dates of one person.

    Parameters
    ----------
    person : dict
        A row of `people.simulate_people`.
    number : int
        Position in the cohort: makes admission numbers unique.
    rng : numpy Generator
        Of the person.
    """
    admit = datetime(int(rng.integers(2112, 2186)), 1, 1) + timedelta(minutes=int(rng.integers(365 * 1440)))
    spans = [("index", admit)]
    if person["prior_stroke"] or (not person["neonate"] and rng.random() < 0.12):
        spans.insert(0, ("prior", admit - timedelta(days=int(rng.integers(90, 900)), minutes=int(rng.integers(1440)))))
    if person["stroke_when"] == "later" or (not person["neonate"] and rng.random() < 0.2):
        spans.append(("later", admit + timedelta(days=int(rng.integers(60, 700)), minutes=int(rng.integers(1440)))))
    admissions = []
    for k, (role, start) in enumerate(spans):
        dies = k == len(spans) - 1 and person["death_where"] == "hospital"
        intime = start + timedelta(minutes=int(rng.integers(2, 600)))
        outtime = intime + timedelta(days=float(np.clip(rng.lognormal(np.log(3.2), 0.5), 2.1, 14)))
        disch = outtime if dies else outtime + timedelta(days=float(rng.uniform(0.2, 8)))
        intime, outtime, disch = (t.replace(microsecond=0) for t in (intime, outtime, disch))
        ids = 100_001 + 3 * number + k, 200_001 + 3 * number + k
        admissions.append(Admission(role, *ids, start, disch, intime, outtime, dies))
    dbsource = "carevue" if rng.random() < 0.55 else "metavision"
    last = admissions[-1]
    dod = None
    if person["death_where"] == "hospital":
        dod = last.dischtime
    elif person["death_where"] == "home":
        days = float(np.clip(rng.exponential(120), 1, 360))
        # The newer system's follow-up ends 90 days after discharge: later deaths are not in its tables.
        dod = last.dischtime + timedelta(days=days) if dbsource == "carevue" or days <= 90 else None
    return Course(*_birth(person, admissions, rng), dod, dbsource, tuple(admissions))


def place_records(course: Course, minutes: float, number: int, rng: np.random.Generator) -> list[Placement]:
    """Start times of one to three records of a person, about four in five inside the index admission.

    Parameters
    ----------
    course : Course
    minutes : float
        Length of a record, at most `LONGEST_RECORD_MINUTES`.
    number : int
        Position in the cohort: decides which records lie outside, and the ways of doing so take turns.
    rng : numpy Generator

    Returns
    -------
    list of Placement
        No two overlap.
    """
    index, out, used = course.index, [], {"inside"}
    for r in range(int(rng.choice([1, 2, 3], p=[0.55, 0.30, 0.15]))):
        case = "inside"
        # Golden-ratio steps instead of a draw: a small cohort too has one in five outside.
        if (0.618034 * (3 * number + r)) % 1 >= 0.8:
            left = [c for c in PLACEMENTS if c not in used and not (index.died and c == "after_4h")]
            case = left[(number + r) % len(left)]
            used.add(case)
        start = {
            "inside": index.intime + timedelta(hours=1, minutes=r * (minutes + 120)),
            "before_3h": index.admittime - timedelta(hours=3),
            "before_9h": index.admittime - timedelta(hours=9),
            "after_4h": index.dischtime + timedelta(hours=4),
            "weeks_away": index.admittime - timedelta(days=21),
            "years_off": index.admittime - timedelta(days=365 * 8 + 3),
        }[case]
        # Seconds of its own: the name of a record holds minutes only.
        start += timedelta(seconds=int(rng.integers(60)), milliseconds=int(rng.integers(1000)))
        grade = PLACEMENTS[case]
        out.append(Placement(case, start, grade, index.hadm_id if grade != "none" else -1))
    return out


def place_extra(course: Course, k: int) -> Placement:
    """Start of the k-th extra record (k < 8) of a person, late in the ICU stay, away from all others."""
    start = course.index.intime + timedelta(hours=25 + 3 * k, seconds=7)
    return Placement("inside", start, "inside", course.index.hadm_id)


def _birth(person: dict[str, Any], admissions: list[Admission], rng: np.random.Generator) -> tuple[datetime, bool]:
    index = next(a for a in admissions if a.role == "index")
    first, last = admissions[0].admittime, admissions[-1].admittime
    if person["neonate"]:
        return first.replace(hour=0, minute=0), False
    born = index.admittime - timedelta(days=365.2425 * person["age_years"] + float(rng.random()))
    over_89 = (last - born).days / 365.2425 >= 90
    born = first.replace(year=first.year - 300, day=min(first.day, 28)) if over_89 else born
    return born.replace(hour=0, minute=0, second=0, microsecond=0), over_89
