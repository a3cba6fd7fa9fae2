"""Headers mutated field by field: every one is read or counted; nothing crashes, leaves the folder or takes memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgppg.config.schema import READ_REASONS
from tests.hostile_headers import RECORD_FIELDS, SEGMENT_FIELDS, SIGNAL_FIELDS

OUTCOMES = {*READ_REASONS, "as before", "read otherwise", "windows dropped"}


def run(n: int, seed: int) -> list[list[str]]:
    """Cells of the table that the program prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile_headers", "--n", str(n), "--seed", str(seed)],
        capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=900,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("n", [400, pytest.param(3600, marks=pytest.mark.slow)])
def test_every_mutated_header_is_read_or_counted(n: int) -> None:
    head, _, *rows = run(n, seed=n)
    assert set(head[3:]) <= OUTCOMES
    fields = {(row[0], row[1]) for row in rows}
    assert {("master", field) for field in (*RECORD_FIELDS, *SEGMENT_FIELDS)} <= fields
    assert {("segment", field) for field in (*RECORD_FIELDS, *SIGNAL_FIELDS)} <= fields
    assert rows[-1][:3] == ["all", "", str(n)]
    totals = dict(zip(head[3:], rows[-1][3:], strict=True))
    assert sum(map(int, totals.values())) == n
    for reason in ("bad_header", "implausible_value", "missing_file", "path_outside_folder", "no_required_channels"):
        assert int(totals[reason]) > 0
