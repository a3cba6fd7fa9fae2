"""The order of the stages, what is refused, and what the user is told; every stage is imported when it runs."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ecgppg.config.errors import EcgppgError, InputError, RefusedError
from ecgppg.config.schema import OutputLayout, completion_path
from ecgppg.config.settings import Settings
from ecgppg.core.engine import chosen_engine
from ecgppg.core.files import changed_keys, read_json, write_json, write_text
from ecgppg.core.runlog import start_log
from ecgppg.preflight import check_demo, check_inputs, check_settings, make_folder

BUILD_STAGES = ("build",)
TRAIN_STAGES = ("split", "train", "embed")
STAGES = ("build", "split", "train", "embed", "discover", "validate", "stroke", "report")
FIXED_BY = {"build": ("build",), "split": ("run", "split"), "train": ("run", "train")}
"""Stages whose content settings may not change once their artefact lies there, and the groups they read."""

log = logging.getLogger("ecgppg")


def run_stages(
    settings: Settings, layout: OutputLayout, stages: tuple[str, ...], fresh: bool = False, verbose: bool = False
) -> int:
    """Run stages in order; what is done already is not done again.

    Parameters
    ----------
    settings : Settings
        Every setting of the run.
    layout : OutputLayout
        The output folder.
    stages : tuple of str
        Of `STAGES`, in their order.
    fresh : bool
        Remove what these stages and those after them made before.
    verbose : bool
        Show details on the terminal.

    Returns
    -------
    int
        0.

    Raises
    ------
    RefusedError
        A content setting differs from what lies in the folder.
    """
    _start(settings, layout, stages, fresh, verbose)
    if "build" in stages and not settings.waveforms_dir and settings.clinical_dir:
        stages = ("features", "stroke")
    _run(settings, layout, stages)
    _say_files(layout)
    return 0


def follow(settings: Settings, layout: OutputLayout) -> int:
    """Train with the first process of a torchrun, which does and says all else.

    Returns
    -------
    int
        0.
    """
    from ecgppg.training.distributed import NothingToTrain

    log.addHandler(logging.NullHandler())
    log.propagate = False
    with suppress(NothingToTrain):
        _runner("train")(settings, layout)
    return 0


def relabel(settings: Settings, layout: OutputLayout, verbose: bool = False) -> int:
    """Label definitions anew; signals and splits stay."""
    from ecgppg.stages import relabel as stage

    if not layout.dataset.is_file():
        raise InputError(f"{layout.dataset}: no dataset to relabel; build it first")
    refuse_changes(settings, layout)
    start_log(layout.log, verbose)
    stage.run(settings, layout)
    write_json(layout.config, settings.model_dump(mode="json"))
    return 0


def check(layout: OutputLayout, deep: bool = False) -> int:
    """Verify every artefact; prints what is wrong and returns 1, or says that all is well and returns 0."""
    from ecgppg.stages import check as stage

    if not layout.root.is_dir():
        raise InputError(f"--output-dir {layout.root}: no such folder")
    checked = stage.run(layout, deep=deep)
    for line in (*checked.problems, *checked.notes):
        print(line)
    if not checked.seen:
        raise InputError(f"--output-dir {layout.root}: holds nothing of ours to check")
    print(f"{len(checked.seen)} artefacts checked, {len(checked.problems)} problems")
    return 1 if checked.problems else 0


def dry_run(settings: Settings) -> int:
    """Print what a build would read and write."""
    from ecgppg.stages import dry_run as stage

    check_settings(settings, STAGES)
    start_log(None)
    print("\n".join(stage.describe(stage.run(settings), settings)))
    return 0


def demo_preset() -> dict[str, Any]:
    """Settings of the demo, for what the user does not give."""
    from ecgppg.stages.demo import PRESET

    return PRESET


def demo(settings: Settings, layout: OutputLayout, fresh: bool = False, verbose: bool = False) -> int:
    """Make the synthetic cohort and run every stage on it."""
    from ecgppg.stages import demo as stage

    check_demo(layout, stage.cohort_folder(layout))
    check_settings(settings, STAGES)
    make_folder(layout.root)
    started = stage.prepare(settings, layout)
    _start(started, layout, STAGES, fresh, verbose)
    _run(started, layout, STAGES[:-1])
    stage.compare_with_truth(layout)
    stage.simulate_stroke(started, layout)
    _run(started, layout, STAGES[-1:])
    _say_files(layout)
    return 0


def refuse_changes(settings: Settings, layout: OutputLayout) -> None:
    """Stop where a content setting differs from the one that made what lies in the folder."""
    stored = read_json(layout.config)
    if not isinstance(stored, dict):
        return
    begun = {
        "build": layout.dataset.exists() or layout.build.exists(),
        "split": layout.splits.exists(),
        "train": layout.latest_checkpoint.exists(),
    }
    for stage, groups in FIXED_BY.items():
        wanted = settings.content(*groups)
        changes = changed_keys({key: stored.get(key) for key in wanted}, wanted)
        if begun[stage] and changes:
            raise RefusedError(
                f"{layout.root} holds a {stage} made with other settings ({'; '.join(changes)}): restore them, "
                "name another --output-dir, or give --fresh to start anew"
            )


def remove_from(stage: str, layout: OutputLayout) -> None:
    """Remove what a stage and all after it made; nothing else in the folder is touched."""
    import shutil

    made: dict[str, list[Path]] = {
        "build": [
            layout.dataset, layout.metadata, layout.metadata_pickle, layout.features, layout.features_dictionary,
            layout.linkage, layout.patient_labels, layout.record_flow, layout.card_markdown, layout.card_json,
            layout.build,
        ],
        "split": [layout.splits],
        "train": [
            layout.latest_checkpoint, *layout.root.glob("checkpoint_epoch_*.pth"), layout.metrics,
            layout.tensorboard, layout.encoder,
        ],
        "embed": [layout.embeddings, layout.split_embeddings],
        "discover": [layout.discovery],
        "validate": [layout.validation],
        "stroke": [layout.stroke],
        "report": [layout.report],
    }  # fmt: skip
    first = STAGES.index(stage)
    for path in (path for name in STAGES[first:] for path in made[name]):
        completion_path(path).unlink(missing_ok=True)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _start(settings: Settings, layout: OutputLayout, stages: tuple[str, ...], fresh: bool, verbose: bool) -> None:
    """Refuse what cannot be, remove what is to be made anew, and note what was asked for."""
    check_inputs(settings, layout, stages, fresh)
    if "build" in stages and (fresh or not layout.dataset.is_file()):
        chosen_engine(settings, layout.build).check(settings.num_workers)
    make_folder(layout.root)
    if fresh:
        # Splits are frozen: training anew must not move a patient from test to train.
        remove_from("train" if stages == TRAIN_STAGES else stages[0], layout)
    refuse_changes(settings, layout)
    start_log(layout.log, verbose)


def _run(settings: Settings, layout: OutputLayout, stages: tuple[str, ...]) -> None:
    stored = layout.config.read_text(encoding="utf-8", errors="replace") if layout.config.is_file() else None
    write_json(layout.config, settings.model_dump(mode="json"))
    built_before = read_json(completion_path(layout.dataset))
    for stage in stages:
        if stage == "stroke" and not layout.features.is_file():
            log.info("== stroke: left out, there are no clinical tables to tell who had one")
            continue
        began_s = time.monotonic()
        log.info("== %s", stage)
        # A build says what its labels count; nothing is trained on one of an earlier run without saying it again.
        if stage == "split" and built_before is not None and read_json(completion_path(layout.dataset)) == built_before:
            _say_counts(settings, layout)
        try:
            made = _runner(stage)(settings, layout)
        except EcgppgError as error:
            if error.exit_code == 2 and stage == stages[0]:
                _put_back(layout.config, stored)
            raise
        log.debug("stage %s took %.1f s", stage, time.monotonic() - began_s)
        if stage == "build" and made["n_segments"] == 0 and len(stages) > 1:
            log.warning("no segment was kept: %s are left out", ", ".join(stages[1:]))
            break


def _say_counts(settings: Settings, layout: OutputLayout) -> None:
    from ecgppg.stages.label_counts import say_counts

    say_counts(settings, layout)


def _put_back(config: Path, stored: str | None) -> None:
    """Settings that made nothing must not replace those that made what lies here."""
    if stored is None:
        config.unlink(missing_ok=True)
    else:
        write_text(config, stored)


def _runner(stage: str) -> Callable[[Settings, OutputLayout], Any]:
    from importlib import import_module

    names = {"features": "features_only"}
    module = import_module(f"ecgppg.stages.{names.get(stage, stage)}")
    return module.run


def _say_files(layout: OutputLayout) -> None:
    opened = (
        (layout.report, "the whole run on one page"),
        (layout.card_markdown, "where every window went"),
        (layout.discovery / "explorer.html", "patterns, as strips"),
        (layout.validation / "validation.md", "patterns against diagnoses, by patient"),
        (layout.stroke / "stroke_report.html", "stroke: detection and prediction"),
        (layout.stroke / "simulated" / "stroke_report.html", "the same report on simulated patients"),
    )
    there = [(path, words) for path, words in opened if path.is_file()]
    if there:
        width = max(len(str(path)) for path, _ in there)
        log.info("\n".join(["", "open:", *(f"  {path!s:<{width}}  {words}" for path, words in there)]))
