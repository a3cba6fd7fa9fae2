"""A sample of embeddings for TensorBoard's projector, in the plain files that it reads.

Written without `SummaryWriter.add_embedding`: that calls TensorFlow where it happens to be installed, and fails there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ecgppg.core.files import write_text

SAMPLE_WINDOWS = 2000
"""Points that a browser still turns smoothly."""
CONFIG, TENSORS, METADATA = "projector_config.pbtxt", "embedding_sample.tsv", "embedding_sample_labels.tsv"


def write_embedding_sample(
    tensorboard: Path, embedding_ND: np.ndarray, columns: Mapping[str, Sequence[object]]
) -> None:
    """Write embeddings and what is known of each into the folder of the TensorBoard run.

    Parameters
    ----------
    tensorboard : Path
        The run's folder.
    embedding_ND : ndarray
    columns : mapping
        At least two columns of N values, by name: the projector colours points by them.
    """
    assert len(columns) > 1, "with one column the projector expects no header"
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    write_text(tensorboard / METADATA, "".join("\t".join(map(str, row)) + "\n" for row in rows))
    lines = ("\t".join(f"{value:.6g}" for value in row) for row in embedding_ND)
    write_text(tensorboard / TENSORS, "\n".join(lines) + "\n")
    # The configuration comes last: with it the projector looks for the other two.
    write_text(
        tensorboard / CONFIG,
        "embeddings {\n"
        '  tensor_name: "validation windows"\n'
        f'  tensor_path: "{TENSORS}"\n'
        f'  metadata_path: "{METADATA}"\n'
        "}\n",
    )


def ordinals(subject_id_N: np.ndarray) -> list[int]:
    """Patients as 1, 2, ... in order of appearance: which windows are of one patient, and not of whom."""
    seen: dict[int, int] = {}
    return [seen.setdefault(int(subject), len(seen) + 1) for subject in subject_id_N]
