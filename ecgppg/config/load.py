"""From a file, options and --set words to one checked Settings; every mistake is one clear line."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ecgppg.config.errors import ConfigError
from ecgppg.config.presets import merge_layers
from ecgppg.config.settings import Settings

LONGEST_VALUE = 120


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a JSON or YAML file of flat settings.

    Parameters
    ----------
    path : Path
        Ends in .json, .yaml or .yml.

    Returns
    -------
    dict
        As written; keys are known ones, values not checked yet.

    Raises
    ------
    ConfigError
        The file is absent, not readable as its kind, not a mapping, or names a setting that does not exist.
    """
    values = read_mapping(path, "--config")
    _refuse_unknown(values, f"--config {path}: ")
    return values


def read_mapping(path: Path, option: str) -> dict[str, Any]:
    """Read a JSON or YAML file of keys and values, whatever they are.

    Parameters
    ----------
    path : Path
        Ends in .json, .yaml or .yml.
    option : str
        The option that named it, for the error.

    Raises
    ------
    ConfigError
        The file is absent, not readable as its kind, or not a mapping.
    """
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        raise ConfigError(f"{option} {path}: expected a .json, .yaml or .yml file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{option} {path}: cannot be read ({_cause(error)})") from error
    try:
        values = _parse(text, path.suffix.lower())
    except ValueError as error:
        raise ConfigError(f"{option} {path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{option} {path}: expected keys and values, found {type(values).__name__}")
    return values


def parse_assignments(words: list[str]) -> dict[str, Any]:
    """Turn `key=value` words into settings; values are read as YAML scalars or lists.

    Parameters
    ----------
    words : list of str
        As given after each --set.
    """
    values = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"--set {word}: expected key=value")
        try:
            values[key.strip()] = _parse(text, ".yaml")
        except ValueError as error:
            raise ConfigError(f"--set {word[:LONGEST_VALUE]}: {error}") from error
    return values


def build_settings(*layers: Mapping[str, Any]) -> Settings:
    """Merge layers of settings, later ones winning, and check the result; `encoder_size` fills in what is absent.

    Parameters
    ----------
    *layers : mapping
        Presets first, the user's own words last.

    Raises
    ------
    ConfigError
        Names the first key that cannot be, its value, and the nearest known key for an unknown one.
    """
    merged = merge_layers(*layers)
    _refuse_unknown(merged)
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise ConfigError(_first_problem(error, merged)) from error


def _refuse_unknown(values: Mapping[str, Any], where: str = "") -> None:
    for key in values:
        if key not in Settings.model_fields:
            near = difflib.get_close_matches(str(key), Settings.model_fields, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{where}unknown setting {_short(key)}{hint}")


def _first_problem(error: ValidationError, values: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    key = str(first["loc"][0])
    return f"setting {key}: {message}, got {_short(values.get(key))}"


def _short(value: Any) -> str:
    """A value as it stands in a message of one line."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _parse(text: str, suffix: str) -> Any:
    try:
        return _parse_json(text) if suffix == ".json" else _numbers(_parse_yaml(text))
    except RecursionError:
        raise ValueError("lists in lists without end") from None


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error


def _parse_yaml(text: str) -> Any:
    import yaml

    try:
        # An alias repeats what an anchor names: a few lines of them unfold to more than memory holds.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
            raise ValueError("not YAML for settings: holds an alias (*name)")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from error


def _numbers(value: Any) -> Any:
    """YAML 1.1 reads 3e-4 as a string: people mean a number."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and value[:1] in "-+.0123456789" and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a value a setting can have")


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
