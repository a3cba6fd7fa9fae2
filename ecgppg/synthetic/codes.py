"""Diagnosis codes and drugs of each admission: they tell of the planted rhythm and outcomes, imperfectly."""

from typing import Any

import numpy as np

from ecgppg.synthetic.stays import Admission

ICD9 = {
    "42731": ("Atrial fibrillation", "Atrial fibrillation"),
    "42732": ("Atrial flutter", "Atrial flutter"),
    "4271": ("Parox ventric tachycard", "Paroxysmal ventricular tachycardia"),
    "4275": ("Cardiac arrest", "Cardiac arrest"),
    "42761": ("Atrial premature beats", "Supraventricular premature beats"),
    "42769": ("Premature beats NEC", "Other premature beats"),
    "42781": ("Sinoatrial node dysfunct", "Sinoatrial node dysfunction"),
    "42789": ("Cardiac dysrhythmias NEC", "Other specified cardiac dysrhythmias"),
    "7850": ("Tachycardia NOS", "Tachycardia, unspecified"),
    "430": ("Subarachnoid hemorrhage", "Subarachnoid hemorrhage"),
    "431": ("Intracerebral hemorrhage", "Intracerebral hemorrhage"),
    "4321": ("Subdural hemorrhage", "Subdural hemorrhage"),
    "43310": ("Ocl crtd art wo infrct", "Occlusion of carotid artery without cerebral infarction"),
    "43311": ("Ocl crtd art w infrct", "Occlusion of carotid artery with cerebral infarction"),
    "43411": ("Crbl emblsm w infrct", "Cerebral embolism with cerebral infarction"),
    "43491": ("Crbl art ocl NOS w infrc", "Cerebral artery occlusion, unspecified, with infarction"),
    "4359": ("Trans cereb ischemia NOS", "Unspecified transient cerebral ischemia"),
    "436": ("Cva", "Acute, ill-defined cerebrovascular disease"),
    "43820": ("Late ef-hemplga side NOS", "Late effects of cerebrovascular disease, hemiplegia"),
    "V1254": ("Hx TIA/stroke w/o resid", "Personal history of TIA and stroke without residual deficits"),
    "V5861": ("Long-term use anticoagul", "Long-term (current) use of anticoagulants"),
    "4019": ("Hypertension NOS", "Unspecified essential hypertension"),
    "25000": ("DMII wo cmp nt st uncntr", "Diabetes mellitus type II without complication"),
    "4280": ("CHF NOS", "Congestive heart failure, unspecified"),
    "41401": ("Crnry athrscl natve vssl", "Coronary atherosclerosis of native coronary artery"),
    "2724": ("Hyperlipidemia NEC/NOS", "Other and unspecified hyperlipidemia"),
    "5849": ("Acute kidney failure NOS", "Acute kidney failure, unspecified"),
    "51881": ("Acute respiratry failure", "Acute respiratory failure"),
    "486": ("Pneumonia, organism NOS", "Pneumonia, organism unspecified"),
    "0389": ("Septicemia NOS", "Unspecified septicemia"),
    "99592": ("Severe sepsis", "Severe sepsis"),
    "496": ("Chr airway obstruct NEC", "Chronic airway obstruction, not elsewhere classified"),
    "E8859": ("Fall from slipping NEC", "Fall from other slipping, tripping, or stumbling"),
    "V3001": ("Single lb in-hosp w cs", "Single liveborn, born in hospital, delivered by cesarean section"),
    "769": ("Respiratory distress syn", "Respiratory distress syndrome in newborn"),
}
"""Every code the cohort uses: (short title, long title)."""

STROKE_CODES = {"43411": 0.35, "43491": 0.25, "431": 0.18, "43311": 0.08, "436": 0.07, "430": 0.07}
"""Codes of a planted stroke with their shares; all of the high-specificity set."""
STROKE_MIMICS = {"4359": 0.03, "43310": 0.02, "4321": 0.015}
"""Codes of the broad set only, given at random to anybody."""
RHYTHM_CODES = {
    "ectopy": {"42769": 0.4, "42761": 0.25},
    "tachycardia": {"7850": 0.3, "42789": 0.25},
    "pauses": {"42781": 0.4, "42789": 0.2},
}
COMORBID = {
    "4019": 0.5, "25000": 0.27, "4280": 0.28, "41401": 0.3, "2724": 0.25, "5849": 0.22, "51881": 0.2,
    "486": 0.15, "0389": 0.12, "99592": 0.08, "496": 0.1, "E8859": 0.04,
}  # fmt: skip
COMMON_DRUGS = {
    "Furosemide": 0.45, "Heparin": 0.5, "Insulin": 0.4, "Aspirin": 0.4, "Metoprolol": 0.3, "Pantoprazole": 0.5,
    "Vancomycin": 0.25, "Morphine Sulfate": 0.3, "Lisinopril": 0.2, "Atorvastatin": 0.25, "Norepinephrine": 0.12,
}  # fmt: skip
RHYTHM_DRUGS = {
    "af": {"Warfarin": 0.55, "Amiodarone": 0.4, "Diltiazem": 0.3, "Digoxin": 0.25, "Metoprolol": 0.6},
    "tachycardia": {"Metoprolol": 0.35},
    "pauses": {"Atropine Sulfate": 0.3},
}
DOSES = ("5", "MG", "PO")


def draw_codes(person: dict[str, Any], admission: Admission, rng: np.random.Generator) -> list[str]:
    """ICD-9 codes of one admission, without points, most important first, none twice.

    Parameters
    ----------
    person : dict
        A row of `people.simulate_people`.
    admission : Admission
        Its role decides which planted outcomes belong to it.
    rng : numpy Generator
        Of the person.
    """
    if person["neonate"]:
        return ["V3001"] + (["769"] if rng.random() < 0.4 else [])
    role, codes = admission.role, []
    strikes = role == "prior" and person["prior_stroke"]
    strikes |= person["stroke_when"] == {"index": "this", "later": "later"}.get(role)
    if strikes:
        codes.append(str(rng.choice(list(STROKE_CODES), p=list(STROKE_CODES.values()))))
    if admission.died and rng.random() < 0.5:
        codes.append("4275")
    if person["af_coded"] and role != "prior":
        codes.append("42731")
    codes += _some(RHYTHM_CODES.get(person["rhythm"], {}), rng) if role == "index" else []
    codes += _some(COMORBID, rng) + _some(STROKE_MIMICS, rng)
    if person["prior_stroke"] and role != "prior":
        codes.append(str(rng.choice(["V1254", "43820"])))
    if person["af_coded"] and rng.random() < 0.4:
        codes.append("V5861")
    return codes or ["4019"]


def draw_drugs(person: dict[str, Any], rng: np.random.Generator) -> list[str]:
    """Drugs of one admission, by name, none twice."""
    if person["neonate"]:
        return _some({"Ampicillin Sodium": 0.6, "Gentamicin": 0.6}, rng)
    drugs = _some(COMMON_DRUGS, rng) + _some(RHYTHM_DRUGS.get(person["rhythm"], {}), rng)
    return list(dict.fromkeys(drugs))


def _some(chances: dict[str, float], rng: np.random.Generator) -> list[str]:
    return [name for name, chance in chances.items() if rng.random() < chance]
