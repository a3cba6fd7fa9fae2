"""Progress: what it says, when it says it, and that it fits the terminal."""

import logging
import os
import pty
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecgppg.core.progress import QUIET_SECONDS, Progress, progress
from ecgppg.core.runlog import LOGGER_NAME, start_log
from ecgppg.sources.find import Patient
from ecgppg.stages.build_progress import BuildProgress, expected_windows
from ecgppg.stages.plan import PlannedPatient

COUNTS = Counter({
    "windows_judged": 900, "windows_kept": 600, "window:noise": 200, "window:clipping": 60, "window:missing": 30,
    "window:constant": 10, "record:too_short": 4,
})  # fmt: skip


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def log_file(tmp_path: Path):
    path = tmp_path / "production.log"
    log = start_log(path)
    yield path
    for handler in list(log.handlers):
        handler.close()
        log.removeHandler(handler)
    logging.getLogger(LOGGER_NAME).propagate = True


def messages(log_file: Path) -> list[str]:
    return [line.split(": ", 1)[1] for line in log_file.read_text().splitlines()]


def patients(sizes: list[int]) -> list[PlannedPatient]:
    return [PlannedPatient(Patient(i, f"p{i}", ("r",)), n, 2500 * n) for i, n in enumerate(sizes)]


def test_a_line_a_minute_and_one_at_either_end(log_file: Path) -> None:
    clock = Clock()
    work = Progress("building", 600, clock=clock)
    work.begin()
    for second in range(1, 301):
        clock.now_s += 1.0
        if second % 7 == 0:
            work.advance(7, f"{second} patients")
        work.tick()
    work.end()
    said = messages(log_file)
    assert said[0] == "building: begins"
    assert len(said) == 2 + 300 // QUIET_SECONDS
    assert said[1] == "building: 9 %, 10 min left, 56 patients"
    assert said[-1] == "building: done in 5 min, 294 patients"


def test_silent_work_is_told_of_as_well(log_file: Path) -> None:
    clock = Clock()
    work = Progress("building", 10, clock=clock)
    for _ in range(3):
        clock.now_s += QUIET_SECONDS
        work.tick()
    assert messages(log_file) == ["building: 0 %, time left unknown"] * 3


def test_a_stopped_block_says_where_it_stopped(log_file: Path) -> None:
    def work() -> None:
        with progress("building", 10, "records") as bar:
            bar.advance(4)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        work()
    assert messages(log_file) == ["building: 10 records", "building: stopped at 40 % after 0 s"]


def test_nothing_to_do_is_done(log_file: Path) -> None:
    with progress("building", 0):
        pass
    assert messages(log_file) == ["building: begins", "building: done in 0 s"]
    assert Progress("building", 0).percent == 100


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("width", [10, 20, 40, 60, 79, 200])
def test_lines_fit_the_terminal(width: int, ascii_only: bool) -> None:
    clock = Clock()
    all_patients = patients([1_000_000] * 10_282)
    bar = Progress("building", sum(expected_windows(p, 1000) for p in all_patients), clock=clock)
    build = BuildProgress(bar, all_patients, 1000, clock)
    for subject_id in range(5000):
        clock.now_s += 0.3
        build.add(subject_id, COUNTS)
        if subject_id % 500 == 499:
            lines = bar.lines(width, ascii_only)
            assert max(map(len, lines)) <= width
    assert not ascii_only or "".join(lines).isascii()
    if width >= 60:
        text = "  ".join(lines)
        for fact in ("48 %", "26 min left", "5,000/10,282 patients", "3,000,000 kept (2,000/s)", "11.2 GB read",
                     "dropped 1,500,000: noise 1,000,000, clipping 300,000"):  # fmt: skip
            assert fact in text or "..." in text, fact
        assert len(lines) <= 4


def test_time_left_is_right_where_patients_differ_in_size() -> None:
    rng = np.random.default_rng(5)
    sizes = np.sort((10 ** rng.uniform(1, 5, 400)).astype(int))[::-1].tolist()
    clock, limit, seconds_a_window = Clock(), 1000, 0.002
    all_patients = patients(sizes)
    bar = Progress("building", sum(expected_windows(p, limit) for p in all_patients), clock=clock)
    build = BuildProgress(bar, all_patients, limit, clock)
    took_s = [seconds_a_window * min(size, limit) + 0.001 for size in sizes]
    for done, planned in enumerate(all_patients, start=1):
        clock.now_s += took_s[done - 1]
        build.add(planned.subject_id, Counter(windows_judged=min(planned.n_candidates, limit)))
        truly_s = sum(took_s[done:])
        assert bar.left_s is not None
        assert bar.left_s == pytest.approx(truly_s, rel=0.1, abs=1.0), done


def test_time_left_follows_a_change_of_speed() -> None:
    clock = Clock()
    work = Progress("building", 100_000, clock=clock)
    for speed, seconds in ((1000, 20), (10, 400)):
        for _ in range(seconds):
            clock.now_s += 1
            work.advance(speed)
    assert work.left_s == pytest.approx((100_000 - 24_000) / 10, rel=0.01)


def test_kept_segments_are_those_of_patients_that_stay() -> None:
    clock = Clock()
    bar = Progress("building", 2, clock=clock)
    build = BuildProgress(bar, patients([900, 900]), None, clock)
    clock.now_s += 2
    build.add(0, COUNTS)
    build.add(1, Counter(windows_judged=5, windows_kept=5, windows_of_left_out_patients=5))
    assert bar.notes == (
        "2/2 patients", "600 kept (300/s)", "2.3 MB read", "dropped 300: noise 200, clipping 60, missing 30",
        "not read 4: too short 4",
    )  # fmt: skip


SHOW = """
import logging, sys, time
from pathlib import Path
from ecgppg.core.progress import progress
from ecgppg.core.runlog import start_log
log = start_log(Path(sys.argv[1]))
with progress("building", 3) as bar:
    for i in range(3):
        bar.advance(1, f"{i + 1}/3 patients", "dropped: " + "noise " * 20)
        log.info("patient %d seen", i)
"""


def on_terminal(log_file: Path, columns: int, term: str) -> str:
    """What a pseudo-terminal of so many columns received."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": term, "COLUMNS": str(columns), "LINES": "24"}
    with subprocess.Popen(
        [sys.executable, "-c", SHOW, str(log_file)], stdin=slave, stdout=slave, stderr=slave, env=environment
    ) as process:
        os.close(slave)
        received = b""
        try:
            while block := os.read(master, 4096):
                received += block
        except OSError:
            pass  # The last writer closed the terminal.
        assert process.wait(timeout=60) == 0
    os.close(master)
    return received.decode()


@pytest.mark.parametrize("columns", [80, 32])
def test_a_terminal_shows_live_lines_and_the_log_above_them(tmp_path: Path, columns: int) -> None:
    log_file = tmp_path / "run.log"
    received = on_terminal(log_file, columns, "xterm")
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", received.replace("\r", "\n")).split("\n")
    assert max(map(len, lines)) < columns
    assert any(re.match(r"building .*100 %", line) for line in lines)
    assert [line for line in lines if line.startswith("patient")] == [f"patient {i} seen" for i in range(3)]
    assert "building: begins" not in received
    assert "building: done in 0 s, 3/3 patients" in log_file.read_text()


def test_a_terminal_that_cannot_redraw_gets_lines(tmp_path: Path) -> None:
    received = on_terminal(tmp_path / "run.log", 80, "dumb")
    assert "building: begins" in received
    assert "\x1b" not in received
