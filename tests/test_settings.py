"""Settings: the field's own file loads as it stands, and every mistake is one clear line."""

import json
from pathlib import Path

import pytest

from ecgppg.config.errors import ConfigError
from ecgppg.config.keys import kind_and_stage
from ecgppg.config.load import build_settings, parse_assignments, read_settings_file
from ecgppg.config.settings import Settings

FIELD_FILE = """{"max_patients": null, "max_segments_per_patient": 1000, "batch_size": 64, "learning_rate": 3e-4,
"num_epochs": 50, "embedding_dim": 256, "hidden_dims": [64, 128, 256, 512], "chunk_size": 500, "num_workers": 8}"""


def test_the_nine_key_file_of_the_field_loads_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(FIELD_FILE)
    settings = build_settings(read_settings_file(path))
    for key, value in json.loads(FIELD_FILE).items():
        assert getattr(settings, key) == value


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"num_epoch": 5}, "unknown setting 'num_epoch'; did you mean num_epochs?"),
        ({"batch_size": 0}, "setting batch_size: Input should be greater than or equal to 2, got 0"),
        ({"hidden_dims": "wide"}, "setting hidden_dims: "),
        ({"batch_size": True}, "setting batch_size: expected a value, not true or false"),
        ({"max_segments_per_patient": False}, "expected a value, or null for none, not true or false, as which YAML"),
        ({"ecg_band_hz": [40, 0.5]}, "ecg_band_hz: needs 0 < low < high"),
        ({"channels": ["ECG"]}, "required_channels: PPG is not among channels"),
        ({"val_share": 0.45, "test_share": 0.45}, "val_share: with test_share leaves less than"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(layer: dict, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_settings(layer)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", "not JSON"),
        ("a.json", '{"seed": NaN}', "NaN"),
        ("a.json", "[1]", "expected keys and values, found list"),
        ("a.yaml", "a: [", "not YAML"),
        ("a.toml", "a = 1", "expected a .json, .yaml or .yml file"),
    ],
)
def test_a_file_that_is_no_settings_file_is_one_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_settings_file(tmp_path / name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_set_words_are_typed_and_later_layers_win() -> None:
    words = parse_assignments(["learning_rate=3e-4", "required_channels=[ECG]", "max_patients=null"])
    settings = build_settings({"learning_rate": 0.1, "max_patients": 7}, words)
    assert settings.learning_rate == 3e-4
    assert settings.required_channels == ["ECG"]
    assert settings.max_patients is None
    with pytest.raises(ConfigError, match="expected key=value"):
        parse_assignments(["seed"])


def test_every_setting_has_a_kind_and_a_meaning() -> None:
    for key, field in Settings.model_fields.items():
        kind, stage = kind_and_stage(field)
        assert kind in ("content", "growth", "execution"), key
        assert (stage is not None) == (kind == "content"), key
        assert field.description, key


def test_least_segments_follow_the_source_unless_given() -> None:
    assert Settings().least_segments == 10
    assert Settings(source="wfdb").least_segments == 1
    assert Settings(source="wfdb", min_segments_per_patient=4).least_segments == 4
