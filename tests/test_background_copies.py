"""What is copied beside other work is copied whole, and what cannot be is told."""

import os
from pathlib import Path

import pytest

from ecgppg.config.errors import RunError
from ecgppg.store.background_copies import MOST_WAITING, BackgroundCopies


def copied(folder: Path, wanted: dict[str, list[tuple[int, int, int]]]) -> bytes:
    """Ask for stretches of files whose descriptors are closed at once; what the target holds then."""
    target = os.open(folder / "target", os.O_RDWR | os.O_CREAT)
    copies = BackgroundCopies(target)
    try:
        for name, stretches in wanted.items():
            source = os.open(folder / name, os.O_RDONLY)
            copies.add(folder / name, source, stretches)
            os.close(source)
        copies.finish()
        return os.pread(target, 10**7, 0)
    finally:
        copies.close()
        os.close(target)


def test_many_files_are_copied_whole_and_in_place(tmp_path: Path) -> None:
    pieces = [os.urandom(30_000 + 7 * i) for i in range(3 * MOST_WAITING)]
    at, wanted = 0, {}
    for i, piece in enumerate(pieces):
        (tmp_path / str(i)).write_bytes(b"head" + piece)
        half = len(piece) // 2
        wanted[str(i)] = [(len(piece) - half, 4 + half, at + half), (half, 4, at)]
        at += len(piece)
    descriptors = len(os.listdir("/proc/self/fd"))
    assert copied(tmp_path, wanted) == b"".join(pieces)
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_file_that_ends_early_is_named(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(bytes(100))
    (tmp_path / "short").write_bytes(bytes(50))
    with pytest.raises(RunError, match="short ends before its last segment"):
        copied(tmp_path, {"whole": [(100, 0, 0)], "short": [(100, 0, 100)]})


def test_what_is_given_up_keeps_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(bytes(50))
    before = len(os.listdir("/proc/self/fd"))
    with open(tmp_path / "target", "wb") as target, open(tmp_path / "short", "rb") as short:
        copies = BackgroundCopies(target.fileno())
        for _ in range(MOST_WAITING):
            copies.add(tmp_path / "short", short.fileno(), [(100, 0, 0)])
        with pytest.raises(RunError, match="short ends"):
            copies.finish()
        copies.close()
    assert len(os.listdir("/proc/self/fd")) == before
