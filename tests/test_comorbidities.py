"""Comorbidities from earlier admissions: scores worked out by hand, groups code by code, real patients counted anew."""

import csv
from collections import defaultdict
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.comorbidities import cha2ds2_vasc_points, comorbidity_features, groups_of_admissions
from ecgppg.clinical.comorbidity_maps import CHA2DS2_VASC, ELIXHAUSER, SCORE_GROUPS, load_maps
from ecgppg.clinical.earlier import earlier_admissions
from ecgppg.clinical.tables import read_tables
from ecgppg.config.errors import ConfigError
from tests.clinical_folder import write_folder

MAPS = load_maps()
SCORED = [
    # sex, age at the second admission, codes of the first, points by hand
    ("M", 50, ["4019"], 1),  # hypertension
    ("M", 50, ["486"], 0),  # pneumonia counts nothing
    ("F", 50, ["486"], 1),  # female
    ("M", 65, ["486"], 1),  # from 65
    ("M", 64, ["486"], 0),
    ("M", 74, ["486"], 1),
    ("M", 75, ["486"], 2),  # from 75
    ("F", 75, ["486"], 3),
    ("M", 90, ["486"], 2),
    ("M", 50, ["4280"], 1),  # heart failure
    ("M", 50, ["39891"], 1),  # rheumatic heart failure
    ("M", 50, ["40291"], 2),  # hypertensive heart failure is hypertension too
    ("M", 50, ["40290"], 1),  # hypertensive heart disease without failure
    ("M", 50, ["40493"], 2),
    ("M", 50, ["4254"], 1),  # cardiomyopathy
    ("M", 50, ["25000"], 1),  # diabetes
    ("M", 50, ["25000", "25040"], 1),  # counted once
    ("M", 50, ["24900"], 1),  # secondary diabetes
    ("M", 50, ["43491"], 2),  # stroke
    ("M", 50, ["43490"], 0),  # occlusion without infarction
    ("M", 50, ["43310"], 0),  # carotid stenosis without infarction
    ("M", 50, ["43311"], 2),
    ("M", 50, ["4359"], 2),  # TIA
    ("M", 50, ["4359", "436", "V1254"], 2),  # twice a stroke is two points still
    ("M", 50, ["V1254"], 2),  # a stroke long past
    ("M", 50, ["431"], 0),  # haemorrhage
    ("M", 50, ["4440"], 2),  # arterial embolism
    ("M", 50, ["412"], 1),  # old infarction
    ("M", 50, ["41401"], 0),  # stable coronary disease
    ("M", 50, ["4402"], 1),  # peripheral arteries
    ("F", 80, ["4280", "4019", "25002", "43491", "41071"], 9),  # everything
    ("F", 70, ["4280", "42731"], 3),  # AF itself counts nothing
    ("M", 50, [], 0),
]


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Each patient of `SCORED` admitted twice, with a score that must come from the first admission alone."""
    patients, admissions, diagnoses = [], [], []
    for i, (sex, age, codes, _) in enumerate(SCORED, start=1):
        patients.append((i, sex, f"{2140 - age}-06-30 00:00:00", ""))
        admissions.append((i, 1000 + i, "2139-01-01 08:00:00", "2139-01-09 08:00:00", "", "EMERGENCY", 0))
        admissions.append((i, 2000 + i, "2140-07-01 08:00:00", "2140-07-09 08:00:00", "", "EMERGENCY", 0))
        diagnoses += [(i, 1000 + i, k, code) for k, code in enumerate(codes, start=1)]
        diagnoses += [
            (i, 2000 + i, k, code) for k, code in enumerate(["4280", "43491", "4019", "25000", "412"], start=1)
        ]
    folder = tmp_path_factory.mktemp("scored")
    stays = [(s, h, h, "carevue", "MICU", t, e) for s, h, t, e, *_ in admissions]
    write_folder(
        folder, PATIENTS=patients, ADMISSIONS=admissions, DIAGNOSES_ICD=diagnoses, ICUSTAYS=stays, PRESCRIPTIONS=[]
    )
    return read_tables(folder)


def features(tables, subject_id, hadm_id, index_us, age, female):
    earlier = earlier_admissions(tables, *(np.asarray(a, np.int64) for a in (subject_id, hadm_id, index_us)))
    return comorbidity_features(tables, MAPS, earlier, np.asarray(age, float), np.asarray(female, float))


def us(text):
    return int(np.datetime64(text, "us").astype(np.int64))


def test_cha2ds2_vasc_of_patients_worked_out_by_hand(scored):
    n = len(SCORED)
    subject = np.arange(1, n + 1)
    table = features(
        scored, subject, 2000 + subject, np.full(n, us("2140-07-02")), [row[1] for row in SCORED],
        [row[0] == "F" for row in SCORED],
    )  # fmt: skip
    found = dict(zip(map(str, SCORED), table["cha2ds2_vasc"], strict=True))
    assert n >= 30
    assert found == {str(row): row[3] for row in SCORED}


def test_codes_of_the_admission_at_hand_are_never_looked_at(scored):
    subject = np.arange(1, len(SCORED) + 1)
    n = len(subject)
    first = features(scored, subject, 1000 + subject, np.full(n, us("2139-02-01")), np.full(n, 50), np.zeros(n))
    assert (first.to_numpy() == 0).all()
    just_over = features(scored, [1], [2001], [us("2139-01-09T08:00:00")], [50], [0])
    an_instant_before = features(scored, [1], [2001], [us("2139-01-09T07:59:59")], [50], [0])
    assert (just_over["cha2ds2_vasc"][0], an_instant_before["cha2ds2_vasc"][0]) == (1, 0)


def test_unknown_age_sex_or_time_gives_no_score(scored):
    unknown = np.iinfo(np.int64).min
    table = features(
        scored, [1, 1, 1], [2001] * 3, [us("2140-07-02")] * 2 + [unknown], [np.nan, 50, 50], [0, np.nan, 0]
    )
    assert table["cha2ds2_vasc"].isna().all()
    assert table["elix_obesity"].isna().tolist() == [False, False, True]


def test_age_and_sex_alone():
    ages, nothing = np.array([64.99, 65, 74.99, 75, np.nan]), np.zeros((5, 5))
    points = cha2ds2_vasc_points(ages, np.zeros(5), nothing, np.array([1, 1, 1, 2, 1]))
    assert points[:4].tolist() == [0, 1, 1, 2]
    assert np.isnan(points[4])


ELIXHAUSER_CASES = {
    "heart_failure": (["39891", "40201", "4254", "4259", "4280", "42843"], ["40200", "4253", "4290"]),
    "arrhythmia": (["4260", "42610", "42731", "42789", "7850", "99601", "V4501", "V5332"], ["4275", "42611", "4261"]),
    "valve": (["0932", "3940", "3971", "4241", "7464", "V422", "V433"], ["3980", "7462"]),
    "pulmonary_circulation": (["4150", "41519", "4160", "4178"], ["4171", "4141"]),
    "peripheral_vascular": (["4373", "44020", "4410", "4431", "44389", "4471", "5579", "V434"], ["4430", "4420"]),
    "hypertension_uncomplicated": (["4010", "4019"], ["4020", "40501"]),
    "hypertension_complicated": (["40200", "40301", "40490", "40599"], ["4019", "4060"]),
    "paralysis": (["3341", "34200", "3440", "3449"], ["3448", "34489"]),
    "other_neurological": (["3319", "3320", "33392", "3400", "34590", "3481", "78039", "7843"], ["33391", "3318"]),
    "chronic_pulmonary": (["4168", "490", "49121", "496", "5050", "5064"], ["4160", "5060", "486"]),
    "diabetes_uncomplicated": (["25000", "25032"], ["25040", "2492"]),
    "diabetes_complicated": (["25040", "25092"], ["25030"]),
    "hypothyroidism": (["2409", "243", "2449", "2461"], ["2410"]),
    "renal_failure": (["40301", "40492", "5853", "586", "5880", "V420", "V4511", "V560"], ["40300", "5849"]),
    "liver": (["07022", "07054", "4560", "5712", "5722", "5733", "V427"], ["07020", "5731", "5720"]),
    "peptic_ulcer": (["53170", "5339"], ["53100", "5310"]),
    "hiv": (["042", "0449"], ["V08", "0450"]),
    "lymphoma": (["20000", "20280", "20300", "2386"], ["2040", "20310"]),
    "metastatic_cancer": (["1960", "1991"], ["1950"]),
    "solid_tumour": (["1400", "1729", "1740", "1958"], ["1730", "1960"]),
    "rheumatic": (["4460", "7010", "7100", "7140", "725", "72889", "72930"], ["7105", "72930X", "7151"]),
    "coagulopathy": (["2860", "2873", "28749", "2875"], ["2870", "2880"]),
    "obesity": (["27800", "27801"], ["2781"]),
    "weight_loss": (["260", "2639", "78321", "7994"], ["7833"]),
    "fluid_electrolyte": (["2536", "2760", "27651"], ["2535", "2750"]),
    "blood_loss_anaemia": (["2800"], ["2801"]),
    "deficiency_anaemia": (["2801", "2809", "2819"], ["2800", "2851"]),
    "alcohol": (["2652", "2911", "30390", "30500", "3575", "4255", "5713", "9800", "V113"], ["2914", "30510"]),
    "drugs": (["2920", "30400", "30590", "V6542"], ["30510"]),
    "psychoses": (["2938", "2959", "29604", "2989"], ["29600", "2990"]),
    "depression": (["2962", "29653", "3004", "3090", "311"], ["2961", "3000"]),
}


def test_every_elixhauser_group_holds_and_lacks_the_codes_it_should():
    groups = MAPS.elixhauser
    assert list(groups.meanings) == list(ELIXHAUSER_CASES)
    assert len(ELIXHAUSER_CASES) == 31
    codes = pd.Index(sorted({code for pair in ELIXHAUSER_CASES.values() for codes in pair for code in codes}))
    member = pd.DataFrame(groups.membership(codes), index=codes, columns=list(groups.meanings))
    for group, (inside, outside) in ELIXHAUSER_CASES.items():
        assert member.loc[inside, group].all(), group
        assert not member.loc[[code for code in outside if not code.endswith("X")], group].any(), group


def test_a_code_counts_in_any_position_and_in_as_many_groups_as_it_names(scored):
    flags = groups_of_admissions(scored, MAPS.cha2ds2_vasc)
    table = pd.DataFrame(flags, index=scored.admissions["hadm_id"], columns=list(MAPS.cha2ds2_vasc.meanings))
    assert table.loc[2001].all()
    assert table.loc[1012].tolist() == [True, True, False, False, False]


def test_real_patients_counted_anew(data_dir):
    """Heart failure, diabetes and the whole score of the demo's readmitted patients, from the files alone."""
    folder = data_dir / "mimic3-demo-1.4"

    def rows(name):
        with open(folder / f"{name}.csv", newline="") as f:
            return list(csv.DictReader(f))

    people = {row["subject_id"]: row for row in rows("PATIENTS")}
    stays, codes = rows("ADMISSIONS"), defaultdict(list)
    for row in rows("DIAGNOSES_ICD"):
        codes[row["hadm_id"]].append(row["icd9_code"])
    expected = []
    for stay in stays:
        began = datetime.fromisoformat(stay["admittime"])
        before = [
            code
            for other in stays
            if other["subject_id"] == stay["subject_id"] and datetime.fromisoformat(other["dischtime"]) <= began
            and other["hadm_id"] != stay["hadm_id"]
            for code in codes[other["hadm_id"]]
        ]  # fmt: skip

        def any_of(*starts, codes=before):
            return any(code.startswith(starts) for code in codes)

        failure = any_of("428", "39891", "4254", "4255", "4257", "4258", "4259") or any_of(
            *(f"402{x}1" for x in "019"), *(f"404{x}{y}" for x in "019" for y in "13")
        )
        stroke = any_of("435", "436", "438", "444", "445", "V1254", "36231", "36232", "36233", "36234") or any(
            code[:3] in ("433", "434") and code[4:] == "1" for code in before
        )
        vascular = any_of("0930", "410", "412", "4373", "440", "441", "4471", "5571", "5579", "V434") or any(
            code[:3] == "443" and code[3:4] != "0" for code in before
        )
        person = people[stay["subject_id"]]
        age = min((began.date() - datetime.fromisoformat(person["dob"]).date()).days / 365.2425, 90)
        points = (age >= 65) + (age >= 75) + (person["gender"] == "F") + failure + 2 * stroke + vascular
        points += any_of("401", "402", "403", "404", "405") + any_of("249", "250")
        expected.append((int(stay["hadm_id"]), failure, any_of("2500", "2501", "2502", "2503"), points, age))
    tables = read_tables(folder)
    subject = [int(stay["subject_id"]) for stay in stays]
    index_us = [us(stay["admittime"].replace(" ", "T")) for stay in stays]
    female = [people[stay["subject_id"]]["gender"] == "F" for stay in stays]
    table = features(tables, subject, [e[0] for e in expected], index_us, [e[4] for e in expected], female)
    assert table["elix_heart_failure"].tolist() == [e[1] for e in expected]
    assert table["elix_diabetes_uncomplicated"].tolist() == [e[2] for e in expected]
    assert table["cha2ds2_vasc"].tolist() == [e[3] for e in expected]
    assert sum(e[1] for e in expected) > 0
    earlier = earlier_admissions(tables, np.array(subject), np.array([e[0] for e in expected]), np.array(index_us))
    again = earlier.count() > 0
    assert again.sum() == 29
    assert len({s for s, a in zip(subject, again, strict=True) if a}) == 14


CCS_FORMS = {
    "dxref.csv": """\
'Single-level CCS'
'ICD-9-CM CODE','CCS CATEGORY','CCS CATEGORY DESCRIPTION','ICD-9-CM CODE DESCRIPTION'
'     ','0    ','No DX','INVALID CODES IN USER DATA'
'43491','109  ','Acute cerebrovascular disease','CRBL ART, NOS'
'4019 ','98   ','Essential hypertension','HYPERTENSION NOS'
""",
    "plain.csv": """\
icd9_code,ccs_id,ccs_name
43491,109,Acute cerebrovascular disease
401.9,98,Essential hypertension
""",
    "groups.yaml": '"Acute cerebrovascular disease":\n  id: 109\n  codes: ["43491"]\n'
    '"Essential hypertension":\n  id: 98\n  codes: ["4019"]\n',
}


@pytest.mark.parametrize("name", CCS_FORMS)
def test_ccs_groups_come_from_the_users_file_in_each_form(scored, tmp_path, name):
    (tmp_path / name).write_text(CCS_FORMS[name])
    maps = load_maps(ccs_file=str(tmp_path / name))
    assert dict(maps.ccs.meanings) == {"98": "Essential hypertension", "109": "Acute cerebrovascular disease"}
    earlier = earlier_admissions(scored, np.array([1, 19]), np.array([2001, 2019]), np.full(2, us("2140-07-02")))
    table = comorbidity_features(scored, maps, earlier, np.full(2, 50.0), np.zeros(2))
    assert table[["ccs_98", "ccs_109"]].to_numpy().tolist() == [[1, 0], [0, 1]]
    assert not [name for name in features(scored, [1], [2001], [0], [50], [0]) if name.startswith("ccs")]


def test_ccs_of_the_demo_gives_each_code_its_one_group(data_dir):
    tables = read_tables(data_dir / "mimic3-demo-1.4")
    maps = load_maps(ccs_file=str(data_dir / "labels" / "hcup_ccs_2015_definitions.yaml"))
    codes = pd.Index(tables.d_icd_diagnoses["icd9_code"])
    assert (maps.ccs.membership(codes).sum(axis=1) == 1).all()
    assert len(maps.ccs.meanings) == 283


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("ccs_file", "a,b\n1,2\n", "has no columns icd9_code"),
        ("ccs_file", "icd9_code,ccs_id,ccs_name\n", "holds no code"),
        ("ccs_file", "icd9_code,ccs_id,ccs_name\n4019,98,x\n401.9,99,y\n", "in group 98 and in group 99"),
        ("ccs_file", "icd9_code,ccs_id,ccs_name\n4019,high,x\n", "no CCS group number"),
        ("elixhauser_file", "version: '1'\nsource: me\ngroups: {a: {meaning: x, codes: [zz]}}\n", "is no ICD-9 code"),
        ("elixhauser_file", "version: '1'\nsource: me\ngroups: {A b: {meaning: x, codes: ['401']}}\n", "cannot name"),
        (
            "elixhauser_file",
            "version: '1'\nsource: me\ngroups: {gout_this: {meaning: x, codes: ['274']}}\n",
            "as a label",
        ),
        ("elixhauser_file", "a: [", "is not YAML"),
        ("cha2ds2_vasc_file", ELIXHAUSER.read_text(), "its groups must be heart_failure"),
    ],
)
def test_maps_that_cannot_serve_are_refused_in_one_line(tmp_path, key, text, words):
    path = tmp_path / ("map.csv" if key == "ccs_file" else "map.yaml")
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_maps(**{key: str(path)})
    assert str(caught.value).startswith(f"{path}: {key}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    for key in ("elixhauser_file", "cha2ds2_vasc_file", "ccs_file"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_maps(**{key: str(tmp_path / "none.yaml")})


def test_another_definition_changes_the_hash_and_the_points(scored, tmp_path):
    own = CHA2DS2_VASC.read_text().replace('codes: ["249", "250"]', 'codes: ["250", "278"]')
    (tmp_path / "own.yaml").write_text(own)
    maps = load_maps(cha2ds2_vasc_file=str(tmp_path / "own.yaml"))
    assert maps.content_hash != MAPS.content_hash == load_maps().content_hash
    assert maps.cha2ds2_vasc.patterns["diabetes"] == ("250", "278")
    assert tuple(maps.cha2ds2_vasc.meanings) == SCORE_GROUPS
