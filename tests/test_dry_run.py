"""A dry run says beforehand what the build then does."""

import time
from pathlib import Path
from typing import Any

import pytest

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.stages import build, dry_run
from ecgppg.stages.dry_run import Forecast, describe, forecast
from ecgppg.stages.plan import plan_build
from ecgppg.stages.sample import PatientSample, Sample, spread
from ecgppg.stages.sample_merge import Line, MergeCost


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(folder, n_patients=6, minutes=15, seed=5, num_workers=0)
    return folder / "waveforms"


def settings_of(waveforms: Path, **changes: Any) -> Settings:
    return Settings(**{"waveforms_dir": str(waveforms), "num_workers": 0, "min_segments_per_patient": 5, **changes})


def bytes_read_by_this_process() -> int:
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counters["rchar"])


def built(settings: Settings, folder: Path) -> tuple[dict[str, Any], int]:
    """What a build did, and the bytes that it left."""
    done = build.run(settings, OutputLayout(folder))
    return done, sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize(
    "limits",
    [{"max_segments_per_patient": 60, "max_patients": 4, "chunk_size": 3}, {"max_segments_per_patient": None}],
    ids=["limited", "every window"],
)
def test_windows_and_bytes_are_those_of_the_build(waveforms: Path, tmp_path: Path, limits: dict[str, Any]) -> None:
    settings = settings_of(waveforms, **limits)
    said = dry_run.run(settings)
    done, n_bytes = built(settings, tmp_path / "out")
    assert said.n_patients == done["counts"]["patients_planned"]
    assert said.n_candidates == done["counts"]["windows_candidate"]
    assert said.n_judged == pytest.approx(done["counts"]["windows_judged"], rel=0.1)
    assert said.n_kept == pytest.approx(done["n_segments"], rel=0.1)
    assert said.n_bytes_written == pytest.approx(n_bytes, rel=0.1)


@pytest.mark.parametrize("limit", [60, None])
def test_bytes_read_are_planned(waveforms: Path, limit: int | None) -> None:
    """By the kernel's count, the headers' bytes aside; what imports and kernels read comes before it."""
    from ecgppg.waveform.patient import read_patient

    if not Path("/proc/self/io").exists():
        pytest.skip("this system does not count the bytes a process reads")
    settings = settings_of(waveforms, max_segments_per_patient=limit)
    plan = plan_build(settings)

    def read_all() -> float:
        planned_bytes = 0.0
        for planned in plan.patients:
            patient = planned.patient
            counts = read_patient(waveforms, patient.subject, patient.subject_id, patient.records, settings).counts
            planned_bytes += planned.n_bytes * counts["windows_judged"] / max(planned.n_candidates, 1)
        return planned_bytes

    read_all()
    before = bytes_read_by_this_process()
    planned_bytes = read_all()
    assert planned_bytes == pytest.approx(bytes_read_by_this_process() - before, rel=0.1)


def test_nothing_is_left_behind(waveforms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(waveforms.rglob("*"))
    dry_run.run(settings_of(waveforms, max_segments_per_patient=10, max_patients=1))
    assert sorted(waveforms.rglob("*")) == before
    assert not list(tmp_path.iterdir())


def test_a_tree_without_a_window_costs_its_headers_alone(tmp_path: Path) -> None:
    (tmp_path / "a.hea").write_text("a 1 125 5\na.dat 16 200 16 0 0 0 0 RESP\n")
    (tmp_path / "a.dat").write_bytes(bytes(10))
    settings = Settings(waveforms_dir=str(tmp_path), source="wfdb")
    said = dry_run.run(settings)
    assert (said.n_patients, said.n_kept, said.n_bytes_written, said.sample) == (1, 0, 0, None)
    assert describe(said, settings)[-1] == "no patient has a candidate window: nothing to sample"


def scaled(plan: Any, settings: Settings, shares: tuple[float, ...], **changes: Any) -> Forecast:
    """A forecast by strangers of so many shares: none of them is in the plan."""
    like = tuple(PatientSample(-1 - i, 1000, round(1000 * share), round(1e6 * share)) for i, share in enumerate(shares))
    merge = MergeCost(0.1, 0.01, Line(2.0, 0.02), Line(0.0, 0.0))
    sample = Sample(like, 2, 3.0, 0.5, 0.001, merge)
    return forecast(plan, 10.0, sample, settings.model_copy(update=changes))


def test_limits_count_per_patient(waveforms: Path) -> None:
    settings = settings_of(waveforms, max_segments_per_patient=40)
    plan = plan_build(settings)
    candidates = [p.n_candidates for p in plan.patients]
    said = scaled(plan, settings, (0.5,))
    assert said.n_kept == round(sum(min(40, n / 2) for n in candidates))
    assert said.n_judged == round(sum(min(80, n) for n in candidates))
    assert said.n_bytes_written == 1000 * said.n_kept
    assert said.n_bytes_read == pytest.approx(sum(p.n_bytes * min(80, p.n_candidates) / max(p.n_candidates, 1)
                                                  for p in plan.patients), abs=1)  # fmt: skip
    halves = scaled(plan, settings, (1.0, 0.0))
    assert halves.n_kept == round(sum(min(40, n) for n in candidates) / 2), "of those with nothing, nothing is kept"
    assert halves.n_judged == pytest.approx(sum((min(40, n) + n) / 2 for n in candidates), abs=1)
    assert scaled(plan, settings, (0.5,), min_segments_per_patient=10**6).n_kept == 0


def test_time_is_start_work_and_merge(waveforms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "cores", lambda: 4)
    settings = settings_of(waveforms, max_segments_per_patient=None, chunk_size=4)
    plan = plan_build(settings)
    n, n_windows = len(plan.patients), sum(p.n_candidates for p in plan.patients)
    work_s = 0.5 * n + 0.001 * n_windows
    assert n == 6
    shards_s = 4 / 6 * (0.1 * n + 0.01 * n_windows / 2)  # the last chunk, two of the six, stays in parts
    for workers, parallel in ((0, 1), (1, 1), (3, 3), (64, 4)):
        said = scaled(plan, settings, (0.5,), num_workers=workers)
        assert said.n_parallel == parallel
        assert said.seconds == pytest.approx(
            10 + 3 + (work_s + shards_s) / parallel + 2 + 0.02 * n_windows / 2, rel=1e-3
        )


def test_the_sample_is_spread_over_the_plan() -> None:
    assert spread([], 3) == []
    assert spread(list(range(2)), 3) == [0, 1]
    assert spread(list(range(9)), 3) == [1, 4, 7]


def test_a_line_never_falls_and_never_begins_below_nothing() -> None:
    assert Line.through((10, 2.0), (110, 3.0)) == Line(pytest.approx(1.9), pytest.approx(0.01))
    assert Line.through((10, 2.0), (110, 1.0)) == Line(1.0, 0.0)
    assert Line.through((10, 0.001), (20, 1.0)).fixed == 0.0
    assert Line.through((10, 0.001), (20, 1.0)).at(20) == pytest.approx(1.0)
    assert Line.through((5, 1.0), (5, 1.0)) == Line(1.0, 0.0)


@pytest.mark.slow
def test_time_is_that_of_the_build(tmp_path: Path) -> None:
    """With two workers on a tree that takes many times as long as they need to start."""
    from ecgppg.synthetic.cohort import make_cohort

    make_cohort(tmp_path / "cohort", n_patients=60, minutes=150, seed=6, num_workers=2)
    settings = settings_of(tmp_path / "cohort" / "waveforms", max_segments_per_patient=None, num_workers=2)
    before = dry_run.run(settings)
    began_s = time.monotonic()
    built(settings, tmp_path / "out")
    took_s = time.monotonic() - began_s
    after = dry_run.run(settings)  # A machine that others use changes its speed meanwhile.
    assert (before.seconds + after.seconds) / 2 == pytest.approx(took_s, rel=0.3)
