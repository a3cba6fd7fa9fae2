"""Files are whole or absent, and a completion record counts only for the file it was written after."""

from pathlib import Path

import pytest

from ecgppg.core.files import atomic_path, changed_keys, config_hash, read_completion, write_completion, write_json


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_bytes(b"half of the n" * (1 // 0))
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_completion_counts_only_for_the_same_file(tmp_path: Path) -> None:
    artefact = tmp_path / "a.bin"
    assert read_completion(artefact) is None
    artefact.write_bytes(b"12345678")
    assert read_completion(artefact) is None
    write_completion(artefact, {"seed": 1}, rows=8)
    record = read_completion(artefact, verify=True)
    assert record is not None
    assert (record["rows"], record["content"]) == (8, {"seed": 1})
    artefact.write_bytes(b"1234567X")
    assert read_completion(artefact) is not None
    assert read_completion(artefact, verify=True) is None
    artefact.write_bytes(b"1234567")
    assert read_completion(artefact) is None


def test_config_hash_ignores_key_order_and_json_refuses_nan(tmp_path: Path) -> None:
    assert config_hash({"a": 1, "b": [2, 3]}) == config_hash({"b": [2, 3], "a": 1})
    assert config_hash({"a": 1}) != config_hash({"a": 2})
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"value": float("nan")})


def test_changed_keys_are_named_with_both_values() -> None:
    assert changed_keys({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": None}) == ["b: 2 -> 3"]
    assert changed_keys({"a": 1}, {"b": 2}) == ["a: 1 -> null", "b: null -> 2"]
