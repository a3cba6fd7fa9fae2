"""What the embedding knows beside the answer: rate, irregularity, and whose recording it is."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ecgppg.evaluation.intervals import number_or_none
from ecgppg.evaluation.knows import readout, same_recording
from ecgppg.stages.evaluate_compare import Compared
from ecgppg.stages.evaluate_material import Material
from ecgppg.store.reader import SegmentDataset

READ = (("heart_rate_bpm", "heart rate", "bpm"), ("rr_cv", "RR coefficient of variation", ""))


def what_it_knows(dataset: SegmentDataset, material: Material, compared: Compared, seed: int) -> list[dict[str, Any]]:
    """Rows of `method`, `measure`, `estimate`, `low`, `high`, `n_patients`, over single windows of unseen patients."""
    rows: list[dict[str, Any]] = []
    for method, x_F in (("embedding", compared.embedding_F), ("untrained encoder", compared.untrained_S[0])):
        rows += _read(dataset, material, method, list(x_F) * (material.n_folds if len(x_F) == 1 else 1), seed)
    return rows


def _read(
    dataset: SegmentDataset, material: Material, method: str, x_F: Sequence[np.ndarray], seed: int
) -> list[dict[str, Any]]:
    subject_id_N, row_N = material.windows.subject_id_N, material.windows.row_N
    rows = []
    for column, words, unit in READ:
        target_N = dataset.column(column)[row_N].astype(np.float64)
        found = readout(x_F, target_N, subject_id_N, material.fold_N, seed)
        error = f"mean absolute error of {words}{f', {unit}' if unit else ''}"
        rows.append({"method": method, "measure": f"R2 of {words}", **found.r2.to_json(), "n_windows": found.n_windows})
        rows.append(
            {"method": method, "measure": error, **found.mean_absolute_error.to_json(), "n_windows": found.n_windows}
        )
    same = same_recording(x_F, material.record_N, subject_id_N, material.fold_N, seed)
    rows.append(
        {
            "method": method, "measure": "nearest other window is of the same recording", **same.top_1.to_json(),
            "chance": number_or_none(same.chance), "n_windows": same.n_windows,
        }
    )  # fmt: skip
    return rows
