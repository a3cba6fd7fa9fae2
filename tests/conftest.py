"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

# Tests run side by side: threads of one that wait for a core of the other cost both of them minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real recordings and tables named by ECGPPG_DATA; the test is skipped without it."""
    folder = os.environ.get("ECGPPG_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real recordings are absent: set ECGPPG_DATA to their folder")
    return Path(folder)
