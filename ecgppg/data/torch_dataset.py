"""A dataset file as torch's own DataLoader takes it, for models that are not ours."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ecgppg.config.errors import InputError
from ecgppg.store.reader import SegmentDataset
from ecgppg.store.segments import Categories


class WindowDataset(torch.utils.data.Dataset[dict[str, Any]]):
    """Windows of a dataset file, one item each; pickles as a path, so any number of workers may read.

    An item is a dict: `signals`, float32 (C, T) in physical units, an absent channel zeros; `present`, float32 (C,),
    0 where a channel is absent; `segment_id` and `subject_id`, int; and the columns asked for.

    Parameters
    ----------
    source : SegmentDataset
        The file.
    subject_ids : array of int64, optional
        Patients whose windows are taken; all by default.
    columns : sequence of str
        Further columns of the file, labels for instance: a number, or a name as a string, empty where unknown.

    Raises
    ------
    InputError
        If there is no such column, or it has more than one value a window.
    """

    def __init__(
        self, source: SegmentDataset, subject_ids: np.ndarray | None = None, columns: Sequence[str] = ()
    ) -> None:
        self.source = source
        of_file = source.column("subject_id")
        self.rows = np.arange(len(source)) if subject_ids is None else np.flatnonzero(np.isin(of_file, subject_ids))
        self._columns = {name: _plain(source, name)[self.rows] for name in ("segment_id", "subject_id", *columns)}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([range(len(self))[index]])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """The items of a batch, read at once: torch's DataLoader asks for them so."""
        places = np.asarray(indices, np.int64)
        signals_NCT, scale_NC = self.source.read_raw(self.rows[places])
        x_NCT = torch.from_numpy(signals_NCT * scale_NC[:, :, None])
        present_NC = torch.from_numpy((scale_NC > 0).astype(np.float32))
        return [
            {"signals": x_NCT[i], "present": present_NC[i]}
            | {
                name: values[place].item() if values.dtype != object else values[place]
                for name, values in self._columns.items()
            }
            for i, place in enumerate(places)
        ]


def _plain(source: SegmentDataset, name: str) -> np.ndarray:
    values = source.values(name)
    if isinstance(values, Categories):
        return np.array(["" if value is None else value for value in values.decoded()], dtype=object)
    if values.ndim != 1:
        raise InputError(f"{source.path}: column {name} has more than one value a window")
    return values
