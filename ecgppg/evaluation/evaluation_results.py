"""What an evaluation found, in one value that tables, figures and programs read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ecgppg.evaluation.intervals import Interval, number_or_none
from ecgppg.evaluation.knows import Knowledge, Retrieval

Kind = Literal["pretrained", "joined", "hand_made", "untrained", "supervised"]
"""What stands behind a prediction; it gives the colour."""
ITSELF = "itself"
"""What predicts where a network needs no probe."""


@dataclass(frozen=True)
class Method:
    """One representation with one probe, or a network that predicts by itself.

    Attributes
    ----------
    name : str
        Representation.
    by : str
        What predicts from it: "logistic regression", "nearest neighbours", or `ITSELF`.
    kind : Kind
    auroc : Interval
        Over patients.
    auroc_S : sequence of float
        Of each seed.
    """

    name: str
    by: str
    kind: Kind
    auroc: Interval
    auroc_S: Sequence[float]

    @property
    def title(self) -> str:
        """Name and probe."""
        return self.name if self.by == ITSELF else f"{self.name}, {self.by}"


@dataclass(frozen=True)
class Comparison:
    """AUROC of one method less that of another, on the same drawn patients."""

    better: str
    than: str
    difference: Interval
    n_labels: int | None = None
    """Labels that both were given; None: all."""


@dataclass(frozen=True)
class Curve:
    """AUROC of one method by number of labels.

    Attributes
    ----------
    name : str
    kind : Kind
    n_draws : int
        Draws of labels behind each point.
    points : sequence of (int, Interval)
        Labels, and the AUROC with its interval over draws and patients.
    """

    name: str
    kind: Kind
    n_draws: int
    points: Sequence[tuple[int, Interval]]


@dataclass(frozen=True)
class Readout:
    """A quantity read off a representation by ridge regression."""

    name: str
    quantity: str
    unit: str
    knowledge: Knowledge


@dataclass(frozen=True)
class Identity:
    """How well a representation finds a recording again."""

    name: str
    retrieval: Retrieval


@dataclass(frozen=True)
class Results:
    """All of an evaluation.

    Attributes
    ----------
    question : str
        In words: what is told from what.
    n_units, n_units_with : int
        Recordings, and those with label 1; 0 where no label was asked.
    n_patients, n_patients_with : int
        Their patients.
    n_folds, n_bootstrap : int
        Outer folds; draws of patients behind an interval.
    methods, comparisons, curves, readouts, identities
        See their classes.
    notes : sequence of str
        Sentences that a reader must know.
    """

    question: str
    n_units: int
    n_units_with: int
    n_patients: int
    n_patients_with: int
    n_folds: int
    n_bootstrap: int
    methods: Sequence[Method] = ()
    comparisons: Sequence[Comparison] = ()
    curves: Sequence[Curve] = ()
    readouts: Sequence[Readout] = ()
    identities: Sequence[Identity] = ()
    notes: Sequence[str] = ()


def to_json(results: Results, least: int = 1) -> dict[str, Any]:
    """Plain values for `json`; None for NaN and for a count of patients above 0 and under `least`."""
    return {
        "question": results.question,
        "n_units": results.n_units,
        "n_units_with": shown_count(results.n_units_with, least),
        "n_patients": shown_count(results.n_patients, least),
        "n_patients_with": shown_count(results.n_patients_with, least),
        "n_folds": results.n_folds,
        "n_bootstrap": results.n_bootstrap,
        "methods": [
            {"name": m.name, "by": m.by, "kind": m.kind, "auroc": m.auroc.to_json(),
             "auroc_by_seed": [number_or_none(a) for a in m.auroc_S]}
            for m in results.methods
        ],
        "comparisons": [
            {"better": c.better, "than": c.than, "n_labels": c.n_labels, "difference": c.difference.to_json()}
            for c in results.comparisons
        ],
        "few_label_curves": [
            {"name": c.name, "kind": c.kind, "n_draws": c.n_draws,
             "points": [{"n_labels": n, "auroc": auroc.to_json()} for n, auroc in c.points]}
            for c in results.curves
        ],
        "readouts": [
            {"name": r.name, "quantity": r.quantity, "unit": r.unit, "n_windows": r.knowledge.n_windows,
             "r2": r.knowledge.r2.to_json(), "mean_absolute_error": r.knowledge.mean_absolute_error.to_json()}
            for r in results.readouts
        ],
        "same_recording": [
            {"name": i.name, "n_windows": i.retrieval.n_windows, "chance": number_or_none(i.retrieval.chance),
             "top_1": i.retrieval.top_1.to_json()}
            for i in results.identities
        ],
        "notes": list(results.notes),
    }  # fmt: skip


def shown_count(n: int, least: int) -> int | None:
    """The count, None where it is above 0 and under `least`."""
    return n if n == 0 or n >= least else None
