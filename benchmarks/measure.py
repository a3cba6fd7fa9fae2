"""What a command takes, workers included: wall and processor time, bytes by system calls, peak memory of each process.

Linux only: the numbers are the kernel's own, from /proc.
"""

import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_EVERY_S = 0.05
"""Peaks are high-water marks: what a process does between its last sample and its end is all that can be missed."""


@dataclass(frozen=True)
class Usage:
    """What one command took.

    Parameters
    ----------
    wall_s, cpu_s : float
        From start to end, imports included; processor time of all its processes.
    read_bytes, written_bytes : int
        By system calls of all its processes: files, from the page cache too, and pipes.
    disk_bytes : int
        Read from a disk, since no cache held them.
    parent_peak_bytes : int
        Resident memory of the command's own process.
    worker_peak_bytes : tuple of int
        Of every process below it, largest first.
    others_share : float
        Of the processors' time meanwhile, what other programs took, or other guests of the same host.
    output : str
        Its standard output.
    """

    wall_s: float
    cpu_s: float
    read_bytes: int
    written_bytes: int
    disk_bytes: int
    parent_peak_bytes: int
    worker_peak_bytes: tuple[int, ...]
    others_share: float
    output: str


def run_measured(command: Sequence[str | Path]) -> Usage:
    """Run a command to its end and measure it.

    Raises
    ------
    RuntimeError
        If it fails; with the end of what it wrote to standard error.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        cpu_before_s, (all_before_s, idle_before_s), began_s = _children_cpu_s(), _machine_s(), time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=err)
        peaks = _PeakSampler(process.pid)
        peaks.start()
        # The ended process is left unreaped for a moment: its counters then hold those of all its dead children.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall_s = time.perf_counter() - began_s
        all_s, idle_s = _machine_s()
        counters = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
        read_bytes, written_bytes, disk_bytes = (int(counters[name]) for name in ("rchar", "wchar", "read_bytes"))
        process.wait()
        peaks.finish()
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit {process.returncode}\n{err.read()[-2000:]}")
        parent = peaks.bytes_of.pop(process.pid, 0)
        workers = tuple(sorted(filter(None, peaks.bytes_of.values()), reverse=True))
        cpu_s = _children_cpu_s() - cpu_before_s
        others_s = (all_s - all_before_s) - (idle_s - idle_before_s) - cpu_s
        others_share = max(others_s / max(all_s - all_before_s, 1e-9), 0.0)
        return Usage(wall_s, cpu_s, read_bytes, written_bytes, disk_bytes, parent, workers, others_share, out.read())


def forget(paths: Iterable[Path]) -> None:
    """Take files out of the page cache, so that whoever reads them next must fetch them from their disk."""
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class _PeakSampler(threading.Thread):
    """Keeps the high-water mark of resident memory of a process and all below it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.bytes_of: dict[int, int] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_S):
            for pid in _process_tree(self.pid):
                self.bytes_of[pid] = max(self.bytes_of.get(pid, 0), _peak_bytes(pid))

    def finish(self) -> None:
        self._ended.set()
        self.join()


def _process_tree(pid: int) -> list[int]:
    """A process and all below it that compute; Python's resource tracker is left out."""
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        with suppress(OSError):
            if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return found


def _peak_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _machine_s() -> tuple[float, float]:
    """Time of all processors since the machine began, and how much of it they had nothing to do."""
    user, nice, system, idle, waiting, irq, soft_irq, stolen = map(int, _first_line("/proc/stat").split()[1:9])
    ticks = user + nice + system + idle + waiting + irq + soft_irq + stolen
    per_s = os.sysconf("SC_CLK_TCK")
    return ticks / per_s, (idle + waiting) / per_s


def _first_line(path: str) -> str:
    return Path(path).read_text().split("\n", 1)[0]


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
