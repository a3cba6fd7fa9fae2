"""Encoder sizes: one word fills in what is absent, and never what somebody gave."""

import json
from pathlib import Path

import pytest

from ecgppg.cli.production import parse
from ecgppg.cli.workspace import open_workspace
from ecgppg.config.errors import ConfigError
from ecgppg.config.load import build_settings
from ecgppg.config.presets import ENCODER_SIZES
from ecgppg.config.settings import Settings
from ecgppg.core.files import write_json
from tests.test_settings import FIELD_FILE


def filled(settings: Settings) -> dict:
    return {key: getattr(settings, key) for key in ENCODER_SIZES["base"]}


def test_base_is_the_default_and_its_table_says_what_the_defaults_are() -> None:
    assert Settings().encoder_size == "base"
    assert filled(Settings()) == ENCODER_SIZES["base"]
    assert {frozenset(values) for values in ENCODER_SIZES.values()} == {frozenset(ENCODER_SIZES["base"])}


@pytest.mark.parametrize("size", ENCODER_SIZES)
def test_a_size_fills_what_is_absent_and_nothing_that_is_given(size: str) -> None:
    assert filled(Settings(encoder_size=size)) == ENCODER_SIZES[size]
    for key, value in (("hidden_dims", [8, 9]), ("embedding_dim", 77), ("batch_size", 31), ("learning_rate", 0.017)):
        for layers in ([{"encoder_size": size}, {key: value}], [{key: value}, {"encoder_size": size}]):
            assert filled(build_settings(*layers)) == ENCODER_SIZES[size] | {key: value}


def test_the_file_of_the_field_means_base_and_keeps_its_widths_under_any_size() -> None:
    given = json.loads(FIELD_FILE)
    assert build_settings(given) == build_settings({"encoder_size": "base"}, given)
    assert build_settings(given, {"encoder_size": "small"}).hidden_dims == [64, 128, 256, 512]


def test_another_size_after_a_stored_run_exchanges_what_the_first_one_filled_in(tmp_path: Path) -> None:
    def settings_of(*words: str) -> Settings:
        return open_workspace(parse(["--output-dir", str(tmp_path), *words])).settings

    small = settings_of("--set", "encoder_size=small", "--set", "batch_size=32")
    write_json(tmp_path / "config.json", small.model_dump(mode="json"))
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["hidden_dims"] == [16, 32, 64, 128]
    assert settings_of() == small
    assert filled(settings_of("--set", "encoder_size=large")) == ENCODER_SIZES["large"] | {"batch_size": 32}
    assert filled(settings_of("--set", "embedding_dim=64")) == filled(small) | {"embedding_dim": 64}


def test_an_unknown_size_is_one_line() -> None:
    for size in ("huge", ["small"], 3):
        with pytest.raises(ConfigError, match="setting encoder_size"):
            build_settings({"encoder_size": size})
