"""Processes of one session: a program started with start_new_session and whatever came of it."""

import os
import signal

import psutil


def living_of_session(leader: int) -> list[int]:
    """Process ids of a session that are alive, zombies left out."""
    alive = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return alive


def kill_session(leader: int) -> None:
    """End a session whatever it is at."""
    for pid in living_of_session(leader):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
