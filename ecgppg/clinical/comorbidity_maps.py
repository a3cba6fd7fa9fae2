"""Which ICD-9 codes make which comorbidity: data, from the files beside this one or the user's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ecgppg.clinical.ccs import read_ccs
from ecgppg.clinical.icd import compile_patterns, matches, normalise
from ecgppg.config.errors import ConfigError
from ecgppg.config.schema import is_label
from ecgppg.core.files import config_hash

ELIXHAUSER = Path(__file__).with_name("elixhauser.yaml")
CHA2DS2_VASC = Path(__file__).with_name("cha2ds2_vasc.yaml")
SCORE_GROUPS = ("heart_failure", "hypertension", "diabetes", "stroke", "vascular")
"""Diagnoses that CHA2DS2-VASc counts; a user's file may change their codes and points, not leave one out."""


class Group(BaseModel):
    """One comorbidity.

    Attributes
    ----------
    meaning : str
    codes : tuple of str
        Patterns, see `icd.compile_patterns`.
    points : int
        What it adds to a score; 0 where the map is no score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    meaning: str
    codes: tuple[str, ...] = Field(min_length=1)
    points: int = 0

    @field_validator("codes")
    @classmethod
    def _codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        compile_patterns(codes)
        return codes


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    source: str
    groups: dict[str, Group] = Field(min_length=1)

    @field_validator("groups")
    @classmethod
    def _names(cls, groups: dict[str, Group]) -> dict[str, Group]:
        for name in groups:
            if not (name.isascii() and name.isidentifier() and name == name.lower()) or is_label(name):
                raise ValueError(f"{name!r} cannot name a column: lower-case letters, digits and _, and not as a label")
        return groups


@dataclass(frozen=True, eq=False)
class GroupMap:
    """Groups of codes, by patterns or, for CCS, code by code.

    Attributes
    ----------
    version, source : str
    meanings : mapping of str to str
        {group: what it is}, in the order of the columns.
    patterns : mapping of str to tuple of str
        {group: patterns}; empty where `group_of` is used.
    group_of : mapping of str to str
        {code without its point: group}.
    points : mapping of str to int
    """

    version: str
    source: str
    meanings: Mapping[str, str]
    patterns: Mapping[str, tuple[str, ...]]
    group_of: Mapping[str, str]
    points: Mapping[str, int]

    @property
    def content(self) -> dict[str, object]:
        """What the map means, whatever its wording: for a hash."""
        return {
            "patterns": {name: sorted(codes) for name, codes in self.patterns.items()},
            "group_of": dict(self.group_of),
            "points": dict(self.points),
        }

    def membership(self, codes: pd.Index) -> np.ndarray:
        """Which codes belong to which group.

        Parameters
        ----------
        codes : Index of str, length C
            As the tables write them.

        Returns
        -------
        ndarray of bool (C, number of groups)
        """
        if self.patterns:
            series = pd.Series(codes, dtype=object)
            return np.column_stack([matches(series, patterns) for patterns in self.patterns.values()])
        position = {name: i for i, name in enumerate(self.meanings)}
        groups = [self.group_of.get(normalise(str(code))) for code in codes]
        position_C = np.array([-1 if group is None else position[group] for group in groups], dtype=int)
        return position_C[:, None] == np.arange(len(position))


@dataclass(frozen=True)
class ComorbidityMaps:
    """The maps in force; `ccs` is None unless the user names a file."""

    elixhauser: GroupMap
    cha2ds2_vasc: GroupMap
    ccs: GroupMap | None

    @property
    def content_hash(self) -> str:
        """Hash of what all maps mean."""
        maps = {"elixhauser": self.elixhauser, "cha2ds2_vasc": self.cha2ds2_vasc, "ccs": self.ccs}
        return config_hash({name: None if m is None else m.content for name, m in maps.items()})


def load_maps(
    elixhauser_file: str | None = None, cha2ds2_vasc_file: str | None = None, ccs_file: str | None = None
) -> ComorbidityMaps:
    """Read and check the comorbidity maps.

    Parameters
    ----------
    elixhauser_file, cha2ds2_vasc_file : str or None
        The settings of these names; None: the built-in maps.
    ccs_file : str or None
        The setting of this name, see `ccs.read_ccs`; None: no CCS groups.

    Raises
    ------
    ConfigError
        A file is absent, is not of its form, or holds a pattern that is no code; names which.
    """
    score = _read(Path(cha2ds2_vasc_file or CHA2DS2_VASC), "cha2ds2_vasc_file")
    if set(score.meanings) != set(SCORE_GROUPS):
        raise ConfigError(f"{cha2ds2_vasc_file}: cha2ds2_vasc_file: its groups must be {', '.join(SCORE_GROUPS)}")
    elixhauser = _read(Path(elixhauser_file or ELIXHAUSER), "elixhauser_file")
    return ComorbidityMaps(elixhauser, score, None if ccs_file is None else _ccs(Path(ccs_file)))


def _read(path: Path, key: str) -> GroupMap:
    try:
        with open(path, encoding="utf-8") as f:
            file = _File.model_validate(yaml.safe_load(f))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {key}: cannot be read ({type(error).__name__})") from None
    except (yaml.YAMLError, RecursionError):
        raise ConfigError(f"{path}: {key}: is not YAML") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {key}: {where or 'file'}: {first['msg']}") from None
    groups = file.groups
    return GroupMap(
        file.version,
        file.source,
        {name: group.meaning for name, group in groups.items()},
        {name: group.codes for name, group in groups.items()},
        {},
        {name: group.points for name, group in groups.items()},
    )


def _ccs(path: Path) -> GroupMap:
    names, group_of = read_ccs(path)
    source = f"HCUP Clinical Classifications Software for ICD-9-CM, single level, from {path.name}"
    return GroupMap("as given", source, names, {}, group_of, {})
