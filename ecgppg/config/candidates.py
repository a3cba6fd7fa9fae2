"""Candidates: named settings of the encoder and its training that are to be chosen between."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgppg.config.errors import ConfigError
from ecgppg.config.keys import kind_and_stage
from ecgppg.config.load import build_settings, read_mapping
from ecgppg.config.settings import Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LENGTH = "num_epochs"
"""The one setting of a candidate that may also grow."""


@dataclass(frozen=True)
class Candidate:
    """A few settings under a name.

    Attributes
    ----------
    name : str
        A folder has it too.
    changes : dict
        Settings that differ from what all candidates share.
    """

    name: str
    changes: dict[str, Any]


def read_candidates(path: Path) -> list[Candidate]:
    """Read a file of names, each with the settings that it changes; the others are compared with the first.

    Raises
    ------
    ConfigError
        If the file is not of that form, or a setting does not belong to training.
    """
    where = f"--candidates {path}"
    found = [candidate_of(name, changes, where) for name, changes in read_mapping(path, "--candidates").items()]
    if len(found) < 2:
        raise ConfigError(f"{where}: names {len(found)}; there is nothing to choose between")
    return found


def candidate_of(name: object, changes: object, where: str) -> Candidate:
    """A candidate, once it is sure that it can be one.

    Parameters
    ----------
    name, changes : object
        As a file holds them; None is no change.
    where : str
        What the error begins with.

    Raises
    ------
    ConfigError
        Names what cannot be: only settings that train an encoder may be chosen, since all candidates have to see the
        same windows and to be judged alike.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(f"{where}: {name!r} is no name; give letters, digits, '.', '_' and '-'")
    changes = {} if changes is None else changes
    if not isinstance(changes, dict):
        raise ConfigError(f"{where}: {name}: expected settings, found {type(changes).__name__}")
    for key in changes:
        field = Settings.model_fields.get(key)
        if field is None:
            # Names the nearest setting there is.
            build_settings({key: changes[key]})
        if field is None or (kind_and_stage(field) != ("content", "train") and key != LENGTH):
            raise ConfigError(f"{where}: {name}: {key} does not belong to training and cannot be chosen")
    return Candidate(name, dict(changes))


def with_changes(settings: Settings, changes: Mapping[str, Any], where: str) -> Settings:
    """Settings with those of a candidate in place of their own.

    Raises
    ------
    ConfigError
        If the result cannot be.
    """
    try:
        return build_settings(settings.model_dump(), changes)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
