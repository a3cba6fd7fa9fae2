"""Results of an evaluation as `ecgppg evaluate` writes them, with made-up numbers."""

from pathlib import Path
from typing import Any

from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import write_json


def sample_results(question: str = "label_x = A against the rest") -> dict[str, Any]:
    def row(method: str, measure: str, estimate: float, **more: Any) -> dict[str, Any]:
        interval = {"estimate": estimate, "low": estimate - 0.01, "high": estimate + 0.01}
        return {"method": method, "measure": measure, **interval, "n_patients": 120, **more}

    return {
        "question": question,
        "caution": None,
        "trained": "one encoder a fold",
        "n_windows": 400,
        "n_recordings": 130,
        "n_patients": 120,
        "n_patients_with": 7,
        "outer_folds": 5,
        "excluded": {"patients": 0, "windows": 0},
        "results": [row("embedding, linear", "AUROC", 0.913, seeds=[0.912, 0.914]), row("hand-made", "AUROC", 0.927)],
        "differences": [row("", "AUROC", -0.014, a="embedding, linear", b="hand-made")],
        "few_labels": [],
        "knows": [row("embedding", "R2 of heart rate", 0.88, chance=0.0, n_windows=390)],
    }


def write_sample(layout: OutputLayout, name: str = "af") -> Path:
    path = layout.root / "evaluation" / name / "results.json"
    write_json(path, sample_results())
    return path
