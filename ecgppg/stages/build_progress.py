"""What is said while a build goes on: patients, segments kept, bytes read, time left, and what was dropped for what."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ecgppg.config.settings import Settings
from ecgppg.core.progress import Progress, RecentRate, progress
from ecgppg.core.runlog import readable_bytes
from ecgppg.stages.plan import PlannedPatient

DROPS_SHOWN = 3


def expected_windows(patient: PlannedPatient, limit: int | None) -> int:
    """How much of the work a patient is: candidate windows up to the limit, and 1 for the headers."""
    return 1 + (patient.n_candidates if limit is None else min(patient.n_candidates, limit))


class BuildProgress:
    """Counts finished patients into a Progress.

    Parameters
    ----------
    bar : Progress
        Its total is the sum of `expected_windows` over `patients`.
    patients : sequence of PlannedPatient
        All that are to be built.
    limit : int or None
        Windows kept of a patient at the most.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        bar: Progress,
        patients: Sequence[PlannedPatient],
        limit: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bar, self._limit, self._clock = bar, limit, clock
        self._patients = {p.subject_id: p for p in patients}
        self._counts: Counter[str] = Counter()
        self._n_done = 0
        self._bytes_read = 0.0
        self._kept_rate = RecentRate(clock())

    def add(self, subject_id: int, counts: Counter[str]) -> None:
        """Count one patient's windows in; `counts` as its part's."""
        patient = self._patients[subject_id]
        self._n_done += 1
        self._counts.update(counts)
        self._bytes_read += patient.n_bytes * counts["windows_judged"] / max(patient.n_candidates, 1)
        kept = self._counts["windows_kept"] - self._counts["windows_of_left_out_patients"]
        now_s = self._clock()
        self._kept_rate.see(kept, now_s)
        self._bar.advance(
            expected_windows(patient, self._limit),
            f"{self._n_done:,}/{len(self._patients):,} patients",
            f"{kept:,} kept ({self._kept_rate.per_second(kept, now_s):,.0f}/s)",
            f"{readable_bytes(self._bytes_read)} read",
            *self._drops(),
        )

    def _drops(self) -> list[str]:
        """The reasons that cost most, of windows judged and of segments of records."""
        windows, files = _by_reason(self._counts, "window:"), _by_reason(self._counts, "record:")
        said = [("dropped", windows), ("not read", files)]
        return [f"{what} {sum(reasons.values()):,}: {_top(reasons)}" for what, reasons in said if reasons]


def _by_reason(counts: Counter[str], kind: str) -> Counter[str]:
    return Counter({key.removeprefix(kind): n for key, n in counts.items() if key.startswith(kind) and n})


def _top(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in reasons.most_common(DROPS_SHOWN))


@contextmanager
def build_progress(patients: Sequence[PlannedPatient], settings: Settings) -> Iterator[BuildProgress]:
    """A BuildProgress that is shown while the block runs."""
    limit = settings.max_segments_per_patient
    with progress("building", sum(expected_windows(p, limit) for p in patients)) as bar:
        yield BuildProgress(bar, patients, limit)
