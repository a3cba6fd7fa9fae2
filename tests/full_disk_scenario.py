"""What is done to a small disk, run within a mount namespace of its own: waveforms, mount point, another folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgppg.cli.guard import run_guarded
from ecgppg.config.errors import RunError
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.stages import build, shards
from ecgppg.stages.parts import BuiltPart, PartJob

DISK_BYTES = 8_000_000


def main(waveforms: str, small: str, whole: str) -> None:
    """Raises AssertionError where the build does not behave."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", small], check=True)
    chosen = Settings(waveforms_dir=waveforms, num_workers=0, chunk_size=2, min_segments_per_patient=2)
    expected = _built(chosen, OutputLayout(Path(whole)))
    layout, ballast = OutputLayout(Path(small) / "out"), Path(small) / "ballast"

    _fill(ballast, leave=50_000)
    said = _refused(chosen, layout)
    assert "the build needs about" in said, said
    assert not layout.build.exists()
    ballast.unlink()

    # Another program fills the disk when the parts of the first chunk are there.
    merge = shards.check_room_for_merge

    def fill_and_check(*args: object, **kwargs: object) -> None:
        _fill(ballast, leave=10_000)
        merge(*args, **kwargs)

    shards.check_room_for_merge = fill_and_check
    said = _refused(chosen, layout)
    assert "merging 2 parts into shard_00000.h5 needs about" in said, said
    shards.check_room_for_merge = merge
    parts = _files(layout.parts)
    assert len(parts) == 2

    # Room for what is asked for, but not for what comes: the disk fills up while a file is written.
    write = shards.build_part

    def fill_and_build(job: PartJob) -> BuiltPart:
        if not job.path.exists():
            _fill(ballast, leave=8_000)
        return write(job)

    ballast.unlink()
    shards.build_part = fill_and_build
    assert run_guarded(lambda: len(build.run(chosen, layout))) == 1
    shards.build_part = write
    first_shard = _files(layout.shards)
    assert list(first_shard) == ["shard_00000.h5"]
    assert not _files(layout.parts)
    assert not list(layout.root.rglob(".*.tmp"))
    ballast.unlink()

    final = build.write_merged

    def look_and_merge(*args: object) -> None:
        assert first_shard == _files(layout.shards)
        final(*args)

    build.write_merged = look_and_merge
    assert _built(chosen, layout) == expected


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in sorted(folder.glob("*.h5"))}


def _built(chosen: Settings, layout: OutputLayout) -> str:
    from ecgppg.store.reader import open_dataset

    build.run(chosen, layout)
    with open_dataset(layout.dataset) as dataset:
        return dataset.content_hash()


def _refused(chosen: Settings, layout: OutputLayout) -> str:
    with pytest.raises(RunError) as refusal:
        build.run(chosen, layout)
    assert refusal.value.exit_code == 1
    return str(refusal.value)


def _fill(ballast: Path, leave: int) -> None:
    free = os.statvfs(ballast.parent)
    with open(ballast, "ab") as file:
        file.write(bytes(max(free.f_bavail * free.f_frsize - leave, 0)))


if __name__ == "__main__":
    main(*sys.argv[1:])
