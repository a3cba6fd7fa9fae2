"""An evaluation nobody ran, with every part that a page or a figure shows."""

import numpy as np

from ecgppg.evaluation.evaluation_results import Comparison, Curve, Identity, Kind, Method, Readout, Results
from ecgppg.evaluation.intervals import Interval
from ecgppg.evaluation.knows import Knowledge, Retrieval


def interval(estimate: float, half: float, n_patients: int = 400) -> Interval:
    return Interval(estimate, estimate - half, estimate + half, n_patients)


def made_up_results() -> Results:
    def method(name: str, by: str, kind: Kind, at: float) -> Method:
        return Method(name, by, kind, interval(at, 0.022), (at - 0.004, at, at + 0.004))

    def curve(name: str, kind: Kind, start: float, end: float) -> Curve:
        sizes = (10, 20, 40, 80, 160)
        at = np.linspace(start, end, len(sizes))
        points = [(n, interval(a, 0.06 - 0.008 * i)) for i, (n, a) in enumerate(zip(sizes, at, strict=True))]
        return Curve(name, kind, 10, points)

    return Results(
        question="rhythm = A against the rest",
        n_units=812,
        n_units_with=104,
        n_patients=400,
        n_patients_with=96,
        n_folds=5,
        n_bootstrap=2000,
        methods=[
            method("untrained encoder", "logistic regression", "untrained", 0.785),
            method("embedding", "logistic regression", "pretrained", 0.925),
            method("embedding", "nearest neighbours", "pretrained", 0.902),
            method("hand-made", "logistic regression", "hand_made", 0.927),
            method("hand-made", "boosted trees", "hand_made", 0.932),
            method("embedding + hand-made", "stacked", "joined", 0.950),
            Method("supervised network", "itself", "supervised", interval(0.947, 0.02), (0.947,)),
        ],
        comparisons=[
            Comparison("embedding", "untrained encoder", interval(0.14, 0.03)),
            Comparison("embedding + hand-made", "hand-made", interval(0.023, 0.015)),
            Comparison("embedding", "supervised network", interval(-0.012, 0.018)),
            Comparison("embedding", "network from scratch", interval(0.09, 0.05), 40),
        ],
        curves=[
            curve("embedding", "pretrained", 0.74, 0.91),
            curve("hand-made", "hand_made", 0.78, 0.92),
            curve("network from scratch", "supervised", 0.58, 0.86),
        ],
        readouts=[
            Readout("embedding", "heart rate", "bpm", Knowledge(interval(0.88, 0.03), interval(3.4, 0.4), 4000)),
            Readout(
                "embedding",
                "RR coefficient of variation",
                "",
                Knowledge(interval(0.48, 0.05), interval(0.05, 0.01), 4000),
            ),
        ],
        identities=[Identity("embedding", Retrieval(interval(0.41, 0.04), 0.0123, 4000))],
        notes=["rhythm was read by people from the whole recording"],
    )
