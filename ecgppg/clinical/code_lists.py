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
    excluded_by : tuple of str
        Labels that, in this or an earlier admission, make a patient no new case of this one.
    known : str
        When the fact is known; always "discharge".
    """

    meaning: str
    codes: tuple[str, ...] = Field(min_length=1)
    source: str
    excluded_by: tuple[str, ...] = ()
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


class ChartedRhythm(_Part):
    """One rhythm as it is charted at the bedside.

    Attributes
    ----------
    meaning : str
    values : tuple of str
        Texts of CHARTEVENTS that mean it; any case.
    """

    meaning: str
    values: tuple[str, ...] = Field(min_length=1)


class _File(_Part):
    version: str
    source: str
    labels: dict[str, CodeList]
    history: dict[str, CodeList] = {}
    medications: dict[str, DrugList] = {}
    charted_rhythms: dict[str, ChartedRhythm] = {}

    @field_validator("charted_rhythms")
    @classmethod
    def _one_meaning(cls, rhythms: dict[str, ChartedRhythm]) -> dict[str, ChartedRhythm]:
        values = [value.casefold() for rhythm in rhythms.values() for value in rhythm.values]
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} stands in them twice")
        return rhythms

    @field_validator("labels")
    @classmethod
    def _known_exclusions(cls, labels: dict[str, CodeList]) -> dict[str, CodeList]:
        for name, group in labels.items():
            absent = [other for other in group.excluded_by if other not in labels]
            if absent:
                raise ValueError(f"{name} is excluded by {absent[0]!r}, which is no label")
        return labels

    @field_validator("labels", "history", "medications", "charted_rhythms")
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
    charted_rhythms : mapping of str to ChartedRhythm
    """

    path: Path
    version: str
    source: str
    labels: Mapping[str, CodeList]
    history: Mapping[str, CodeList]
    medications: Mapping[str, DrugList]
    charted_rhythms: Mapping[str, ChartedRhythm]

    @property
    def labels_hash(self) -> str:
        """Hash of what the labels mean: names, codes and charted values, whatever the file and its wording."""
        lists = {
            "labels": {name: [sorted(c.codes), sorted(c.excluded_by)] for name, c in self.labels.items()},
            "charted_rhythms": {name: sorted(r.values) for name, r in self.charted_rhythms.items()},
        }
        return config_hash(lists)

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
        The setting `code_lists`; None: the built-in lists. A section (history, medications, charted_rhythms) that the
        file leaves out keeps its built-in lists.

    Raises
    ------
    ConfigError
        The file is absent, is no YAML, has an unknown or missing key, or a pattern that is no code; names which.
    """
    built_in = _read(BUILT_IN)
    own = built_in if path is None else _read(Path(path))
    absent = [name for name in NEEDED_LABELS if name not in own.labels]
    if absent:
        raise ConfigError(f"{path}: code_lists: labels lacks {absent[0]}, which splits and risk need")
    sections = {
        name: getattr(own if name in own.model_fields_set else built_in, name)
        for name in ("history", "medications", "charted_rhythms")
    }
    return Definitions(BUILT_IN if path is None else Path(path), own.version, own.source, own.labels, **sections)


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
