"""Every file in configs/ loads, and every key of a YAML file says what it is for."""

from pathlib import Path

import pytest

from ecgppg.config.candidates import read_candidates, with_changes
from ecgppg.config.load import build_settings, read_settings_file

FOLDER = Path(__file__).resolve().parent.parent / "configs"
CANDIDATES = FOLDER / "encoder_choices.yaml"
FILES = sorted(path for path in FOLDER.iterdir() if path != CANDIDATES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_config_loads_and_is_commented(path: Path) -> None:
    values = read_settings_file(path)
    settings = build_settings(values)
    for key, value in values.items():
        assert getattr(settings, key) == value
    if path.suffix == ".yaml":
        for line in path.read_text().splitlines():
            assert "#" in line, f"{path.name}: no comment on {line!r}"


def test_every_candidate_can_be_and_differs_from_the_first_of_them() -> None:
    settings = build_settings(read_settings_file(FOLDER / "cinc2017.yaml"))
    first, *others = [with_changes(settings, c.changes, c.name) for c in read_candidates(CANDIDATES)]
    assert all(other != first for other in others)
    # Each name is followed by what it means.
    assert all("#" in line for line in CANDIDATES.read_text().splitlines() if not line.startswith(" "))
