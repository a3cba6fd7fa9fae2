"""Settings that each outer fold's encoder is trained with, as they were chosen without that fold's patients."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from ecgppg.config.candidates import candidate_of, with_changes
from ecgppg.config.errors import ConfigError, InputError, RefusedError
from ecgppg.config.load import read_mapping
from ecgppg.config.settings import Settings
from ecgppg.core.files import changed_keys, read_json, write_json
from ecgppg.stages.evaluate_layout import EvaluationLayout
from ecgppg.stages.evaluate_train import folds_hash
from ecgppg.store.reader import SegmentDataset

Choice = dict[str, Any]
"""`fold`, `candidate` (its name) and `changes` (its settings), as choice.json and results.json hold them."""
_log = logging.getLogger("ecgppg.evaluate")


def chosen_for(
    settings: Settings, layout: EvaluationLayout, folds: pd.DataFrame, dataset: SegmentDataset, path: Path | None
) -> list[Choice] | None:
    """What each fold chose: given now, or when these encoders were begun; None where nothing was chosen.

    Parameters
    ----------
    settings : Settings
    layout : EvaluationLayout
    folds : DataFrame
        subject_id, fold.
    dataset : SegmentDataset
    path : Path or None
        A choice.json.

    Raises
    ------
    ConfigError
        If the file is no choice, or a setting in it does not belong to training.
    InputError
        If it was made on another dataset.
    RefusedError
        If it was made for other folds, whose patients may have chosen what is to be judged by them, or encoders of
        this name were begun with another choice or with none.
    """
    kept = read_json(layout.choices)
    if path is None:
        return kept
    given = _read(path, settings, folds, dataset)
    if kept is None and layout.config.is_file():
        raise RefusedError(f"{layout.config.parent} holds encoders trained without --choices; give --name another name")
    if kept is not None and kept != given:
        words = [
            f"fold {new['fold'] + 1}: {_words(old)} -> {_words(new)}"
            for old, new in zip(kept, given, strict=True)
            if old != new
        ]
        raise RefusedError(
            f"{layout.choices.parent} holds encoders trained otherwise: {'; '.join(words)}; put these back, or give "
            "the new ones another --name"
        )
    return given


def keep_choices(layout: EvaluationLayout, choices: list[Choice] | None) -> None:
    """Write down what each fold chose, so that another question need not name the file again."""
    if choices is not None and not layout.choices.is_file():
        write_json(layout.choices, choices)


def settings_of_folds(settings: Settings, choices: list[Choice] | None) -> list[Settings]:
    """Settings of each outer fold's encoder."""
    if choices is None:
        return [settings] * settings.outer_folds
    return [
        with_changes(settings, choice["changes"], f"--choices, fold {choice['fold'] + 1}, {choice['candidate']}")
        for choice in choices
    ]


def _read(path: Path, settings: Settings, folds: pd.DataFrame, dataset: SegmentDataset) -> list[Choice]:
    where, held = f"--choices {path}", read_mapping(path, "--choices")
    try:
        content_hash, hash_of_folds, chosen_under = held["dataset"], held["folds"], dict(held["settings"])
        winners = [(int(won["fold"]), won["candidate"], won["changes"]) for won in held["winners"]]
    except (LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"{where}: is not what choose_encoder.py writes ({type(error).__name__})") from error
    if content_hash != str(dataset.attributes.get("content_hash", "")):
        raise InputError(f"{where}: was chosen on another dataset than {dataset.path}")
    if hash_of_folds != folds_hash(folds) or [fold for fold, _, _ in winners] != list(range(settings.outer_folds)):
        raise RefusedError(
            f"{where}: was chosen for other outer folds, whose patients are others than these; give the --output-dir, "
            "or the seed and outer_folds, that it was chosen with"
        )
    candidates = [candidate_of(name, changes, where) for _, name, changes in winners]
    now = settings.content("train") | {"num_epochs": settings.num_epochs}
    if changed := changed_keys({key: chosen_under.get(key) for key in now}, now):
        _log.warning("what the folds chose was chosen under other settings: %s", "; ".join(changed))
    return [{"fold": fold, "candidate": c.name, "changes": c.changes} for fold, c in enumerate(candidates)]


def _words(choice: Choice) -> str:
    changes = ", ".join(f"{key}={value}" for key, value in choice["changes"].items())
    return f"{choice['candidate']}{f' ({changes})' if changes else ''}"
