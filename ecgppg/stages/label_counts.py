"""How many patients each definition names, said again before a dataset of an earlier run is trained on."""

import logging

import pandas as pd

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion

log = logging.getLogger("ecgppg.build")


def say_counts(settings: Settings, layout: OutputLayout) -> None:
    """Log the counts of the definitions that the dataset was labelled with, small cells hidden.

    Parameters
    ----------
    settings : Settings
        min_cell_patients.
    layout : OutputLayout
        The completion record of its dataset holds the counts; without clinical tables there are none.
    """
    from ecgppg.clinical.counts import count_lines

    record = read_completion(layout.dataset)
    counts = [] if record is None else record["labels"].get("counts", [])
    if counts:
        log.info("\n".join(count_lines(pd.DataFrame(counts), settings.min_cell_patients)))
