"""Fixtures shared by all tests."""

import os
import signal
from pathlib import Path

import pytest

# Tests run side by side: threads of one that wait for a core of the other cost both of them minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell has what it starts with & ignore Ctrl-C, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real recordings and tables named by ECGPPG_DATA; the test is skipped without it."""
    folder = os.environ.get("ECGPPG_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real recordings are absent: set ECGPPG_DATA to their folder")
    return Path(folder)
