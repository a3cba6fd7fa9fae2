"""The benchmarks measure what they say: their figures agree with each other and with what is known beforehand."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient, half an hour."""
    waveforms = tmp_path_factory.mktemp("a tree") / "waveforms"
    words = ("--output", waveforms, "--patients", 1, "--hours", 0.5)
    result = run("make_tree.py", *words)
    assert result.returncode == 0, result.stderr
    return waveforms


def run(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BENCHMARKS / script, *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600)


def test_the_printed_figures_agree_with_each_other(tree: Path, tmp_path: Path) -> None:
    words = ("--waveforms", tree, "--workers", 1, "--repeats", 1, "--no-warm-up", "--floor")
    result = run("build.py", *words, "--json", tmp_path / "figures.json")
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    signal_bytes = sum(path.stat().st_size for path in tree.rglob("*.dat"))
    assert figures["signal_bytes"] == signal_bytes
    naive, ours = figures["naive"][0], figures["ours"][0]
    for one in (naive, ours):
        assert 0 < figures["kept_by_both"] <= one["kept"] <= one["judged"] <= 180
        assert one["judged_per_s"] == pytest.approx(one["judged"] / one["wall_s"])
        assert one["kept_per_s"] == pytest.approx(one["kept"] / one["wall_s"])
        assert one["read_bytes"] > signal_bytes / 2
        assert one["written_bytes"] >= one["file_bytes"] > 0
        assert one["parent_peak_bytes"] > 20e6
        assert max(one["worker_peak_bytes"]) > 20e6
    for rate, ratio in figures["ratio"].items():
        assert ratio["min"] == ratio["median"] == ratio["max"] == pytest.approx(ours[rate] / naive[rate])
        assert f"{ratio['median']:.2f}" in result.stdout
    assert any(line.split()[:2] == ["time:", "parts"] for line in figures["stage_times"])
    assert figures["stage_times"][-1] in result.stdout
    floor = figures["floor"]
    assert floor["windows"] == ours["kept"]
    for kind in ("source", "stored"):
        assert floor[kind]["distance"] == pytest.approx(ours["wall_s"] / floor[kind]["wall_s"])
        assert floor[kind]["distance"] > 1
    assert f"{naive['judged']:,} windows judged, {naive['kept']:,} kept" in result.stdout
    assert f"{ours['judged']:,} windows judged, {ours['kept']:,} kept" in result.stdout


def test_a_made_tree_is_as_long_as_asked_and_the_same_each_time(tree: Path, tmp_path: Path) -> None:
    from make_tree import make_tree

    again = tmp_path / "waveforms"
    make_tree(again, patients=1, hours=0.5)
    files = sorted(path.relative_to(tree) for path in tree.rglob("*") if path.is_file())
    assert [(again / path).read_bytes() for path in files] == [(tree / path).read_bytes() for path in files]
    (master,) = again.glob("p*/*/p*.hea")
    assert int(master.read_text().split()[3]) == 0.5 * 3600 * 125


def test_the_channels_of_a_repeated_recording_stay_together() -> None:
    from make_tree import Repeated

    ecg, ppg = Repeated(np.arange(100.0), seed=3), Repeated(np.arange(100.0) + 1000, seed=3)
    for start in (0, 250, 4000):
        span = slice(start, start + 350)
        assert np.array_equal(ecg[span] + 1000, ppg[span])
        assert len(ecg[span]) == 350


def test_the_floor_decodes_what_wfdb_reads(tree: Path) -> None:
    import wfdb
    from floor import _read_codes

    from ecgppg.waveform.record import open_record

    (master,) = tree.glob("p*/*/p*.hea")
    record = str(master.relative_to(tree).with_suffix(""))
    plan = open_record(tree, record, ("ECG", "PPG"), ("ECG", "PPG"))
    for stretch in plan.stretches:
        names = [stretch.specs[channel].name for channel in ("ECG", "PPG")]
        codes_CT = _read_codes(plan, stretch.start, stretch.n, ("ECG", "PPG"))
        for piece in stretch.pieces:
            truth = wfdb.rdrecord(str(piece.header.folder / piece.header.name), physical=False, channel_names=names)
            columns = [truth.sig_name.index(name) for name in names]
            expected_CT = truth.d_signal[piece.first : piece.first + piece.n, columns].T
            begin = piece.start - stretch.start
            assert np.array_equal(codes_CT[:, begin : begin + piece.n], expected_CT)


def test_memory_and_bytes_of_a_worker_are_measured(tmp_path: Path) -> None:
    from measure import run_measured

    n_bytes = 50_000_000
    (tmp_path / "file").write_bytes(bytes(n_bytes))
    script = tmp_path / "parent.py"
    script.write_text(
        "import subprocess, sys\n"
        "code = 'import sys, time; held = open(sys.argv[1], \"rb\").read() + bytes(1); time.sleep(0.4)'\n"
        "subprocess.run([sys.executable, '-c', code, sys.argv[1]], check=True)\n"
        "print('done')\n"
    )
    usage = run_measured([sys.executable, script, tmp_path / "file"])
    assert usage.output == "done\n"
    assert n_bytes < usage.read_bytes < n_bytes + 20e6
    assert n_bytes < max(usage.worker_peak_bytes) < 4 * n_bytes
    assert usage.parent_peak_bytes < n_bytes
    assert usage.cpu_s > 0
    assert usage.wall_s > 0.4


def test_what_a_disk_gave_is_told_from_what_a_cache_held(tmp_path: Path) -> None:
    from measure import forget, run_measured

    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 40_000)
    n_bytes = file.stat().st_size
    reads = [sys.executable, "-c", "import sys; open(sys.argv[1], 'rb').read()", file]
    forget([file])
    from_disk, from_cache = run_measured(reads), run_measured(reads)
    if from_disk.disk_bytes == 0:
        pytest.skip("the temporary folder lies in memory: nothing comes from a disk")
    assert from_disk.disk_bytes >= n_bytes
    assert from_cache.disk_bytes < n_bytes / 2
    assert from_cache.read_bytes >= n_bytes


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    from measure import run_measured

    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run_measured([sys.executable, "-c", "1 / 0"])


@pytest.mark.slow
def test_a_hundred_hours_fit_into_the_memory_a_process_may_take(tmp_path: Path) -> None:
    words = ("--patients", 1, "--hours", 24, "--repeats", 1, "--memory-hours", 100, "--json", tmp_path / "figures.json")
    result = run("long_stays.py", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    # 1,000 of 8,640 windows with their context are a seventh of the tree; the system reads ahead as it sees fit.
    assert figures["bytes_read"]["ours"] <= 0.25 * figures["bytes_read"]["naive"]
    (whole,) = figures["memory"]
    assert whole["kept"] > 10_000
