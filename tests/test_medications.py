"""Classes of drugs by their names as the database writes them, and real prescriptions counted anew."""

import csv
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ecgppg.clinical.code_lists import load_definitions
from ecgppg.clinical.medications import medication_classes, of_class
from ecgppg.clinical.tables import read_tables

LISTS = load_definitions().medications
NAMES = {
    "Warfarin": {"anticoagulant"},
    "warfarin 5mg": {"anticoagulant"},
    "Heparin Sodium": {"anticoagulant"},
    "Heparin": {"anticoagulant"},
    "Enoxaparin Sodium": {"anticoagulant"},
    "Heparin Flush (10 units/ml)": set(),
    "Heparin Lock Flush": set(),
    "Heparin CRRT": set(),
    "Heparin Dwell (1000 Units/mL)": set(),
    "Heparin (Hemodialysis)": set(),
    "Heparin (CRRT Machine Priming)": set(),
    "NEO*IV*Heparin": {"anticoagulant"},
    "Aspirin EC": {"antiplatelet"},
    "Clopidogrel Bisulfate": {"antiplatelet"},
    "Pletal": {"antiplatelet"},
    "Aspirin/Dipyridamole (Aggrenox)": {"antiplatelet"},
    "Mesalamine (Asacol)": set(),
    "Amiodarone HCl": {"antiarrhythmic"},
    "Quinidine Gluconate": {"antiarrhythmic"},
    "Quinine Sulfate": set(),
    "Lidocaine 5% Patch": set(),
    "Metoprolol Succinate XL": {"rate_control"},
    "Diltiazem Extended-Release": {"rate_control"},
    "Digoxin": {"rate_control"},
    "Digoxin Immune Fab": set(),
    "Timolol Maleate 0.5%": set(),
    "Dorzolamide 2%/Timolol 0.5% Ophth.": set(),
    "HydrALAzine": {"antihypertensive"},
    "Clonidine Patch 0.1 mg/24 hr": {"antihypertensive"},
    "Enalaprilat": {"antihypertensive"},
    "Losartan-Hydrochlorothiazide": {"antihypertensive"},
    "Nimodipine": set(),
    "Furosemide": set(),
    "HYDROmorphone (Dilaudid)": set(),
    "Hydroxyurea": set(),
    "Atorvastatin": {"statin"},
    "*NF* Ezetimibe-Simvastatin (Vytorin)": {"statin"},
    "Nystatin": set(),
    "Nystatin Oral Suspension": set(),
    "Cilastatin": set(),
    "Amlodipine-Atorvastatin": {"antihypertensive", "statin"},
    "": set(),
}


def test_names_fall_into_their_classes_and_no_other():
    names = pd.Series(list(NAMES))
    found = {name: set() for name in NAMES}
    for class_name, drug_list in LISTS.items():
        for name in names[of_class(names, drug_list)]:
            found[name].add(class_name)
    assert list(LISTS) == [
        "anticoagulant", "antiplatelet", "antiarrhythmic", "rate_control", "antihypertensive", "statin",
    ]  # fmt: skip
    assert found == NAMES


@pytest.mark.parametrize("days", [0, 1, 3, 30])
def test_real_prescriptions_counted_anew(data_dir, days):
    """Anticoagulants and statins of the demo, so many days after each admission, from the file alone."""
    folder = data_dir / "mimic3-demo-1.4"
    given = {"anticoagulant": {}, "statin": {}, "any": {}}
    with open(folder / "PRESCRIPTIONS.csv", newline="") as f:
        for row in csv.DictReader(f):
            if not row["startdate"]:
                continue
            over = datetime.fromisoformat(row["startdate"]).replace(hour=0, minute=0) + timedelta(days=1)
            drug = row["drug"].lower()
            is_flush = any(word in drug for word in ("flush", "lock", "crrt"))
            kinds = ["any"]
            if (
                any(drug.startswith(name) for name in ("warfarin", "heparin", "enoxaparin", "fondaparinux"))
                and not is_flush
            ):
                kinds.append("anticoagulant")
            if any(name in drug for name in ("atorvastatin", "simvastatin", "pravastatin", "rosuvastatin")):
                kinds.append("statin")
            for kind in kinds:
                first = given[kind].get(row["hadm_id"], over)
                given[kind][row["hadm_id"]] = min(first, over)
    with open(folder / "ADMISSIONS.csv", newline="") as f:
        stays = [
            (r["hadm_id"], datetime.fromisoformat(r["admittime"]) + timedelta(days=days)) for r in csv.DictReader(f)
        ]
    index_us = np.array([(at - datetime(1970, 1, 1)) // timedelta(microseconds=1) for _, at in stays])
    hadm_ids = np.array([int(hadm_id) for hadm_id, _ in stays])
    flags, known_us = medication_classes(read_tables(folder), load_definitions(), hadm_ids, index_us)
    for kind in ("anticoagulant", "statin"):
        expected = [
            float(given[kind].get(hadm_id, datetime.max) <= at)
            if given["any"].get(hadm_id, datetime.max) <= at
            else np.nan
            for hadm_id, at in stays
        ]
        np.testing.assert_array_equal(flags[kind].to_numpy(), expected)
        told = flags[kind].notna().to_numpy()
        assert (known_us[kind].to_numpy()[told] <= index_us[told]).all()
