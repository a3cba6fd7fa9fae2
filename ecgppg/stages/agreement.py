"""What may be done with a dataset: the one place that decides it, said on the card and on every page of people."""

from pathlib import Path

from ecgppg.config.schema import SYNTHETIC_MARK

CREDENTIALED = (
    "This dataset joins waveforms to credentialed clinical tables. It inherits their data use agreement: keep it "
    "where the tables may be kept, share it with nobody who has not signed, and publish no table with small cells."
)
SYNTHETIC = "Synthetic patients: a program made these recordings and tables. No row is a person."
WAVEFORMS_ONLY = "No clinical tables were joined. The licence of the waveform records applies."


def agreement(clinical_dir: str | None, linked: bool = False) -> str:
    """The sentence that goes with a dataset.

    Parameters
    ----------
    clinical_dir : str or None
        Folder of the clinical tables that were joined; a mark in it says that they are synthetic.
    linked : bool
        The rows name admissions, so tables were joined even where their folder is not known any more.
    """
    if clinical_dir is None:
        return CREDENTIALED if linked else WAVEFORMS_ONLY
    return SYNTHETIC if (Path(clinical_dir) / SYNTHETIC_MARK).is_file() else CREDENTIALED
