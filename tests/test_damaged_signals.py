"""Signal files cut short or with a bit turned: counted when read, and the turned ones found by their checksum."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecgppg.cli import production
from ecgppg.config.settings import Settings
from ecgppg.waveform.checksums import SAMPLES_PER_BLOCK, verify_header, verify_record
from ecgppg.waveform.header import read_header
from ecgppg.waveform.patient import read_patient
from tests.test_wfdb_reader import write_record
from tests.wfdb_records import beats, write_master

N = 125 * 35
SETTINGS = Settings(channels=["ECG", "PPG"], required_channels=["ECG"], min_segments_per_patient=1)


def write_summed(folder: Path, name: str, fmt: str, seed: int) -> Path:
    """A segment whose header states the checksums; the signal file."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = np.stack(list(beats(N, seed).values()), axis=1)
    sums = codes.sum(axis=0) % 65536
    flat = codes.reshape(-1)
    if fmt == "80":
        stored = np.clip(flat, -127, 127)
        sums = stored.reshape(-1, 2).sum(axis=0) % 65536
        content = (stored + 128).astype("u1").tobytes()
    elif fmt == "16":
        content = flat.astype("<i2").tobytes()
    else:
        first, second = (flat[i::2] & 0xFFF for i in (0, 1))
        triples = np.stack([first & 0xFF, first >> 8 | (second >> 8) << 4, second & 0xFF], axis=1)
        content = triples.astype("u1").tobytes()
    lines = [
        f"{name}.dat {fmt} 100(0)/{u} 12 0 0 {s} 0 {n}"
        for u, s, n in zip(("mV", "NU"), sums, ("II", "PLETH"), strict=True)
    ]
    (folder / f"{name}.hea").write_text("\n".join([f"{name} 2 125 {N}", *lines]) + "\n")
    (folder / f"{name}.dat").write_bytes(content)
    return folder / f"{name}.dat"


def test_a_hundred_damaged_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    cut = flipped = 0
    for k in range(100):
        fmt = ("80", "16", "212")[k % 3]
        path = write_summed(tmp_path, "a", fmt, seed=k % 6)
        assert verify_header(read_header(tmp_path, "a")).counts["verified"] == 2
        whole = path.read_bytes()
        if k % 4 == 0:
            path.write_bytes(whole[: int(rng.integers(len(whole)))])
            cut += 1
        else:
            content = bytearray(whole)
            content[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
            path.write_bytes(content)
            flipped += 1
        windows = read_patient(tmp_path, "p", 1, ["a"], SETTINGS)
        found = verify_record(tmp_path, "a")
        if k % 4 == 0:
            assert windows.counts["record:short_file"] or windows.counts["record:missing_file"]
            assert found.counts["short_file"] == 2
            assert "a.dat" in found.damages[0]
        else:
            assert found.counts["bad_checksum"] == 1, (k, found)
            (line,) = found.mismatches
            assert str(path) in line
    assert (cut, flipped) == (25, 75)


@pytest.mark.parametrize("fmt", ["80", "16", "212", "24", "32", "508", "516", "524"])
def test_sums_are_those_that_wfdb_writes(tmp_path: Path, fmt: str) -> None:
    # wfdb computes its checksums from the codes it is given, missing ones by the code the format has for them.
    header = write_record(tmp_path, "r", [fmt] * 2, 300, [1, 1])
    import wfdb

    record = wfdb.rdrecord(str(tmp_path / "r"), physical=False, smooth_frames=False, return_res=64)
    sums = [int(signal.sum()) % 65536 for signal in record.e_d_signal]
    text = (tmp_path / "r.hea").read_text().splitlines()
    for line in (1, 2):
        words = text[line].split(" ")
        words[6] = str(sums[line - 1] - 65536 * (sums[line - 1] > 40000))
        text[line] = " ".join(words)
    (tmp_path / "r.hea").write_text("\n".join(text) + "\n")
    assert verify_header(read_header(tmp_path, "r")).counts == Counter(
        signals=2, verified=2, bytes=(tmp_path / "r.dat").stat().st_size
    )
    assert verify_header(header).counts["unstated"] == 2


def test_skew_moves_no_sample_out_of_the_sum(tmp_path: Path) -> None:
    write_summed(tmp_path, "a", "16", seed=0)
    header = (tmp_path / "a.hea").read_text()
    (tmp_path / "a.hea").write_text(header.replace("a.dat 16", "a.dat 16:25"))
    assert verify_record(tmp_path, "a").counts["verified"] == 2


def test_every_segment_is_summed_and_every_damage_named(tmp_path: Path) -> None:
    for k, name in enumerate("abcd"):
        write_summed(tmp_path, name, "80", seed=k)
    (tmp_path / "b.dat").unlink()
    (tmp_path / "c.hea").write_text("garbage")
    write_master(tmp_path, "r", [("r_layout", 0), *((name, N) for name in "abcd"), ("~", 50), ("a", N)])
    found = verify_record(tmp_path, "r")
    assert found.counts["verified"] == 4
    assert (found.counts["missing_file"], found.counts["bad_header"]) == (2, 1)
    assert len(found.damages) == 2
    assert verify_record(tmp_path, "absent").counts == Counter(missing_file=1)
    assert verify_record(tmp_path, "../elsewhere").counts == Counter(path_outside_folder=1)


def test_a_long_file_is_summed_in_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    n = 12 * SAMPLES_PER_BLOCK
    codes = np.random.default_rng(0).integers(-100, 100, n, np.int16)
    codes.tofile(tmp_path / "a.dat")
    stated = int(codes.sum(dtype=np.int64)) % 65536
    (tmp_path / "a.hea").write_text(f"a 1 125 {n}\na.dat 16 100/mV 16 0 0 {stated} 0 II\n")
    del codes
    tracemalloc.start()
    assert verify_record(tmp_path, "a").counts["verified"] == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * SAMPLES_PER_BLOCK


def test_check_deep_names_what_was_flipped_after_the_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "records"
    paths = [write_summed(folder, f"r{k}", "80", seed=k) for k in range(10)]
    words = ["--source", "wfdb", "--waveforms", str(folder), "--output-dir", str(tmp_path / "out")]
    assert production.main(["--build-dataset", *words, "--set", "required_channels=[ECG]", "--num-workers", "0"]) == 0
    deep = ["--check", "--deep", "--output-dir", str(tmp_path / "out")]
    assert production.main(deep) == 0
    assert "20 of 20 signals in 10 records verified" in capsys.readouterr().out
    content = bytearray(paths[3].read_bytes())
    content[777] ^= 0x20
    paths[3].write_bytes(content)
    paths[5].write_bytes(paths[5].read_bytes()[:-9])
    # A count and a line, and no fault of the output folder: the exit code is that of its artefacts.
    assert production.main(deep) == 0
    said = capsys.readouterr().out
    assert f"{paths[3]}: bad_checksum: signal 'PLETH'" in said
    assert "17 of 20 signals in 10 records verified" in said
    assert "1 differ" in said
    assert f"{paths[5]}: short_file" in said
    folder.rename(tmp_path / "moved")
    assert production.main(deep) == 0
    assert "not verified" in capsys.readouterr().out
