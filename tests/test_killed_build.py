"""SIGKILL in every phase of a build: the rerun redoes nothing that was finished, and the dataset is the same."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from tests.watched_build import Finished, Step, build_watched, building

GONE = Step("shutil.rmtree", "build")
PHASES = {
    "part written, without its name": (Step.rename("build/parts/*.h5"), 3),
    "part there, without its record": (Step.rename("build/parts/*.h5.done.json"), 3),
    "shard merged, without its name": (Step.rename("build/shards/*.h5"), 2),
    "shard there, without its record": (Step.rename("build/shards/*.h5.done.json"), 2),
    "shard finished, its parts half removed": (Step("os.remove", "build/parts/*.h5"), 4),
    "dataset merged, without its name": (Step.rename("build/full_dataset.h5"), 1),
    "dataset merged, without its record": (Step.rename("build/full_dataset.h5.done.json"), 1),
    "dataset finished, before the last rename": (Step.rename("full_dataset.h5"), 1),
    "between the last rename and the completion record": (Step.rename("full_dataset.h5.done.json"), 1),
    "tables half written": (Step.rename("full_dataset_metadata.parquet.done.json"), 1),
    "everything there, build folder not removed": (GONE, 1),
}
FAST = [
    "part there, without its record",
    "shard finished, its parts half removed",
    "dataset merged, without its name",
    "between the last rename and the completion record",
]
GROWN = [
    "dataset merged, without its record",
    "dataset finished, before the last rename",
    "between the last rename and the completion record",
    "everything there, build folder not removed",
]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=6, minutes=2, seed=11, num_workers=0)
    return Settings(
        waveforms_dir=str(folder / "waveforms"), num_workers=0, chunk_size=2,
        max_segments_per_patient=8, min_segments_per_patient=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(chosen: Settings, tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    """The uninterrupted build."""
    layout = OutputLayout(tmp_path_factory.mktemp("whole") / "out")
    assert build_watched(chosen, layout.root).exit_code == 0
    return layout


@pytest.fixture(scope="module")
def two(chosen: Settings, tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    """A finished build of two patients."""
    layout = OutputLayout(tmp_path_factory.mktemp("two") / "out")
    assert build_watched(chosen.model_copy(update={"max_patients": 2}), layout.root).exit_code == 0
    return layout


def content_hash(layout: OutputLayout) -> str:
    from ecgppg.store.reader import open_dataset

    with open_dataset(layout.dataset) as dataset:
        assert dataset.attributes["content_hash"] == dataset.content_hash()
        return dataset.content_hash()


def expect_same_after_rerun(chosen: Settings, layout: OutputLayout, whole: OutputLayout) -> None:
    """Build again: nothing finished is made again, and all is as if nothing had happened."""
    finished = Finished.of(layout)
    rerun = build_watched(chosen, layout.root)
    assert rerun.exit_code == 0
    record, wanted = read_completion(layout.dataset, verify=True), read_completion(whole.dataset)
    assert record is not None
    assert wanted is not None
    assert finished.redone_by(rerun, frozenset(record["subjects"])) == []
    assert content_hash(layout) == content_hash(whole)
    assert {key: record[key] for key in ("counts", "tally", "subjects", "labels", "quarantined", "rows")} == {
        key: wanted[key] for key in ("counts", "tally", "subjects", "labels", "quarantined", "rows")
    }
    assert layout.card_markdown.read_text() == whole.card_markdown.read_text()
    assert not layout.build.exists()
    assert not list(layout.root.rglob(".*.tmp"))
    recorded = [path.with_name(path.name.removesuffix(".done.json")) for path in layout.root.glob("*.done.json")]
    assert {path.name for path in recorded} == {
        p.name.removesuffix(".done.json") for p in whole.root.glob("*.done.json")
    }
    assert all(read_completion(path, verify=True) for path in recorded)


@pytest.mark.parametrize(
    "phase", [phase if phase in FAST else pytest.param(phase, marks=pytest.mark.slow) for phase in PHASES]
)
def test_killed_in_each_phase(phase: str, chosen: Settings, whole: OutputLayout, tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path / "out")
    step, n = PHASES[phase]
    assert build_watched(chosen, layout.root, step, n).exit_code == -signal.SIGKILL
    expect_same_after_rerun(chosen, layout, whole)


@pytest.mark.parametrize(
    "phase", [phase if phase in FAST else pytest.param(phase, marks=pytest.mark.slow) for phase in GROWN]
)
def test_killed_while_a_dataset_grows(
    phase: str, chosen: Settings, whole: OutputLayout, two: OutputLayout, tmp_path: Path
) -> None:
    layout = OutputLayout(tmp_path / "out")
    shutil.copytree(two.root, layout.root)
    step, n = PHASES[phase]
    assert build_watched(chosen, layout.root, step, n).exit_code == -signal.SIGKILL
    expect_same_after_rerun(chosen, layout, whole)


@pytest.mark.parametrize("being_written", ["build/parts/.*.h5.*.tmp", "build/shards/.*.h5.*.tmp", "build/.*.h5.*.tmp"])
def test_killed_while_a_file_is_being_written(
    being_written: str, chosen: Settings, whole: OutputLayout, tmp_path: Path
) -> None:
    layout = OutputLayout(tmp_path / "out")
    with building(chosen, layout.root) as (process, _):
        assert process.pid
        deadline_s = time.monotonic() + 120
        while True:
            assert process.is_alive(), "no such file was ever seen half written"
            assert time.monotonic() < deadline_s
            if not any(path.stat().st_size for path in found(layout.root, being_written)):
                continue
            # Held still, it shows whether it is in the middle of the file; if not, the next file comes.
            os.kill(process.pid, signal.SIGSTOP)
            while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
                pass
            if found(layout.root, being_written):
                break
            os.kill(process.pid, signal.SIGCONT)
        process.kill()
    (half,) = found(layout.root, being_written)
    assert not half.with_name(half.name.removeprefix(".").split(".h5")[0] + ".h5").exists()
    expect_same_after_rerun(chosen, layout, whole)


def found(root: Path, pattern: str) -> list[Path]:
    return [path for path in root.glob(pattern) if path.exists()]


@pytest.mark.slow
@pytest.mark.parametrize("grown", [False, True])
def test_killed_before_every_single_change_of_the_folder(grown: bool, chosen: Settings, tmp_path: Path) -> None:
    clinical = chosen.model_copy(update={"clinical_dir": str(Path(chosen.waveforms_dir or "").parent / "clinical")})
    whole, begun = OutputLayout(tmp_path / "whole"), OutputLayout(tmp_path / "begun")
    assert build_watched(clinical, whole.root).exit_code == 0
    begun.root.mkdir()
    if grown:
        assert build_watched(clinical.model_copy(update={"max_patients": 2}), begun.root).exit_code == 0
    layout = OutputLayout(tmp_path / "out")
    shutil.copytree(begun.root, layout.root)
    steps = build_watched(clinical, layout.root).steps
    assert len(steps) > 40
    seen: dict[Step, int] = {}
    for step in steps:
        seen[step] = seen.get(step, 0) + 1
        shutil.rmtree(layout.root)
        shutil.copytree(begun.root, layout.root)
        killed = build_watched(clinical, layout.root, step, seen[step])
        # Temporary names hold the number of the process: they are removed or renamed under other names.
        if killed.exit_code == 0:
            assert ".tmp" in step.path
            continue
        assert killed.exit_code == -signal.SIGKILL, step
        expect_same_after_rerun(clinical, layout, whole)
