"""ICD-9 codes: implied decimals, patterns, ranges, and the definitions made of them."""

import csv

import pandas as pd
import pytest
import yaml

from ecgppg.clinical.code_lists import BUILT_IN, load_definitions
from ecgppg.clinical.icd import compile_patterns, decimal, matches, normalise
from ecgppg.config.errors import ConfigError


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("43301", "433.01"),
        ("436", "436"),
        ("0389", "038.9"),
        ("E8786", "E878.6"),
        ("E878", "E878"),
        ("V1254", "V12.54"),
    ],
)
def test_decimal_points_are_where_the_classification_has_them(stored, written):
    assert decimal(stored) == written
    assert normalise(written) == stored
    assert normalise(f" {written.lower()} ") == stored


def test_a_point_tells_of_lost_zeros():
    assert normalise("38.9") == "0389"
    assert normalise("V1.2") == "V012"
    assert decimal("38.9") == "038.9"


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("433.x1", ["43301", "433.91"], ["43300", "4331", "43401", "430"]),
        ("427.3", ["42731", "42732", "4273"], ["4274", "427"]),
        ("430-438", ["430", "43889", "4359"], ["4299", "439", "V430", "E4301"]),
        ("V12.54", ["V1254"], ["V125", "1254"]),
        ("E880-E888", ["E8809", "E888"], ["8809", "E879"]),
        ("001-009", ["0010", "00999"], ["0100", "001"[:2]]),
    ],
)
def test_patterns_name_their_codes_and_no_others(pattern, inside, outside):
    codes = pd.Series([*inside, *outside, None])
    assert matches(codes, [pattern]).tolist() == [True] * len(inside) + [False] * (len(outside) + 1)
    assert matches(codes.astype("category"), [pattern]).sum() == len(inside)


@pytest.mark.parametrize("pattern", ["", "43", "stroke", "433.123", "438-430", "430-V12", "430-43", "4273", "4x3"])
def test_a_pattern_that_is_no_code_is_refused(pattern):
    with pytest.raises(ValueError):
        compile_patterns([pattern])


def test_built_in_lists_agree_with_a_reference_written_by_hand(data_dir):
    with open(data_dir / "mimic3-demo-1.4" / "D_ICD_DIAGNOSES.csv", newline="") as f:
        vocabulary = [row["icd9_code"] for row in csv.DictReader(f)]
    reference = {
        "stroke": lambda c: c in ("430", "431", "436") or (c[:3] in ("433", "434") and len(c) == 5 and c[4] == "1"),
        "stroke_broad": lambda c: c[:3] in [str(n) for n in range(430, 439)],
        "stroke_history": lambda c: c[:3] == "438" or c == "V1254",
        "arrhythmia": lambda c: c[:3] == "427",
        "af": lambda c: c == "42731",
        "flutter": lambda c: c == "42732",
        "cardiac_arrest": lambda c: c == "4275",
        "subdural": lambda c: c == "4321",
        "tia": lambda c: c[:3] == "435",
    }
    definitions = load_definitions()
    for name, rule in reference.items():
        found = matches(pd.Series(vocabulary), definitions.labels[name].codes)
        assert {c for c, f in zip(vocabulary, found, strict=True) if f} == {c for c in vocabulary if rule(c)}, name


def own_file(tmp_path, change):
    lists = yaml.safe_load(BUILT_IN.read_text())
    change(lists)
    path = tmp_path / "my lists.yaml"
    path.write_text(yaml.safe_dump(lists))
    return path


def test_a_file_of_ones_own_replaces_the_labels_and_changes_the_hash(tmp_path):
    path = own_file(tmp_path, lambda lists: lists["labels"]["af"].update(codes=["427.3"]))
    own, built_in = load_definitions(path), load_definitions()
    assert own.labels["af"].codes == ("427.3",)
    assert own.labels_hash != built_in.labels_hash
    same = load_definitions(own_file(tmp_path, lambda lists: lists.update(source="elsewhere")))
    assert (same.labels_hash, same.content_hash) == (built_in.labels_hash, built_in.content_hash)


def test_a_section_left_out_keeps_the_built_in_lists(tmp_path):
    own = load_definitions(own_file(tmp_path, lambda lists: lists.pop("medications")))
    assert own.medications == load_definitions().medications


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lists: lists["labels"].pop("stroke"), "labels lacks stroke"),
        (lambda lists: lists["labels"]["af"].update(codes=["AF"]), "labels.af.codes"),
        (lambda lists: lists["labels"]["af"].update(codes=[]), "labels.af.codes"),
        (lambda lists: lists["labels"]["af"].update(known="admission"), "labels.af.known"),
        (lambda lists: lists["labels"]["af"].update(code=["427.31"]), "labels.af.code"),
        (lambda lists: lists["labels"].update({"A F": lists["labels"]["af"]}), "cannot name a column"),
        (lambda lists: lists.update(label={}), "label"),
        (lambda lists: lists.pop("version"), "version"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path, change, words):
    path = own_file(tmp_path, change)
    with pytest.raises(ConfigError, match="code_lists") as caught:
        load_definitions(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "just words", "", "\x00"])
def test_a_file_that_is_no_yaml_mapping_is_one_clear_line(tmp_path, text):
    path = tmp_path / "lists.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"lists\.yaml: code_lists") as caught:
        load_definitions(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_definitions(tmp_path / "nowhere.yaml")
