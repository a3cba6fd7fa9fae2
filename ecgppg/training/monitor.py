"""What each epoch measured: one line of metrics.jsonl, and the same rows for TensorBoard."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ecgppg.core.files import write_text


class Monitor:
    """Rows of metrics, each epoch once, however often training was interrupted.

    Parameters
    ----------
    metrics : Path
        metrics.jsonl; rows after `epoch` are cut off, since those epochs are run again.
    tensorboard : Path
        Folder that is rewritten from the rows that stay.
    epoch : int
        Finished epochs.
    """

    def __init__(self, metrics: Path, tensorboard: Path, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.metrics = metrics
        rows = [row for row in read_metrics(metrics) if row["epoch"] <= epoch]
        write_text(metrics, "".join(json.dumps(row) + "\n" for row in rows))
        shutil.rmtree(tensorboard, ignore_errors=True)
        self._writer = SummaryWriter(str(tensorboard))
        for row in rows:
            self._draw(row)

    def add(self, row: dict[str, Any]) -> None:
        """Append one epoch: `epoch`, `step`, and measures that are numbers, or None where there is none."""
        with open(self.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._draw(row)

    def close(self) -> None:
        """Write out what TensorBoard still buffers."""
        self._writer.close()

    def _draw(self, row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name not in ("epoch", "step") and value is not None:
                self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of metrics.jsonl; a last line that a kill cut short is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            rows.append(row)
    return rows
