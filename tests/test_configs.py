"""Every file in configs/ loads, and every key of a YAML file says what it is for."""

from pathlib import Path

import pytest

from ecgppg.config.load import build_settings, read_settings_file

FILES = sorted((Path(__file__).resolve().parent.parent / "configs").iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_config_loads_and_is_commented(path: Path) -> None:
    values = read_settings_file(path)
    settings = build_settings(values)
    for key, value in values.items():
        assert getattr(settings, key) == value
    if path.suffix == ".yaml":
        for line in path.read_text().splitlines():
            assert "#" in line, f"{path.name}: no comment on {line!r}"
