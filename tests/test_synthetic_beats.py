"""The whole way from synthetic files to beats: every kept window of a small cohort beside its truth."""

import numpy as np
import pytest

from ecgppg.config.settings import Settings
from ecgppg.synthetic.cohort import make_cohort
from ecgppg.waveform.beats import detect_beats
from ecgppg.waveform.plan import runs
from ecgppg.waveform.quality import assess
from ecgppg.waveform.record import open_record
from ecgppg.waveform.windows import read_run
from tests.planted_beats import FS_HZ, count_beats, f1


@pytest.mark.parametrize(("n_patients", "minutes"), [(6, 2.0), pytest.param(12, 6.0, marks=pytest.mark.slow)])
def test_synthetic_beats_are_found(tmp_path, n_patients, minutes):
    cohort = make_cohort(tmp_path / "cohort", n_patients, minutes, seed=3, num_workers=0)
    settings = Settings(required_channels=["ECG"])
    kept, clean = np.zeros(3, int), np.zeros(3, int)
    for name in cohort.records.record:
        truth = cohort.beats(name)
        record = open_record(cohort.waveforms, name, settings.channels, settings.required_channels)
        for run in runs(record, settings.segment_seconds):
            windows = read_run(record, run, settings)
            keep_N = assess(list(windows.blocks.values()), settings).keep_N
            beats = detect_beats(windows.blocks["ECG"].filtered_NT, FS_HZ)
            for k in np.flatnonzero(keep_N):
                inside = np.abs(truth["beat_samples"] - windows.start_sample_N[k] - 625) <= 625
                planted_s = (truth["beat_samples"][inside] - windows.start_sample_N[k]) / FS_HZ
                counts = count_beats(beats.of(k) / FS_HZ, planted_s)
                kept += counts
                if truth["ecg_clean"][inside].all():
                    clean += counts
    assert kept[0] > 1000
    assert f1(clean) >= 0.99
    assert f1(kept) >= 0.97, "with the artefacts that quality lets pass"
