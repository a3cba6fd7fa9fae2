"""The header parser beside wfdb's, and against headers that lie."""

import warnings
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgppg.config.errors import DamagedRecord
from ecgppg.config.schema import READ_REASONS, UNKNOWN_TIME_US
from ecgppg.waveform.header import parse_header, read_header

EPOCH = datetime(1970, 1, 1)


def parse(text: str, name: str = "r"):
    return parse_header(text, Path("/nowhere"), name)


def reason_of(text: str, name: str = "r") -> str:
    with pytest.raises(DamagedRecord) as caught:
        parse(text, name)
    assert caught.value.reason in READ_REASONS
    return caught.value.reason


def test_header_reads_every_field():
    header = parse(
        "# before\nr 2 125/999.5(10) 7500 17:47:59.486 28/04/2183\n"
        "a.dat 212x4:3+24 127.5(-64)/mV 12 7 5 -77 0 lead II\n"
        "b.dat 16 255(-128)/NU 8 0 -128 0 0 PLETH\n# <age>: 60\n"
    )
    ecg, ppg = header.signals
    assert (header.fs_hz, header.n_samples, header.comments) == (125.0, 7500, ("before", "<age>: 60"))
    assert (ecg.file_name, ecg.fmt, ecg.samples_per_frame, ecg.skew, ecg.byte_offset) == ("a.dat", "212", 4, 3, 24)
    assert (ecg.gain, ecg.baseline, ecg.units, ecg.calibrated) == (127.5, -64, "mV", True)
    assert (ecg.adc_resolution, ecg.adc_zero, ecg.initial_value, ecg.checksum) == (12, 7, 5, -77)
    assert (ecg.name, ppg.name, ppg.units) == ("lead II", "PLETH", "NU")
    start = EPOCH + timedelta(microseconds=header.start_time_us)
    assert start == datetime(2183, 4, 28, 17, 47, 59, 486000)


def test_header_defaults_of_the_standard():
    header = parse("r 1\nr.dat 16\n")
    spec = header.signals[0]
    assert (header.fs_hz, header.n_samples, header.start_time_us) == (250.0, -1, UNKNOWN_TIME_US)
    assert (spec.gain, spec.calibrated, spec.baseline, spec.units, spec.checksum) == (200.0, False, 0, "mV", None)
    assert (spec.samples_per_frame, spec.skew, spec.byte_offset, spec.name) == (1, 0, 0, "")


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        ("0/mV", (200.0, False, 3)),
        ("1/mV", (1.0, False, 3)),
        ("43/mV", (43.0, True, 3)),
        ("43(-9)/mV", (43.0, True, -9)),
        ("-100", (-100.0, True, 3)),
        ("2/uV", (2000.0, True, 3)),
        ("2000/V", (2.0, True, 3)),
    ],
)
def test_header_gain_and_baseline(gain, expected):
    spec = parse(f"r 1 125 10\nr.dat 16 {gain} 16 3\n").signals[0]
    assert (pytest.approx(spec.gain), spec.calibrated, spec.baseline) == expected


@pytest.mark.parametrize("clock", ["31:25.894", "   31:25.894", "99:99:99", "noon", "25.894"])
def test_header_odd_segment_time_is_no_matter(clock):
    assert parse(f"r 1 125 906259 {clock}\nr.dat 80 26/mV 8 0 -5 -1251 0 MCL1\n").n_samples == 906259


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("00:31:25.894 10/10/2896", datetime(2896, 10, 10, 0, 31, 25, 894000)),
        ("31:25.894 10/10/2896", datetime(2896, 10, 10, 0, 31, 25, 894000)),
        ("3:01:07 1/01/2000", datetime(2000, 1, 1, 3, 1, 7)),
        ("12:00:00.123456789 29/02/2104", datetime(2104, 2, 29, 12, 0, 0, 123456)),
    ],
)
def test_header_start_time_is_exact_in_far_centuries(when, expected):
    header = parse(f"r/1 1 125 10 {when}\ns 10\n")
    assert EPOCH + timedelta(microseconds=header.start_time_us) == expected


@pytest.mark.parametrize("when", ["12:00:00", "12:00:00 31/02/2104", "12:00:00 2104-02-03", "05-Feb-2020 11:39:16"])
def test_header_start_time_unknown(when):
    assert parse(f"r/1 1 125 10 {when}\ns 10\n").start_time_us == UNKNOWN_TIME_US


@pytest.mark.parametrize(
    "record_line",
    ["r 1 -125 10", "r 1 1e12 10", "r 1 0 10", "r 1 nan 10", "r 257 125 10", "r -1 125 10", "r 1 125 -5",
     "r 1 125 900000000000"],
)  # fmt: skip
def test_header_implausible_record_line(record_line):
    assert reason_of(f"{record_line}\nr.dat 16 200 16 0 0 0 0 II\n") == "implausible_value"


@pytest.mark.parametrize("signal", ["16x0 200", "16x1001 200", "16 nan", "16 inf", "16 1e300", "16:9999999 200"])
def test_header_implausible_signal_line(signal):
    assert reason_of(f"r 1 125 10\nr.dat {signal} 16 0 0 0 0 II\n") == "implausible_value"


@pytest.mark.parametrize(
    "text",
    ["", "# only a comment\n", "r\n", "r x\n", "r 2 125 10\nr.dat 16 200\n", "r 1 125 ten\nr.dat 16 200\n",
     "r 1 125 10\nr.dat\n", "r 1 125 10\nr.dat sixteen 200\n", "r 1 125 10\nr.dat 16 200 x\n",
     "r/3 1 125 10\na 5\nb 5\n", "r/0 1 125 10\n", "r/2 1 125 10\na\nb 5\n",
     "r 2 125 10\na.dat 16 200\na.dat 212 200\n", "\0\0\0\0"],
)  # fmt: skip
def test_header_bad_syntax(text):
    assert reason_of(text) == "bad_header"


def test_header_segment_that_names_itself():
    assert reason_of("r/2 1 125 20\na 10\nr 10\n") == "implausible_value"


@pytest.mark.parametrize("file_name", ["../x.dat", "/etc/passwd", "a\0b.dat", "s3://bucket", "sub/../../x.dat", ".."])
def test_header_file_outside_folder(file_name, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "r.hea").write_text(f"r 1 125 10\n{file_name} 16 200 16 0 0 0 0 II\n")
    with pytest.raises(DamagedRecord, match="path_outside_folder"):
        read_header(folder, "r")


def test_header_links_stay_inside(tmp_path):
    folder = tmp_path / "records"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "secret.dat").write_bytes(b"secret")
    (folder / "deep" / "real.dat").write_bytes(b"real")
    (folder / "out.dat").symlink_to(tmp_path / "secret.dat")
    (folder / "in.dat").symlink_to(folder / "deep" / "real.dat")
    for file_name in ("in.dat", "deep/real.dat"):
        (folder / "r.hea").write_text(f"r 1 125 2\n{file_name} 16 200 16 0 0 0 0 II\n")
        assert read_header(folder, "r").signals[0].file_name == file_name
    (folder / "r.hea").write_text("r 1 125 2\nout.dat 16 200 16 0 0 0 0 II\n")
    with pytest.raises(DamagedRecord, match="path_outside_folder"):
        read_header(folder, "r")
    (tmp_path / "other.hea").write_text("other 0 125 2\n")
    (folder / "linked.hea").symlink_to(tmp_path / "other.hea")
    with pytest.raises(DamagedRecord, match="path_outside_folder"):
        read_header(folder, "linked")
    with pytest.raises(DamagedRecord, match="path_outside_folder"):
        read_header(folder, "../other")


def test_header_missing_or_no_file(tmp_path):
    with pytest.raises(DamagedRecord, match="missing_file"):
        read_header(tmp_path, "absent")
    (tmp_path / "folder.hea").mkdir()
    with pytest.raises(DamagedRecord, match="read_error"):
        read_header(tmp_path, "folder")


def test_header_random_bytes_never_raise_anything_else():
    rng = np.random.default_rng(0)
    whole = "r/2 2 125 2000 1:2:3 4/5/2100\na 1000\nb 1000\nr.dat 212x4:1+2 2(3)/mV 12 0 1 2 0 II\n"
    for _ in range(2000):
        letters = list(whole[rng.integers(0, 25) :])
        for position in rng.integers(0, len(letters), 4):
            letters[position] = chr(rng.integers(0, 300))
        with suppress(DamagedRecord):
            parse("".join(letters))


def test_header_as_wfdb_reads_it(data_dir):
    headers = sorted(data_dir.glob("mimic3wdb-samples/**/*.hea")) + sorted(data_dir.glob("mimic4wdb-samples/**/*.hea"))
    headers += sorted(data_dir.glob("bidmc/*.hea"))[:8] + sorted(data_dir.glob("c*201*/training*/*.hea"))[:60]
    assert len(headers) > 100
    for path in headers:
        ours = read_header(path.parent, path.stem)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = wfdb.rdheader(str(path.with_suffix("")))
        assert ours.fs_hz == theirs.fs, path
        assert ours.n_samples == theirs.sig_len, path
        if theirs.base_date is not None:
            assert EPOCH + timedelta(microseconds=ours.start_time_us) == theirs.base_datetime, path
        if ours.segments:
            assert [s.name for s in ours.segments] == theirs.seg_name
            assert [s.n_samples for s in ours.segments] == theirs.seg_len
            continue
        for i, spec in enumerate(ours.signals):
            told = (spec.file_name, spec.fmt, spec.samples_per_frame, spec.skew, spec.byte_offset, spec.baseline)
            assert told == (
                theirs.file_name[i], theirs.fmt[i], theirs.samps_per_frame[i] or 1, theirs.skew[i] or 0,
                theirs.byte_offset[i] or 0, theirs.baseline[i],
            ), path  # fmt: skip
            assert (spec.gain, spec.units) == (theirs.adc_gain[i], theirs.units[i])
            assert (spec.adc_resolution, spec.adc_zero) == (theirs.adc_res[i], theirs.adc_zero[i])
            assert (spec.initial_value, spec.checksum) == (theirs.init_value[i], theirs.checksum[i])
            assert spec.name == theirs.sig_name[i].strip()
