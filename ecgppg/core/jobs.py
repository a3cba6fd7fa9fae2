"""What the engines share: a job's end, and what an engine must be able to do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """What became of one job: a result, or None and the number of workers it killed."""

    job: Job
    result: Result | None
    killed_workers: int = 0


@dataclass(frozen=True)
class Landing:
    """How one submitted job ended: with a result, with an exception of its function, or with its worker."""

    ticket: int
    result: Any = None
    error: BaseException | None = None
    killed_workers: int = 0


class Workers(Protocol):
    """Running workers of one engine."""

    def capacity(self) -> int:
        """Jobs to keep in flight."""

    def submit(self, ticket: int, function: Callable[[Any], Any], job: Any) -> None:
        """Start a job; it lands under its ticket."""

    def landed(self) -> list[Landing]:
        """Wait until at least one job in flight has ended.

        Raises
        ------
        RunError
            The workers are lost, and with them what was in flight.
        """

    def close(self) -> None:
        """End the workers that are ours, whatever they are at; forget what is in flight."""
