"""The results of an evaluation as a page of Markdown: every number with its interval and its count of patients.

Results are plain values, as `results.json` holds them:

question, caution, trained : str
    What was asked, what to know of the label, whose encoders answered. `caution` may be None.
n_windows, n_recordings, n_patients, n_patients_with, outer_folds : int
    Whom it rests on; n_patients_with only where a label was asked.
choices : list of dict or None
    `fold`, `candidate` and `changes`: with what settings each fold's encoder was trained, where each chose its own.
excluded : dict
    `patients` and `windows` that an encoder had met.
results, differences, few_labels, knows : list of dict
    Rows of `method`, `measure`, `estimate`, `low`, `high`, `n_patients` (None where undefined), and `seeds` (AUROC of
    each seed), `a` and `b` (what a difference is of), `n_labels`, `draws` (AUROC of each draw), `chance`, `n_windows`
    where they apply.
"""

from collections.abc import Sequence
from typing import Any

MINUS = "−"
Row = dict[str, Any]


def markdown(results: dict[str, Any], figures: Sequence[tuple[str, str]] = (), least: int = 1) -> str:
    """Write the page.

    Parameters
    ----------
    results : dict
        See the top of the file; an absent list is an empty one.
    figures : sequence of (file name, caption)
        Images beside the page.
    least : int
        Counts of patients above 0 and under this are hidden.

    Returns
    -------
    str
    """
    parts = [f"# {results['question']}", _who(results, least)]
    if results.get("caution"):
        parts.append(f"**Caution.** {results['caution']}.")
    sections = (
        ("Beside one another", _methods(results.get("results") or [])),
        ("Differences on the same patients", _differences(results.get("differences") or [])),
        ("Few labels", _few_labels(results.get("few_labels") or [])),
        ("What it knows beside the answer", _knows(results.get("knows") or [])),
    )
    for heading, lines in sections:
        if lines:
            parts += [f"## {heading}", "\n".join(lines)]
    parts += [f"![{caption}]({name})" for name, caption in figures]
    return "\n\n".join(parts) + "\n"


def interval_text(row: Row, sign: bool = False) -> str:
    """An estimate and its interval, as people write it; `sign` puts a plus before what is above 0."""
    if row["estimate"] is None:
        return "not defined"
    form = f"{'+' if sign else ''}.{3 if abs(row['estimate']) < 2 else 1}f"
    # Adding 0.0 after rounding: no number is minus zero.
    estimate, low, high = (
        None if row[name] is None else format(round(row[name], 3) + 0.0, form) for name in ("estimate", "low", "high")
    )
    interval = "(no interval)" if low is None or high is None else f"({low} to {high})"
    return f"{estimate} {interval}".replace("-", MINUS)


def shown(n: int, least: int) -> str:
    """A count of patients for people."""
    return f"{n:,}" if n == 0 or n >= least else f"fewer than {least}"


def _who(results: dict[str, Any], least: int) -> str:
    words = (
        f"{results['n_recordings']:,} recordings ({results['n_windows']:,} windows) of "
        f"{shown(results['n_patients'], least)} patients"
    )
    if "n_patients_with" in results:
        words += f", {shown(results['n_patients_with'], least)} with the label"
    words += f"; {results['outer_folds']} outer folds by patient; {results['trained']}."
    if results.get("choices"):
        chosen = "; ".join(f"fold {choice['fold'] + 1}: {choice['candidate']}" for choice in results["choices"])
        words += f" Settings of each fold's encoder were chosen without the fold: {chosen}."
    met = results.get("excluded") or {"patients": 0}
    if met["patients"]:
        words += f" {shown(met['patients'], least)} patients whom the encoder has met are left out."
    return words + " Intervals are of 95 %, over patients."


def _methods(rows: Sequence[Row]) -> list[str]:
    cells = []
    for row in rows:
        seeds = [value for value in row.get("seeds") or [] if value is not None]
        spread = f"{len(seeds)}: {min(seeds):.3f} to {max(seeds):.3f}" if len(seeds) > 1 else "1" if seeds else ""
        cells.append((row["method"], row["measure"], interval_text(row), spread, f"{row['n_patients']:,}"))
    return table(("method", "measure", "estimate (interval)", "seeds: range", "patients"), cells)


def _differences(rows: Sequence[Row]) -> list[str]:
    cells = [
        (row["a"], row["b"], f"{row.get('n_labels', 'all')}", interval_text(row, sign=True), f"{row['n_patients']:,}")
        for row in rows
    ]
    return table(("AUROC of", "less that of", "labels", "difference (interval)", "patients"), cells)


def _few_labels(rows: Sequence[Row]) -> list[str]:
    sizes = sorted({row["n_labels"] for row in rows})
    cells = []
    for method in dict.fromkeys(row["method"] for row in rows):
        at = {row["n_labels"]: row for row in rows if row["method"] == method}
        n_draws = max(len(row.get("draws") or []) for row in at.values())
        cells.append((method, f"{n_draws}", *(interval_text(at[n]) if n in at else "" for n in sizes)))
    return table(("AUROC with so many labels", "draws", *(f"{n}" for n in sizes)), cells)


def _knows(rows: Sequence[Row]) -> list[str]:
    cells = [
        (
            row["measure"],
            row["method"],
            interval_text(row),
            f"{row['chance']:.3f}" if row.get("chance") is not None else "",
            f"{row['n_windows']:,}",
            f"{row['n_patients']:,}",
        )
        for row in rows
    ]
    return table(("measure", "representation", "estimate (interval)", "by chance", "windows", "patients"), cells)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; none where it would have no rows."""
    if not rows:
        return []
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    # A bar in a name would open a column of its own.
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
