"""Jobs that the engines' tests run in workers of every engine; module-level, so that any worker can import them."""

import os
import signal
import time
from pathlib import Path

PATIENCE_S = 120.0


def square(x: int) -> int:
    return x * x


def square_or_die(job: tuple[int, str]) -> int:
    """Die by a real SIGKILL: "always", "never", or once, when the named file does not exist yet."""
    number, fate = job
    if fate == "always":
        os.kill(os.getpid(), signal.SIGKILL)
    if fate != "never" and not Path(fate).exists():
        Path(fate).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def raise_on_three(x: int) -> int:
    if x == 3:
        raise ValueError("three")
    return x


def die(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


def interrupts_self(x: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return x


def wait_for_file(path: str) -> str:
    """Return when the file is there; an empty name is there at once."""
    deadline_s = time.monotonic() + PATIENCE_S
    while path and not Path(path).exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return path


def worker_pid(path: str) -> int:
    """Leave the worker's process id in a file, then wait to be killed."""
    Path(path).write_text(str(os.getpid()))
    wait_for_file(f"{path}.never")
    return 0
