"""Forty ICD-9 codes whose labels were read in the classification by hand; and what the kinds add up to."""

import csv
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
import yaml

from ecgppg.clinical.code_lists import BUILT_IN, load_definitions
from ecgppg.clinical.counts import count_definitions, count_lines
from ecgppg.clinical.icd import matches
from ecgppg.clinical.labels import label_admissions
from ecgppg.clinical.tables import read_tables
from ecgppg.config.errors import ConfigError
from tests.clinical_folder import write_folder

DEFINITIONS = load_definitions()
SAH, ICH, ISCHAEMIC = "stroke_subarachnoid", "stroke_intracerebral", "stroke_ischaemic"
ELIX = "arrhythmia_elixhauser"
TRUTH = {
    # as the tables hold them: no point, leading zeros kept
    "430": {"stroke", "stroke_broad", SAH},
    "431": {"stroke", "stroke_broad", ICH},
    "4320": {"stroke_broad"},  # extradural
    "4321": {"stroke_broad", "subdural"},
    "4329": {"stroke_broad"},
    "43300": {"stroke_broad"},  # basilar artery, no infarction
    "43301": {"stroke", "stroke_broad", ISCHAEMIC},
    "43310": {"stroke_broad"},  # carotid stenosis: the commonest of them all, and no stroke
    "43311": {"stroke", "stroke_broad", ISCHAEMIC},
    "43391": {"stroke", "stroke_broad", ISCHAEMIC},
    "4331": {"stroke_broad"},  # the fifth digit is missing: infarction is not told
    "43400": {"stroke_broad"},
    "43411": {"stroke", "stroke_broad", ISCHAEMIC},
    "43491": {"stroke", "stroke_broad", ISCHAEMIC},
    "4359": {"stroke_broad", "tia"},
    "436": {"stroke", "stroke_broad", ISCHAEMIC},
    "4370": {"stroke_broad"},
    "4380": {"stroke_broad", "stroke_history"},
    "43811": {"stroke_broad", "stroke_history"},
    "V1254": {"stroke_history"},
    "V125": set(),  # any circulatory disease in the history
    "V1259": set(),
    "4289": set(),
    "43": set(),  # no such stem: a code cut short is nothing
    "E4301": set(),  # an E code that begins with the digits of a stroke
    "V430": set(),  # an eye replaced
    "E4273": set(),
    "V427": set(),  # a liver transplanted
    "4270": {"arrhythmia", "psvt", ELIX},
    "4271": {"arrhythmia", "vt", ELIX},
    "4272": {"arrhythmia", "arrhythmia_other", ELIX},
    "42731": {"arrhythmia", "af", ELIX},
    "42732": {"arrhythmia", "flutter", ELIX},
    "42741": {"arrhythmia", "vf", ELIX},
    "42742": {"arrhythmia", "arrhythmia_other", ELIX},  # ventricular flutter
    "4275": {"arrhythmia", "cardiac_arrest"},  # arrest is no comorbidity
    "42769": {"arrhythmia", "arrhythmia_other", ELIX},
    "42789": {"arrhythmia", "arrhythmia_other", ELIX},
    "4279": {"arrhythmia", "arrhythmia_other", ELIX},
    "4260": {ELIX},
    "42610": {ELIX},
    "42611": set(),  # first degree block is not of the enhanced list
    "42613": {ELIX},
    "4263": set(),
    "7850": {ELIX},
    "78501": {ELIX},
    "7851": set(),  # palpitations
    "99601": {ELIX},
    "99602": set(),
    "V4501": {ELIX},
    "V450": {ELIX},
    "V451": set(),
    "V5331": {ELIX},
    "E9420": set(),  # rhythm regulators that did harm
    "0389": set(),
    "00845": set(),
}


def named(code):
    return {name for name, group in DEFINITIONS.labels.items() if matches(pd.Series([code]), group.codes)[0]}


@pytest.mark.parametrize("code", list(TRUTH))
def test_a_code_has_the_labels_read_in_the_classification(code):
    assert named(code) == TRUTH[code]


def with_point(code):
    stem = 4 if code.startswith("E") else 3
    return code if len(code) <= stem else f"{code[:stem]}.{code[stem:]}"


def test_points_spaces_and_case_change_nothing():
    assert len(TRUTH) >= 40
    for code in TRUTH:
        assert named(with_point(code)) == named(f" {with_point(code).lower()} ") == TRUTH[code], code


def test_kinds_add_up(data_dir):
    """Over the whole classification: the kinds of 427 cover it without overlap, and so do those of stroke."""
    with open(data_dir / "mimic3-demo-1.4" / "D_ICD_DIAGNOSES.csv", newline="") as f:
        codes = pd.Series([row["icd9_code"] for row in csv.DictReader(f)])
    is_of = {name: matches(codes, group.codes) for name, group in DEFINITIONS.labels.items()}
    kinds = ("af", "flutter", "psvt", "vt", "vf", "cardiac_arrest", "arrhythmia_other")
    # 427.3 and 427.4 head their kinds and are never coded.
    np.testing.assert_array_equal(np.sum([is_of[kind] for kind in kinds], axis=0), is_of["arrhythmia"])
    np.testing.assert_array_equal(np.sum([is_of[kind] for kind in (SAH, ICH, ISCHAEMIC)], axis=0), is_of["stroke"])
    assert not (is_of["stroke"] & ~is_of["stroke_broad"]).any()
    for apart in ("subdural", "tia", "stroke_history"):
        assert not (is_of["stroke"] & is_of[apart]).any()
    assert not (is_of["stroke_broad"] & is_of["arrhythmia"]).any()


def quan(code):
    """The enhanced Elixhauser list for arrhythmias, as tables of whole codes and of their first four characters."""
    return code in ("42613", "42610", "42612", "99601", "99604") or code[:4] in (
        "4260", "4267", "4269", "4270", "4271", "4272", "4273", "4274", "4276", "4278", "4279", "7850", "V450", "V533",
    )  # fmt: skip


def read_by_hand(folder, name):
    with open(folder / f"{name}.csv", newline="") as f:
        return list(csv.DictReader(f))


def test_every_definition_counted_again_over_the_demo_tables(data_dir):
    """Patients and admissions of each of the lists, any position and the first, by sets over plain rows."""
    folder = data_dir / "mimic3-demo-1.4"
    starts = {
        "stroke": (
            "430",
            "431",
            "43301",
            "43311",
            "43321",
            "43331",
            "43381",
            "43391",
            "43401",
            "43411",
            "43491",
            "436",
        ),
        "stroke_broad": tuple(str(n) for n in range(430, 439)),
        SAH: ("430",),
        ICH: ("431",),
        ISCHAEMIC: ("43301", "43311", "43321", "43331", "43381", "43391", "43401", "43411", "43491", "436"),
        "stroke_history": ("438", "V1254"),
        "subdural": ("4321",),
        "tia": ("435",),
        "arrhythmia": ("427",),
        "af": ("42731",),
        "flutter": ("42732",),
        "psvt": ("4270",),
        "vt": ("4271",),
        "vf": ("42741",),
        "cardiac_arrest": ("4275",),
        "arrhythmia_other": ("4272", "42742", "4276", "4278", "4279"),
    }
    rules = {name: lambda code, s=s: code.startswith(s) for name, s in starts.items()} | {ELIX: quan}
    assert rules.keys() == DEFINITIONS.labels.keys()
    counts = count_definitions(read_tables(folder), DEFINITIONS).set_index("label")
    rows = read_by_hand(folder, "DIAGNOSES_ICD")
    for name, rule in rules.items():
        for position, column in ((None, ""), ("1", "_primary")):
            found = [r for r in rows if rule(r["icd9_code"]) and position in (None, r["seq_num"])]
            assert counts.loc[name, f"n_patients{column}"] == len({r["subject_id"] for r in found}), name
            assert counts.loc[name, f"n_admissions{column}"] == len({r["hadm_id"] for r in found}), name
    assert counts.loc["stroke_broad", "n_patients"] == 13
    assert counts.loc["af", "n_patients"] == 34
    assert len(read_by_hand(folder, "ADMISSIONS")) == 129
    assert all(r["dod"] for r in read_by_hand(folder, "PATIENTS"))


def test_labels_of_the_demo_admissions_follow_from_their_codes(data_dir):
    folder = data_dir / "mimic3-demo-1.4"
    labels = label_admissions(read_tables(folder), DEFINITIONS)
    codes = defaultdict(set)
    for row in read_by_hand(folder, "DIAGNOSES_ICD"):
        codes[int(row["hadm_id"])].add(row["icd9_code"])
    for hadm, row in labels.iterrows():
        assert row[f"{ELIX}_this"] == int(any(map(quan, codes[hadm])))


def test_counts_are_a_table_of_text_with_small_cells_hidden(tmp_path):
    counts = count_definitions(read_tables(write_folder(tmp_path)), DEFINITIONS)
    lines = count_lines(counts, 2)
    assert len(lines) == 2 + len(counts)
    by_label = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert by_label["all"] == ["3", "5", "3", "5"]
    assert by_label["af"] == ["<2", "<2", "<2", "<2"]
    assert by_label["vt"] == ["0", "0", "0", "0"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda lists: lists["labels"]["stroke"].update(excluded_by=["strok"]),
            "excluded by 'strok', which is no label",
        ),
        (
            lambda lists: lists["charted_rhythms"]["af"]["values"].append("normal SINUS"),
            "'normal sinus' stands in them",
        ),
        (lambda lists: lists["charted_rhythms"]["af"].update(values=[]), "charted_rhythms.af.values"),
        (lambda lists: lists["charted_rhythms"].update({"A F": {"meaning": "", "values": ["x"]}}), "cannot name"),
    ],
)
def test_a_wrong_list_is_one_clear_line(tmp_path, change, words):
    lists = yaml.safe_load(BUILT_IN.read_text())
    change(lists)
    (tmp_path / "lists.yaml").write_text(yaml.safe_dump(lists))
    with pytest.raises(ConfigError) as caught:
        load_definitions(tmp_path / "lists.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_label_means_is_in_its_hash_and_wording_is_not(tmp_path):
    def hashed(change):
        lists = yaml.safe_load(BUILT_IN.read_text())
        change(lists)
        (tmp_path / "lists.yaml").write_text(yaml.safe_dump(lists))
        return load_definitions(tmp_path / "lists.yaml").labels_hash

    same = hashed(lambda lists: lists["labels"]["af"].update(meaning="AF"))
    assert same == DEFINITIONS.labels_hash
    for change in (
        lambda lists: lists["labels"]["af"].update(codes=["427.3"]),
        lambda lists: lists["labels"]["stroke"].update(excluded_by=[]),
        lambda lists: lists["charted_rhythms"]["af"]["values"].append("A-fib"),
        lambda lists: lists["labels"].pop("vt"),
    ):
        assert hashed(change) != same
