"""A build stopped at any moment loses nothing that was done, and continues to the same dataset."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecgppg.config.errors import ConfigError, RefusedError
from ecgppg.config.schema import OutputLayout, is_label
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from ecgppg.core.lock import only_one
from ecgppg.stages import build
from tests.watched_build import Finished, Step, build_watched, kill, workers_of

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = [
    ROOT / "scripts" / f"{name}.py" for name in ("clustering_pipeline", "stroke_prediction", "validate_patterns")
]
LIMITS = {"max_segments_per_patient": 30, "min_segments_per_patient": 2, "chunk_size": 4}


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=8, minutes=3, seed=11, num_workers=0)
    return folder / "waveforms"


@pytest.fixture(scope="module")
def uninterrupted(waveforms: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return built(settings(waveforms), OutputLayout(tmp_path_factory.mktemp("whole")))


def settings(waveforms: Path, **changes: object) -> Settings:
    return Settings(**{"waveforms_dir": str(waveforms), "num_workers": 0, **LIMITS, **changes})


def built(chosen: Settings, layout: OutputLayout) -> str:
    """Build and return the content hash."""
    from ecgppg.store.reader import open_dataset

    build.run(chosen, layout)
    assert not layout.build.exists()
    with open_dataset(layout.dataset) as dataset:
        assert dataset.attributes["content_hash"] == dataset.content_hash()
        return dataset.content_hash()


@pytest.fixture(scope="module")
def finished(waveforms: Path, tmp_path_factory: pytest.TempPathFactory) -> OutputLayout:
    """A finished build of three patients."""
    layout = OutputLayout(tmp_path_factory.mktemp("three"))
    build.run(settings(waveforms, max_patients=3), layout)
    return layout


def content_hash(layout: OutputLayout) -> str:
    from ecgppg.store.reader import open_dataset

    with open_dataset(layout.dataset) as dataset:
        return dataset.content_hash()


def command(waveforms: Path, out: Path) -> list[str]:
    limits = [word for key, value in LIMITS.items() for word in ("--set", f"{key}={value}")]
    words = ["--build-dataset", "--waveforms", waveforms, "--output-dir", out, "--num-workers", "1", *limits]
    return [sys.executable, "production_pipeline.py", *map(str, words)]


def start(waveforms: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(waveforms, out), cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def wait_for_parts(process: subprocess.Popen[str], layout: OutputLayout, n: int) -> None:
    deadline_s = time.monotonic() + 120
    while len(list(layout.parts.glob("*.h5.done.json"))) + len(list(layout.shards.glob("*.done.json"))) < n:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_build_continues_to_the_same_dataset(
    number: signal.Signals, code: int, waveforms: Path, uninterrupted: str, tmp_path: Path
) -> None:
    layout = OutputLayout(tmp_path / "out")
    process = start(waveforms, layout.root)
    wait_for_parts(process, layout, 2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert not layout.dataset.exists()
    finished = Finished.of(layout)
    assert finished.patients
    rerun = build_watched(settings(waveforms), layout.root)
    assert finished.redone_by(rerun, frozenset({"all"})) == []
    assert content_hash(layout) == uninterrupted


@pytest.mark.parametrize("script", ["production_pipeline.py", *sorted(p.relative_to(ROOT) for p in SCRIPTS)])
def test_an_interrupt_before_the_first_option_is_read_is_quiet(script: str) -> None:
    interrupt = (
        "import os, runpy, signal, sys\n"
        "def hook(event, args):\n"
        "    if event == 'import' and args[0].startswith('ecgppg'):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(hook)\n"
        "runpy.run_path(sys.argv[1], run_name='__main__')\n"
    )
    run = subprocess.run([sys.executable, "-c", interrupt, script], cwd=ROOT, capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, b"", b"")


def test_a_worker_that_is_killed_costs_nothing(waveforms: Path, uninterrupted: str, tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path / "out")
    process = start(waveforms, layout.root)
    wait_for_parts(process, layout, 2)
    killed = [pid for pid in workers_of(process.pid) if kill(pid)]
    _, errors = process.communicate(timeout=120)
    assert killed
    assert process.returncode == 0, errors
    record = read_completion(layout.dataset, verify=True)
    assert record is not None
    assert record["quarantined"] == {}
    assert content_hash(layout) == uninterrupted


def test_more_patients_in_the_tree_or_a_higher_limit_build_only_what_is_new(
    waveforms: Path, uninterrupted: str, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(waveforms, tree)
    away = sorted(path for path in tree.glob("p*/p*") if path.is_dir())[-1]
    away.rename(tmp_path / away.name)
    layout = OutputLayout(tmp_path / "out")
    for grow, n_new in ((lambda: None, 3), (lambda: None, 4), ((tmp_path / away.name).rename, 1)):
        if n_new == 1:
            grow(away)
        built_now = build_watched(settings(tree, max_patients=3 if n_new == 3 else None), layout.root)
        assert built_now.exit_code == 0
        assert len(built_now.renames("build/parts/*.h5")) == n_new
    assert content_hash(layout) == uninterrupted
    assert build_watched(settings(tree), layout.root).renames("*.h5") == []


def test_patients_who_are_not_in_the_tree_any_more_stay_and_are_said(
    finished: OutputLayout, waveforms: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = finished.dataset.stat()
    other = tmp_path / "other"
    shutil.copytree(sorted(path for path in waveforms.glob("p*/p*") if path.is_dir())[0], other / "p00" / "p099999")
    with caplog.at_level("WARNING"):
        build.run(settings(waveforms, max_patients=3), finished)
        assert caplog.messages == []
        build.run(settings(other, max_patients=1), OutputLayout(shutil.copytree(finished.root, tmp_path / "copy")))
    assert [line for line in caplog.messages if "3 patients built before are not below" in line]
    assert finished.dataset.stat() == before


@pytest.mark.parametrize("changes", [{"num_workers": 1}, {"chunk_size": 3}, {"device": "cpu"}, {"num_epochs": 7}])
def test_execution_and_growth_keys_are_never_refused(
    changes: dict[str, object], finished: OutputLayout, waveforms: Path
) -> None:
    before = finished.dataset.stat()
    build.run(settings(waveforms, max_patients=3, **changes), finished)
    assert finished.dataset.stat() == before


def test_a_lower_limit_of_patients_leaves_what_is_built(finished: OutputLayout, waveforms: Path) -> None:
    before = finished.dataset.stat()
    build.run(settings(waveforms, max_patients=1), finished)
    assert finished.dataset.stat() == before


@pytest.mark.parametrize(("which", "damage"), [("part", "cut"), ("shard", "key"), ("dataset", "value")])
def test_a_completion_record_changed_by_hand_does_not_count(
    which: str, damage: str, waveforms: Path, uninterrupted: str, tmp_path: Path
) -> None:
    layout = OutputLayout(tmp_path / "out")
    stop = {"part": ("build/shards/*.h5", 1), "shard": ("build/full_dataset.h5", 1), "dataset": ("no such file", 1)}
    build_watched(settings(waveforms), layout.root, Step.rename(stop[which][0]), stop[which][1])
    folder = {"part": layout.parts, "shard": layout.shards, "dataset": layout.root}[which]
    record = sorted(folder.glob("*.h5.done.json"))[0]
    text = record.read_text()
    if damage == "cut":
        record.write_text(text[: len(text) // 2])
    else:
        changed = json.loads(text)
        changed["rows"] += 1
        if damage == "key":
            changed = {key: changed[key] for key in ("content", "rows", "bytes", "schema_version", "crc32")}
        record.write_text(json.dumps(changed))
    assert built(settings(waveforms), layout) == uninterrupted


def test_a_changed_content_key_is_refused_by_name_at_every_stage_and_fresh_starts_anew(
    waveforms: Path, tmp_path: Path
) -> None:
    for stop in ("build/shards/*.h5.done.json", "no such file"):
        layout = OutputLayout(tmp_path / stop.replace("/", "-").replace("*", "x"))
        build_watched(settings(waveforms, max_patients=2, chunk_size=1), layout.root, Step.rename(stop), 2)
        if not layout.build.exists() or list(layout.shards.glob("*.done.json")):
            with pytest.raises(RefusedError, match="max_segments_per_patient: 30 -> 40"):
                build.run(settings(waveforms, max_patients=2, max_segments_per_patient=40), layout)
    words = ["--max-patients", "2", "--set", "max_segments_per_patient=20", "--num-workers", "0", "--fresh"]
    anew = subprocess.run([*command(waveforms, layout.root), *words], cwd=ROOT, capture_output=True, check=False)
    assert anew.returncode == 0
    record = read_completion(layout.dataset, verify=True)
    assert record is not None
    assert record["content"]["max_segments_per_patient"] == 20


def test_two_builds_in_one_folder_are_refused(waveforms: Path, tmp_path: Path) -> None:
    with only_one(tmp_path, "build"), pytest.raises(RefusedError, match="another build"):
        build.run(settings(waveforms), OutputLayout(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_log_says_where_the_time_went(waveforms: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ecgppg.build")
    build.run(settings(waveforms, max_patients=2, chunk_size=1), OutputLayout(tmp_path))
    steps = [message.split()[1] for message in caplog.messages if message.startswith("time: ")]
    assert {"plan", "parts", "join", "final", "tables", "everything"} <= set(steps)
    assert {"read", "filter", "judge", "compress", "write", "merge"} <= set(steps)


def test_a_grown_dataset_counts_as_if_built_at_once(waveforms: Path, tmp_path: Path) -> None:
    clinical = str(waveforms.parent / "clinical")
    once, grown = OutputLayout(tmp_path / "once"), OutputLayout(tmp_path / "grown")
    build.run(settings(waveforms, clinical_dir=clinical), once)
    build.run(settings(waveforms, clinical_dir=clinical, max_patients=3), grown)
    build.run(settings(waveforms, clinical_dir=clinical), grown)
    counts = [(read_completion(layout.dataset) or {})["counts"] for layout in (once, grown)]
    assert counts[0] == counts[1]
    assert sum(n for key, n in counts[0].items() if key.startswith("linked:")) > 0


def test_the_number_of_workers_and_the_chunks_change_nothing(
    waveforms: Path, uninterrupted: str, tmp_path: Path
) -> None:
    assert built(settings(waveforms, num_workers=2, chunk_size=500), OutputLayout(tmp_path)) == uninterrupted


def test_without_clinical_tables_every_label_is_there_and_unknown(waveforms: Path, tmp_path: Path) -> None:
    import pandas as pd

    layout = OutputLayout(tmp_path)
    built(settings(waveforms, max_patients=2), layout)
    metadata = pd.read_parquet(layout.metadata)
    labels = [name for name in metadata if is_label(name)]
    assert {"stroke_this", "af_before", "death_90d"} <= set(labels)
    assert (metadata[labels] == -1).all(axis=None)


def test_a_build_without_waveforms_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="waveforms"):
        build.run(Settings(), OutputLayout(tmp_path))
