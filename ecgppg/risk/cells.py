"""Counts of patients as people may see them: small cells are hidden, and not given away by subtraction."""

from collections.abc import Sequence

from ecgppg.risk.cohort import Step


def shown_count(n: int, least: int) -> str:
    """A count of patients, or "<least" where it is small but not zero."""
    return f"<{least}" if 0 < n < least else f"{n:,}"


def shown_cohort(n_patients: int, n_events: int, least: int) -> tuple[str, str]:
    """Patients and events; the patients too are hidden where those without the event are few."""
    few_without = 0 < n_patients - n_events < least
    return ("hidden" if few_without else shown_count(n_patients, least)), shown_count(n_events, least)


def shown_steps(steps: Sequence[Step], least: int) -> list[tuple[str, str, str]]:
    """Attrition rows (reason, patients left out, patients remaining) without a small cell.

    The remaining count is shown at the start and the end only, where nothing small can be had by subtraction: if the
    hidden steps together are still small, the start is hidden too.
    """
    hidden = [s.n_patients for s in steps[1:] if 0 < s.n_patients < least]
    rows = []
    for i, step in enumerate(steps):
        derivable = bool(hidden) and (len(hidden) == 1 or sum(hidden) < least)
        if i == 0:
            rows.append((step.reason, "", "hidden" if derivable else shown_count(step.n_remaining, least)))
            continue
        last = i == len(steps) - 1
        remaining = shown_count(step.n_remaining, least) if last or not hidden else ""
        rows.append((step.reason, shown_count(step.n_patients, least), remaining))
    return rows
