"""What headers promise: windows and bytes counted a stretch at a time, and the same plan whoever reads the headers."""

from pathlib import Path

import numpy as np
import pytest

from ecgppg.config.errors import DamagedRecord
from ecgppg.config.settings import Settings
from ecgppg.stages import plan as planning
from ecgppg.stages.plan import plan_build
from ecgppg.synthetic.cohort import make_cohort
from ecgppg.waveform.plan import frames_per_window, runs, window_starts
from ecgppg.waveform.reader import bytes_per_frame
from ecgppg.waveform.record import RecordPlan, open_record
from ecgppg.waveform.volume import patient_volume
from ecgppg.waveform.windows import CONTEXT_SECONDS


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=8, minutes=6, seed=3, num_workers=0)
    return folder / "waveforms"


def bytes_run_by_run(record: RecordPlan) -> tuple[int, float]:
    """Windows and bytes, run after run as they are read."""
    n_windows, n_bytes = 0, 0.0
    context = round(CONTEXT_SECONDS * record.fs_hz)
    for run in runs(record, 10.0):
        stretch = record.stretches[run.stretch]
        starts = window_starts(np.arange(run.first, run.first + run.n), record.fs_hz, 10.0)
        begin = max(int(starts[0]) - context, stretch.start)
        end = min(int(starts[-1]) + frames_per_window(record.fs_hz, 10.0) + context, stretch.stop)
        piece = stretch.pieces[0]
        n_windows += run.n
        n_bytes += (end - begin) * bytes_per_frame(piece.header, list(piece.signals.values()))
    return n_windows, n_bytes


def test_a_volume_is_the_sum_of_its_runs(waveforms: Path) -> None:
    names = (waveforms / "RECORDS-waveforms").read_text().split()
    settings = Settings(max_segments_per_patient=1000)
    n_with_windows = 0
    for name in names:
        try:
            record = open_record(waveforms, name, settings.channels, settings.required_channels)
        except DamagedRecord:
            assert patient_volume(waveforms, [name], settings) == (0, 0)
            continue
        n_windows, n_bytes = bytes_run_by_run(record)
        assert patient_volume(waveforms, [name], settings) == (n_windows, round(n_bytes))
        n_with_windows += n_windows > 0
    assert n_with_windows > 5


def test_every_window_is_read_in_one_go(waveforms: Path) -> None:
    names = (waveforms / "RECORDS-waveforms").read_text().split()
    limited = patient_volume(waveforms, names, Settings(max_segments_per_patient=5))
    every = patient_volume(waveforms, names, Settings(max_segments_per_patient=None))
    assert every.n_candidates == limited.n_candidates
    assert every.n_bytes < limited.n_bytes < 1.25 * every.n_bytes
    assert every.n_bytes <= sum(path.stat().st_size for path in waveforms.rglob("*.dat"))


def test_nothing_there_counts_nothing(waveforms: Path) -> None:
    assert patient_volume(waveforms, ["gone", "../up"], Settings()) == (0, 0)


def test_workers_plan_the_same(waveforms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = plan_build(Settings(waveforms_dir=str(waveforms), num_workers=0))
    assert plan_build(Settings(waveforms_dir=str(waveforms), num_workers=2)) == alone
    monkeypatch.setattr(planning, "ALONE_SECONDS", -1.0)
    together = plan_build(Settings(waveforms_dir=str(waveforms), num_workers=2))
    assert together == alone
    assert len(alone.patients) == 8
    assert [p.n_candidates for p in alone.patients] == sorted((p.n_candidates for p in alone.patients), reverse=True)
