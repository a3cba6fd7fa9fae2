"""What a build counts: windows and records by reason, segments by patient, records left out by name."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ecgppg.stages.parts import BuiltPart
from ecgppg.stages.plan import BuildPlan, PlannedPatient


@dataclass
class Tally:
    """Counts of patients that are built.

    Attributes
    ----------
    counts : Counter of str
        Windows and records, by what became of them.
    subjects : dict
        {subject_id as text: segments kept} of every patient read.
    quarantined : dict
        {record: why} of the records left out because reading them killed the process.
    """

    counts: Counter[str] = field(default_factory=Counter)
    subjects: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """The tally that a completion record keeps."""
        return cls(Counter(record["tally"]), dict(record["subjects"]), dict(record.get("quarantined", {})))

    @classmethod
    def of_part(cls, subject_id: int, part: BuiltPart, quarantined: Mapping[str, str]) -> Self:
        """One patient's, whose part was built without the quarantined records."""
        lost = Counter({"record:worker_died": len(quarantined), "records": len(quarantined)})
        return cls(part.counts + lost, {str(subject_id): part.n_rows}, dict(quarantined))

    @classmethod
    def of_lost_patient(cls, subject_id: int, quarantined: Mapping[str, str]) -> Self:
        """A patient's of whom no record is left."""
        counts = {"patients_quarantined": 1, "record:worker_died": len(quarantined), "records": len(quarantined)}
        return cls(Counter(counts), {str(subject_id): 0}, dict(quarantined))

    def add(self, other: "Tally") -> None:
        """Count another tally in."""
        self.counts += other.counts
        self.subjects |= other.subjects
        self.quarantined |= other.quarantined

    def as_record(self) -> dict[str, Any]:
        """For a completion record; `of` reads it back."""
        return {"tally": dict(self.counts), "subjects": self.subjects, "quarantined": self.quarantined}

    def shares_patients(self, other: "Tally") -> bool:
        """Whether a patient is in both."""
        return not self.subjects.keys().isdisjoint(other.subjects)

    def not_in(self, patients: Iterable[PlannedPatient]) -> list[PlannedPatient]:
        """The patients that are not built yet."""
        return [patient for patient in patients if str(patient.subject_id) not in self.subjects]

    @property
    def n_rows(self) -> int:
        """Segments in all."""
        return sum(self.subjects.values())


def attrition(plan: BuildPlan, total: Tally) -> Counter[str]:
    """Where everyone and everything went: the plan's counts and the build's together."""
    counts = total.counts.copy()
    for key, n in plan.attrition.items():
        counts[key] = n + (counts[key] if key.startswith("record:") else 0)
    counts["patients_kept"] = sum(1 for n in total.subjects.values() if n)
    counts["patients_built"] = len(total.subjects)
    accounted = counts["patients_kept"] + counts["patients_quarantined"]
    counts["patients_too_few_windows"] = counts["patients_built"] - accounted
    return counts
