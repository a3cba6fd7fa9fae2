"""Every signal file of the real recordings, whole and in random spans, beside wfdb."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgppg.waveform.codes import MISSING_CODE, missing_in
from ecgppg.waveform.header import Header, read_header
from ecgppg.waveform.reader import MISSING, available_frames, read_narrow, read_signals, to_physical

FOLDERS = ("mimic3wdb-samples", "mimic4wdb-samples", "bidmc", "challenge2015", "cinc2017", "ptbxl-fold10")
LEAST_FILES = {"mimic3wdb-samples": 25, "mimic4wdb-samples": 1, "bidmc": 37, "challenge2015": 36, "cinc2017": 400,
               "ptbxl-fold10": 244}  # fmt: skip


def readable(folder: Path) -> list[Header]:
    """Headers of one segment whose signal files are there."""
    headers = (read_header(path.parent, path.stem) for path in sorted(folder.rglob("*.hea")))
    return [header for header in headers if header.signals and available_frames(header)]


def by_wfdb(header: Header, start: int, stop: int, physical: bool) -> list[np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record = wfdb.rdrecord(
            str(header.folder / header.name),
            start,
            stop,
            physical=physical,
            smooth_frames=False,
            return_res=32 + 32 * physical,
        )
    return record.e_p_signal if physical else record.e_d_signal


def assert_equal(header: Header, start: int, n: int) -> None:
    theirs = by_wfdb(header, start, start + n, physical=False)
    signals = range(len(header.signals))
    for spec, wide, narrow, expected in zip(
        header.signals, read_signals(header, signals, start, n), read_narrow(header, signals, start, n), theirs,
        strict=True,
    ):  # fmt: skip
        absent = expected == MISSING_CODE[spec.fmt]
        assert len(wide) == n * spec.samples_per_frame
        np.testing.assert_array_equal(wide, np.where(absent, MISSING, expected), str(header.name))
        np.testing.assert_array_equal(narrow, np.where(absent, missing_in(narrow), expected), str(header.name))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_real_file_equals_wfdb(data_dir: Path, folder: str) -> None:
    rng = np.random.default_rng(3)
    headers = readable(data_dir / folder)
    assert len(headers) >= LEAST_FILES[folder]
    for header in headers:
        held = available_frames(header)
        assert held == header.n_samples
        assert_equal(header, 0, held)
        for _ in range(1 if len(headers) > 100 else 4):
            start = int(rng.integers(0, held))
            assert_equal(header, start, int(rng.integers(1, held - start + 1)))


@pytest.mark.parametrize("folder", FOLDERS)
def test_physical_values_equal_those_of_wfdb(data_dir: Path, folder: str) -> None:
    for header in readable(data_dir / folder)[:12]:
        n = min(available_frames(header), 20_000)
        codes = read_signals(header, range(len(header.signals)), 0, n)
        for spec, ours, theirs in zip(header.signals, codes, by_wfdb(header, 0, n, physical=True), strict=True):
            values = to_physical(ours, spec)
            np.testing.assert_array_equal(np.isnan(values), np.isnan(theirs))
            np.testing.assert_allclose(values, theirs, rtol=3e-7, atol=1e-6 * np.nanmax(np.abs(theirs), initial=1e-30))
