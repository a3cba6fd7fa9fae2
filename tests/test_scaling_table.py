"""The arithmetic from measured rates to hours, disk and memory."""

import subprocess
import sys
from math import inf, isclose
from pathlib import Path

from scripts.scaling_table import COHORTS, Cohort, Rates, estimate, table

ROOT = Path(__file__).resolve().parent.parent
RATES = Rates(
    judged_per_core_s=100, kept_share=0.5, segment_bytes=2_000, merge_per_s=1_000, window_bytes=5_000,
    worker_bytes=1e9, parent_bytes=5e8,
)  # fmt: skip


def test_every_window_of_a_cohort_by_hand() -> None:
    one = estimate(Cohort("ten", 10, 3.6e9), RATES, n_cores=8, most_segments=inf)
    assert one.n_judged == 720_000
    assert one.n_kept == 360_000
    assert isclose(one.parts_hours, 0.25 + 0.1 / 8)
    assert isclose(one.merge_hours, 0.1)
    assert isclose(one.hours, 0.3625)
    assert isclose(one.read_bytes_per_s, 8 * 100 * 5_000 * 0.25 / 0.2625)
    assert one.dataset_bytes == 7.2e8
    assert one.disk_bytes == 1.44e9
    assert one.workers_bytes == 8e9
    assert one.parent_bytes == 5e8


def test_a_limit_stops_when_enough_is_kept_and_not_before() -> None:
    cohort = Cohort("ten", 10, 3.6e9)
    limited = estimate(cohort, RATES, 8, most_segments=1_000)
    assert limited.n_kept == 10_000
    assert limited.n_judged == 20_000
    assert estimate(cohort, RATES, 8, most_segments=1e9) == estimate(cohort, RATES, 8, most_segments=inf)


def test_cores_shorten_the_parts_and_not_the_merges() -> None:
    few, many = (estimate(COHORTS[1], RATES, n, inf) for n in (8, 512))
    assert isclose(few.parts_hours, 64 * many.parts_hours)
    assert few.merge_hours == many.merge_hours


def test_nothing_kept_is_no_division_by_zero() -> None:
    none = Rates(**{**vars(RATES), "kept_share": 0.0})
    assert estimate(COHORTS[0], none, 8, 1_000).n_kept == 0


def test_the_command_prints_one_row_for_each_cohort_limit_and_number_of_cores() -> None:
    words = "--judged-per-core-s 100 --kept-share 0.5 --segment-bytes 2000 --merge-per-s 1000 --worker-gb 1"
    line = [sys.executable, "scripts/scaling_table.py", *words.split()]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == table(RATES, [8, 64, 512], [1000, inf])
    assert len(done.stdout.splitlines()) == 2 + len(COHORTS) * 2 * 3
    wrong = subprocess.run([*line[:-1], "-1"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2
