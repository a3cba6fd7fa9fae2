"""Accounts that are no stay of a living patient: the hospital opens one for an organ donor after death."""

import numpy as np
import pandas as pd


def organ_donor_accounts(admissions: pd.DataFrame) -> np.ndarray:
    """Which admissions are accounts of organ donors.

    Parameters
    ----------
    admissions : DataFrame
        subject_id, admittime, deathtime, diagnosis (the free text at admission; may be missing).

    Returns
    -------
    ndarray of bool (N,)
        The text names a donor and the patient died in it; or, whatever the text says, the account tells of a death
        again that another admission of the patient had told before this one began. MIMIC-III's own description of
        these accounts says that they often repeat the deathtime, and that their stays are short or negative.
    """
    text = admissions["diagnosis"].astype(object).fillna("").astype(str).str.lower()
    named = text.str.contains("organ donor", regex=False) | text.str.contains("donor account", regex=False)
    dies = admissions["deathtime"].notna()
    first_death = admissions.groupby("subject_id")["deathtime"].transform("min")
    after = dies & _told_before(admissions) & (admissions["admittime"] >= first_death)
    return ((named & dies) | after).to_numpy(dtype=bool)


def _told_before(admissions: pd.DataFrame) -> pd.Series:
    """Whether an admission of the patient that began before this one has a deathtime of its own."""
    began_dying = admissions["admittime"].where(admissions["deathtime"].notna())
    return began_dying.groupby(admissions["subject_id"]).transform("min") < admissions["admittime"]
