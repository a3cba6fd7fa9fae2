"""What would let the answer into the question; what the feature table itself can show is checked where it is read."""

from collections.abc import Iterable

import pandas as pd

from ecgppg.config.errors import InputError


def refuse_duplicate_patients(frame: pd.DataFrame, task: str) -> None:
    """Refuse a table that offers more than one eligible row for a patient.

    Raises
    ------
    InputError
        Naming one such patient.
    """
    again = frame["subject_id"].duplicated()
    if again.any():
        subject = int(frame.loc[again, "subject_id"].iloc[0])
        raise InputError(
            f"{task}: patient {subject} has more than one row with first_eligible 1; a patient is predicted once"
        )


def refuse_encoder_overlap(evaluated: Iterable[int], trained_on: Iterable[int]) -> None:
    """Refuse to evaluate an encoder's embeddings on patients it was trained on.

    Raises
    ------
    InputError
        With the number of patients in both.
    """
    both = {int(s) for s in evaluated} & {int(s) for s in trained_on}
    if both:
        raise InputError(
            f"{len(both)} evaluated patients were in the encoder's training (patient {min(both)} is one): "
            "its embeddings know them"
        )
