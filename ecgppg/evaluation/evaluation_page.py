"""The results of an evaluation as a page of Markdown: every number with its interval and its count of patients."""

from collections.abc import Sequence

import numpy as np

from ecgppg.evaluation.evaluation_results import Results, shown_count
from ecgppg.evaluation.intervals import Interval

MINUS = "−"


def markdown(results: Results, figures: Sequence[tuple[str, str]] = (), least: int = 1) -> str:
    """Write the page.

    Parameters
    ----------
    results : Results
    figures : sequence of (file name, caption)
        Images beside the page.
    least : int
        Counts of patients above 0 and under this are hidden.

    Returns
    -------
    str
    """
    parts = [f"# {results.question}", _who(results, least)]
    parts += [f"> {note}" for note in results.notes]
    sections = (
        ("Beside one another", _methods(results)),
        ("Differences on the same patients", _comparisons(results)),
        ("Few labels", _curves(results)),
        ("What is read off", _readouts(results)),
        ("Whose recording it is", _identities(results)),
    )
    for heading, lines in sections:
        if lines:
            parts += [f"## {heading}", "\n".join(lines)]
    parts += [f"![{caption}]({name})" for name, caption in figures]
    return "\n\n".join(parts) + "\n"


def interval_text(interval: Interval, digits: int = 3, sign: bool = False) -> str:
    """An estimate and its interval, as people write it; `sign` puts a plus before what is above 0."""
    if not np.isfinite(interval.estimate):
        return "not defined"
    plus = "+" if sign else ""
    words = f"{interval.estimate:{plus}.{digits}f}"
    if np.isfinite(interval.low) and np.isfinite(interval.high):
        words += f" ({interval.low:{plus}.{digits}f} to {interval.high:{plus}.{digits}f})"
    else:
        words += " (no interval)"
    return words.replace("-", MINUS)


def _who(results: Results, least: int) -> str:
    words = f"{results.n_units:,} recordings of {shown(results.n_patients, least)} patients"
    if results.n_units_with:
        words += (
            f", {shown(results.n_units_with, least)} recordings of {shown(results.n_patients_with, least)} patients "
            "with the label"
        )
    return f"{words}; {results.n_folds} outer folds by patient. Intervals: 95 %, {results.n_bootstrap:,} draws."


def shown(n: int, least: int) -> str:
    """A count of patients for people."""
    return f"fewer than {least}" if shown_count(n, least) is None else f"{n:,}"


def _methods(results: Results) -> list[str]:
    rows = []
    for m in results.methods:
        spread = f"{len(m.auroc_S)}: {min(m.auroc_S):.3f} to {max(m.auroc_S):.3f}"
        rows.append((m.name, m.by, interval_text(m.auroc), spread if len(m.auroc_S) > 1 else "1"))
    return _table(("representation", "predicted by", "AUROC (interval)", "seeds: range"), rows)


def _comparisons(results: Results) -> list[str]:
    rows = [
        (c.better, c.than, f"{c.n_labels}" if c.n_labels else "all", interval_text(c.difference, sign=True))
        for c in results.comparisons
    ]
    return _table(("AUROC of", "less that of", "labels", "difference (interval)"), rows)


def _curves(results: Results) -> list[str]:
    sizes = sorted({n for c in results.curves for n, _ in c.points})
    rows = []
    for c in results.curves:
        at = dict(c.points)
        rows.append((c.name, f"{c.n_draws}", *(interval_text(at[n]) if n in at else "" for n in sizes)))
    return _table(("AUROC with so many labels", "draws", *(f"{n}" for n in sizes)), rows)


def _readouts(results: Results) -> list[str]:
    rows = [
        (
            r.quantity,
            r.name,
            interval_text(r.knowledge.r2, 2),
            f"{interval_text(r.knowledge.mean_absolute_error, 2)} {r.unit}".rstrip(),
            f"{r.knowledge.n_windows:,}",
        )
        for r in results.readouts
    ]
    return _table(("quantity", "representation", "R² (interval)", "mean absolute error (interval)", "rows"), rows)


def _identities(results: Results) -> list[str]:
    rows = [
        (i.name, interval_text(i.retrieval.top_1, 2), f"{i.retrieval.chance:.3f}", f"{i.retrieval.n_windows:,}")
        for i in results.identities
    ]
    return _table(("representation", "nearest window is of the same recording", "by chance", "windows"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    # A bar in a name would open a column of its own.
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
