"""The two builds side by side: the same tree, the same patients, the same limits, the same number of workers."""

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
from measure import Usage, run_measured
from naive_build import list_patients

from ecgppg.config.schema import OutputLayout
from ecgppg.core.files import read_completion

FOLDER = Path(__file__).resolve().parent
SIDES = ("naive", "ours")
MIN_SEGMENTS = 10
TIME_LINE = re.compile(r"(?:\S+ \S+ INFO \S+: )?(time: .*)")
"""A line of the log that tells how long a step of the build took."""


@dataclass(frozen=True)
class Task:
    """What both sides build.

    Parameters
    ----------
    waveforms : Path
        A tree in the MIMIC-III matched layout.
    workers : int
        Worker processes; the parent comes on top.
    limit : int or None
        Segments kept of a patient; None: every window.
    max_patients : int or None
        The first so many by name.
    """

    waveforms: Path
    workers: int
    limit: int | None = None
    max_patients: int | None = None

    @property
    def patients(self) -> list[str]:
        """Names of the patients, such as p000020."""
        return list(list_patients(self.waveforms))[: self.max_patients]

    def files(self) -> list[Path]:
        """Every file in the folders of these patients."""
        return [path for name in self.patients for path in (self.waveforms / name[:3] / name).iterdir()]

    def signal_bytes(self) -> int:
        """Bytes of their signal files."""
        return sum(path.stat().st_size for path in self.files() if path.suffix == ".dat")


@dataclass(frozen=True)
class Build:
    """One build that ended well."""

    side: str
    usage: Usage
    n_judged: int
    n_kept: int
    path: Path

    @property
    def judged_per_s(self) -> float:
        """Windows judged a second of wall time, start-up included."""
        return self.n_judged / self.usage.wall_s

    @property
    def kept_per_s(self) -> float:
        """Segments written a second of wall time."""
        return self.n_kept / self.usage.wall_s

    @property
    def kept_per_cpu_s(self) -> float:
        """Segments written a second of processor time: steadier than wall time where others use the machine too."""
        return self.n_kept / self.usage.cpu_s

    def windows(self) -> set[tuple[str, int]]:
        """(record, first sample) of every segment in the file."""
        names = {"naive": ("record", "start"), "ours": ("segments/record", "segments/start_sample")}[self.side]
        with h5py.File(self.path) as file:
            records, starts = (file[name][:] for name in names)
        return {
            (record.decode().rsplit("/", 1)[-1], start) for record, start in zip(records, starts.tolist(), strict=True)
        }


def run_side(side: str, task: Task, work: Path) -> Build:
    """Run one side from nothing.

    Parameters
    ----------
    side : str
        One of `SIDES`.
    task : Task
        What to build.
    work : Path
        Folder for its files; what the same side left there before is removed.
    """
    output = work / side
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    return _naive(task, output) if side == "naive" else _ours(task, output)


def _naive(task: Task, output: Path) -> Build:
    path = output / "naive.h5"
    command: list[str | Path] = [
        sys.executable, FOLDER / "naive_build.py", "--waveforms", task.waveforms, "--output", path,
        "--workers", str(task.workers), "--max-segments-per-patient", str(task.limit or 0),
        "--min-segments-per-patient", str(MIN_SEGMENTS), "--max-patients", str(len(task.patients)),
    ]  # fmt: skip
    usage = run_measured(command)
    counts = json.loads(usage.output.splitlines()[-1])
    return Build("naive", usage, counts.get("judged", 0), counts.get("written", 0), path)


def _ours(task: Task, output: Path) -> Build:
    names = output.with_name("patients.txt")
    names.write_text("".join(f"{name}\n" for name in task.patients))
    layout = OutputLayout(output)
    command: list[str | Path] = [
        sys.executable, FOLDER.parent / "production_pipeline.py", "--build-dataset", "--source", "mimic3",
        "--waveforms", task.waveforms, "--output-dir", output, "--num-workers", str(task.workers),
        "--patients-file", names, "--set", f"max_segments_per_patient={json.dumps(task.limit)}",
        "--set", f"min_segments_per_patient={MIN_SEGMENTS}",
    ]  # fmt: skip
    usage = run_measured(command)
    done = read_completion(layout.dataset)
    if done is None:
        raise RuntimeError(f"{layout.dataset}: the build ended without its completion record")
    return Build("ours", usage, done["counts"].get("windows_judged", 0), done["rows"], layout.dataset)


def stage_times(build: Build) -> list[str]:
    """What our build's log says of where its time went, step by step; empty where it says nothing."""
    lines = OutputLayout(build.path.parent).log.read_text().splitlines()
    return [told[1] for told in map(TIME_LINE.fullmatch, lines) if told]
