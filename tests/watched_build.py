"""A build in a process of its own whose every change to the output folder is seen, and that can be killed before one.

Python announces each rename, removal and opening before it happens (audit events), so the moment is exact and the
signal is real.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.files import crc32_file, read_completion, read_json

CHANGES = {"os.rename": 1, "os.remove": 0, "os.rmdir": 0, "shutil.rmtree": 0}
"""Events that change a folder, and which of their arguments is the path that changes."""


@dataclass(frozen=True)
class Step:
    """One change: the event, and the path below the output folder (a bare name while a tree is removed)."""

    event: str
    path: str

    @classmethod
    def rename(cls, path: str) -> "Step":
        """A file takes this name."""
        return cls("os.rename", path)


@dataclass(frozen=True)
class Watched:
    """How a build ended: its exit code (minus the signal's number), and the changes it made or was about to make."""

    exit_code: int | None
    steps: list[Step]

    def renames(self, pattern: str) -> list[str]:
        """Names that files took."""
        return [step.path for step in self.steps if step.event == "os.rename" and fnmatch(step.path, pattern)]


@contextmanager
def building(
    settings: Settings, root: Path, kill_before: Step | None = None, n: int = 1
) -> Iterator[tuple[ForkServerProcess, Path]]:
    """A build that is going on.

    Parameters
    ----------
    settings, root
        What to build, and the output folder.
    kill_before : Step, optional
        The process kills itself before the `n`-th step that fits; its path is a pattern.
    n : int
        Which one, from 1.

    Yields
    ------
    process, trace : ForkServerProcess, Path
        The process and the file that `steps_in` reads.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.warm_build"])
    trace = root.with_name(f"{root.name}.{os.urandom(4).hex()}.trace")
    process = context.Process(target=_build, args=(settings, root, trace, kill_before, n))
    process.start()
    try:
        yield process, trace
    finally:
        if process.is_alive():
            process.kill()
        process.join()


def build_watched(settings: Settings, root: Path, kill_before: Step | None = None, n: int = 1) -> Watched:
    """Build in a process of its own and wait for its end; parameters as for `building`."""
    with building(settings, root, kill_before, n) as (process, trace):
        process.join(300)
        return Watched(process.exitcode, steps_in(trace))


def steps_in(trace: Path) -> list[Step]:
    """What a build has done so far."""
    return [Step(*line.split(" ", 1)) for line in trace.read_text().splitlines()]


def _build(settings: Settings, root: Path, trace: Path, kill_before: Step | None, n: int) -> None:
    from ecgppg.stages import build

    descriptor = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    seen = 0

    def look(event: str, args: tuple[object, ...]) -> None:
        nonlocal seen
        if event not in CHANGES:
            return
        path = str(args[CHANGES[event]])
        if path.startswith("/"):
            if not path.startswith(f"{root}/"):
                return
            path = path.removeprefix(f"{root}/")
        os.write(descriptor, f"{event} {path}\n".encode())
        if kill_before and event == kill_before.event and fnmatch(path, kill_before.path):
            seen += 1
            if seen == n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)
    build.run(settings, OutputLayout(root))


def workers_of(pid: int) -> list[int]:
    """Worker processes of a build that runs in process `pid`."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def kill(pid: int) -> bool:
    """SIGKILL a process; whether it was still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True)
class Finished:
    """What counts as done in an output folder: the files, and the patients in them."""

    files: frozenset[str]
    patients: frozenset[str]
    merged_patients: frozenset[str]

    @classmethod
    def of(cls, layout: OutputLayout) -> "Finished":
        """What lies there with a completion record that counts."""
        patients: set[str] = set()
        merged: set[str] = set()
        files: set[str] = set()
        for path in [*layout.root.rglob("*.h5")]:
            record = read_completion(path, verify=True)
            staged = read_json(completion_path(layout.build / path.name))
            if path == layout.dataset and staged and staged["crc32"] == crc32_file(path):
                record = staged
            if record is None:
                continue
            files.add(str(path.relative_to(layout.root)))
            subjects = set(record["subjects"]) if "subjects" in record else {path.stem}
            patients |= subjects
            merged |= subjects if path.name == layout.dataset.name else set()
        return cls(frozenset(files), frozenset(patients), frozenset(merged))

    def redone_by(self, rerun: Watched, wanted: frozenset[str]) -> list[str]:
        """What a rerun made again although it was there; `wanted` are all patients of the dataset that it made."""
        parts = [p for p in rerun.renames("build/parts/*.h5") if Path(p).stem in self.patients]
        shards = [p for p in rerun.renames("build/shards/*.h5") if p in self.files]
        merges = rerun.renames("build/full_dataset.h5") if wanted <= self.merged_patients else []
        return parts + shards + merges
