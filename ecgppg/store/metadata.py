"""The table of segments: parquet is the truth, the pickle a courtesy to older scripts and never read here."""

from pathlib import Path
from typing import TYPE_CHECKING

from ecgppg.config.errors import InputError
from ecgppg.core.files import atomic_path
from ecgppg.store.audit import first_line

if TYPE_CHECKING:
    import pandas as pd


def write_metadata(parquet: Path, pickle: Path | None, frame: "pd.DataFrame") -> None:
    """Write the table of segments.

    Parameters
    ----------
    parquet : Path
        Categories stay categories.
    pickle : Path or None
        The same table as a plain DataFrame, categories as strings; None writes none.
    frame : DataFrame
        One row a segment, in dataset order, as `SegmentDataset.to_frame()` gives it.
    """
    with atomic_path(parquet) as temporary:
        frame.to_parquet(temporary, index=False)
    if pickle is not None:
        grouped = frame.select_dtypes("category").columns
        with atomic_path(pickle) as temporary:
            frame.astype(dict.fromkeys(grouped, object)).to_pickle(temporary)


def read_metadata(parquet: Path, columns: list[str] | None = None) -> "pd.DataFrame":
    """Read the table of segments.

    Parameters
    ----------
    parquet : Path
        As `write_metadata` wrote it.
    columns : list of str, optional
        These only.

    Raises
    ------
    InputError
        If it is absent, not parquet, or lacks a column.
    """
    import pandas as pd

    if not parquet.is_file():
        raise InputError(f"{parquet}: no such file")
    try:
        return pd.read_parquet(parquet, columns=columns)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{parquet}: not a readable table of segments ({first_line(error)})") from None
