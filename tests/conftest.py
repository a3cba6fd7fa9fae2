"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real recordings and tables named by ECGPPG_DATA; the test is skipped without it."""
    folder = os.environ.get("ECGPPG_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real recordings are absent: set ECGPPG_DATA to their folder")
    return Path(folder)
