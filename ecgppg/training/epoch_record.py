"""What an epoch measured: the row of metrics.jsonl, and the line of the log."""

import math
from typing import Any

from ecgppg.training.validation import Validation

_IN_LINE = {
    "train_loss": "loss", "val_loss": "validation", "effective_rank": "effective rank", "embedding_std": "embedding sd",
    "alignment": "alignment", "uniformity": "uniformity", "segments_per_s": "segments/s",
}  # fmt: skip


def epoch_row(
    epoch: int,
    step: int,
    train: dict[str, float | None],
    result: Validation | None,
    skipped_steps: int,
    temperature: float | None,
) -> dict[str, Any]:
    """One epoch as a row; None where there is no finite number.

    Parameters
    ----------
    epoch, step : int
        Finished ones.
    train : dict
        train_loss, lr, grad_norm, segments_per_s.
    result : Validation or None
        None where there are no windows to validate on.
    skipped_steps : int
        Steps of the epoch that changed nothing, since loss or gradient was not finite.
    temperature : float or None
        Where it is learnt.
    """
    measured = {
        name: _finite(getattr(result, name)) if result else None
        for name in ("embedding_std", "effective_rank", "alignment", "uniformity")
    }
    row = {
        "epoch": epoch,
        "step": step,
        "train_loss": train["train_loss"],
        "val_loss": _finite(result.loss) if result else None,
        "lr": train["lr"],
        "grad_norm": train["grad_norm"],
        "segments_per_s": train["segments_per_s"],
        **measured,
        "skipped_steps": skipped_steps,
    }
    if result and len(result.terms) > 1:
        row |= {f"val_{name}": _finite(loss) for name, loss in result.terms.items()}
    if result and math.isfinite(result.ecg_ppg_alignment):
        row["ecg_ppg_alignment"] = result.ecg_ppg_alignment
    if temperature is not None:
        row["temperature"] = temperature
    return row


def epoch_line(row: dict[str, Any], num_epochs: int, is_best: bool) -> str:
    """The row for people."""
    facts = [f"{words} {_short(row[name])}" for name, words in _IN_LINE.items()]
    if row["skipped_steps"]:
        facts.append(f"{row['skipped_steps']} steps skipped")
    return f"epoch {row['epoch']} of {num_epochs}: {', '.join(facts)}{' (best)' if is_best else ''}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"
