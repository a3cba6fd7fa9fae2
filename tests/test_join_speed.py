"""The clinical join at the row counts of the whole database stays within its limits of time and memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "clinical_join.py"


def measure(tmp_path, *options):
    figures = tmp_path / "figures.json"
    done = subprocess.run([sys.executable, BENCHMARK, "--json", figures, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ratio to the limits" in done.stdout
    return json.loads(figures.read_text())


def test_the_benchmark_runs_on_small_tables(tmp_path):
    figures = measure(tmp_path, "--scale", "0.005", "--segments", "2000", "--chart-events", "5000")
    assert figures["total"] > 0
    assert figures["charted_rhythm_s"] > 0


@pytest.mark.slow
def test_the_join_of_the_whole_database_takes_under_a_minute_and_two_gigabytes(tmp_path):
    figures = measure(tmp_path)
    # CPU seconds: how long others keep the machine busy is not ours to test.
    assert figures["cpu"] < 60
    assert figures["peak_bytes"] < 2e9


@pytest.mark.slow
def test_chart_events_are_streamed_in_bounded_memory(tmp_path):
    """Four times the rows take the same memory."""
    short, long = (
        measure(tmp_path, "--scale", "0.01", "--segments", "1000", "--chart-events", str(n))
        for n in (500_000, 2_000_000)
    )
    assert long["peak_bytes"] < 1.25 * short["peak_bytes"]
