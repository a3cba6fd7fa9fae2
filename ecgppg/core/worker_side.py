"""What a worker on another machine makes sure of before it takes a job: the same software, the same files."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ecgppg.config.errors import RunError

DECIDING = ("ecgppg", "numpy", "scipy", "numba")
"""Packages whose version can change a result."""
SIGHT_SECONDS = 30.0
"""How long a network file system may hide a new file from another machine."""


@cache
def software() -> dict[str, str]:
    """{package: version} of what decides about results, Python among them."""
    versions = {"Python": ".".join(platform.python_version_tuple()[:2])}
    return versions | {name: importlib.metadata.version(name) for name in DECIDING}


@dataclass(frozen=True)
class OnWorker:
    """A function that first makes sure of its machine. A worker without the files would find every patient empty.

    Parameters
    ----------
    function : callable
        Module-level.
    software : dict
        {package: version} of the parent.
    must_see : tuple of str
        Files and folders that the parent sees under these paths.
    """

    function: Callable[[Any], Any]
    software: dict[str, str]
    must_see: tuple[str, ...]

    def __call__(self, job: Any) -> Any:
        """Run the job.

        Raises
        ------
        RunError
            Names the machine and what differs on it.
        """
        for package, version in self.software.items():
            if software()[package] != version:
                raise RunError(
                    f"worker on {platform.node()}: has {package} {software()[package]}, here it is {version}; "
                    "install the same requirements.lock on every machine"
                )
        for path in self.must_see:
            if not _in_sight(path):
                raise RunError(
                    f"worker on {platform.node()}: does not see {path}; "
                    "every machine must see inputs and output folder under the same paths"
                )
        return self.function(job)


def _in_sight(path: str) -> bool:
    deadline_s = time.monotonic() + SIGHT_SECONDS
    while not os.path.exists(path):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.5)
    return True
