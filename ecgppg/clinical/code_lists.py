"""Definitions of labels, histories and medication classes: data, from the file beside this one or the user's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ecgppg.clinical.icd import compile_patterns
from ecgppg.config.errors import ConfigError
from ecgppg.core.files import config_hash

BUILT_IN = Path(__file__).with_name("code_lists.yaml")
NEEDED_LABELS = ("stroke", "stroke_history", "arrhythmia", "af")
"""Labels that the splits and the risk tasks are made of; a user's file may change their codes, not leave them out."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CodeList(_Part):
    """One group of ICD-9 codes.

    Attributes
    ----------
    meaning, source : str
    codes : tuple of str
        Patterns, see `icd.compile_patterns`.
    known : str
        When the fact is known; always "discharge".
    """

    meaning: str
    codes: tuple[str, ...] = Field(min_length=1)
    source: str
    known: str = "discharge"

    @field_validator("codes")
    @classmethod
    def _codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        compile_patterns(codes)
        return codes

    @field_validator("known")
    @classmethod
    def _known(cls, known: str) -> str:
        if known != "discharge":
            raise ValueError(f"is {known!r}; a diagnosis code is known at discharge and not before")
        return known


class DrugList(_Part):
    """One class of medications.

    Attributes
    ----------
    meaning : str
    names, unless : tuple of str
        A drug is of the class if a word of its name begins with one of `names` and none with one of `unless`
        (written `not` in the file); any case.
    known : str
        When a prescription counts as known, in words.
    """

    meaning: str
    names: tuple[str, ...] = Field(min_length=1)
    unless: tuple[str, ...] = Field((), alias="not")
    known: str


class _File(_Part):
    version: str
    source: str
    labels: dict[str, CodeList]
    history: dict[str, CodeList] = {}
    medications: dict[str, DrugList] = {}

    @field_validator("labels", "history", "medications")
    @classmethod
    def _names(cls, lists: dict[str, Any]) -> dict[str, Any]:
        for name in lists:
            if not (name.isascii() and name.isidentifier() and name == name.lower()) or name.startswith("death"):
                raise ValueError(f"{name!r} cannot name a column: lower-case letters, digits and _, not death...")
        return lists


@dataclass(frozen=True)
class Definitions:
    """The lists in force.

    Attributes
    ----------
    path : Path
        The file they came from.
    version, source : str
    labels, history : mapping of str to CodeList
    medications : mapping of str to DrugList
    """

    path: Path
    version: str
    source: str
    labels: Mapping[str, CodeList]
    history: Mapping[str, CodeList]
    medications: Mapping[str, DrugList]

    @property
    def labels_hash(self) -> str:
        """Hash of what the labels mean: names and codes, whatever the file and its wording."""
        return config_hash({name: sorted(codes.codes) for name, codes in self.labels.items()})

    @property
    def content_hash(self) -> str:
        """Hash of labels, histories and medication classes together."""
        lists = {
            "labels": self.labels_hash,
            "history": {name: sorted(codes.codes) for name, codes in self.history.items()},
            "medications": {name: [sorted(d.names), sorted(d.unless)] for name, d in self.medications.items()},
        }
        return config_hash(lists)


def load_definitions(path: Path | str | None = None) -> Definitions:
    """Read and check the label definitions.

    Parameters
    ----------
    path : Path, str or None
        The setting `code_lists`; None: the built-in lists. A section (history, medications) that the file leaves out
        keeps its built-in lists.

    Raises
    ------
    ConfigError
        The file is absent, is no YAML, has an unknown or missing key, or a pattern that is no code; names which.
    """
    built_in = _read(BUILT_IN)
    if path is None:
        return Definitions(
            BUILT_IN, built_in.version, built_in.source, built_in.labels, built_in.history, built_in.medications
        )
    own = _read(Path(path))
    given = own.model_fields_set
    absent = [name for name in NEEDED_LABELS if name not in own.labels]
    if absent:
        raise ConfigError(f"{path}: code_lists: labels lacks {absent[0]}, which splits and risk need")
    return Definitions(
        Path(path),
        own.version,
        own.source,
        own.labels,
        own.history if "history" in given else built_in.history,
        own.medications if "medications" in given else built_in.medications,
    )


def _read(path: Path) -> _File:
    try:
        with open(path, encoding="utf-8") as f:
            return _File.model_validate(yaml.safe_load(f))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: code_lists: cannot be read ({type(error).__name__})") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f", line {line + 1}"
        raise ConfigError(f"{path}: code_lists: is not YAML{where}") from None
    except RecursionError:
        raise ConfigError(f"{path}: code_lists: lists in lists without end") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: code_lists: {where or 'file'}: {first['msg']}") from None
