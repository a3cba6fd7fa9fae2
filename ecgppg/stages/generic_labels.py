"""Labels that the source itself carries (records.csv, subjects.csv), as categories per segment."""

from collections.abc import Iterable

import numpy as np

from ecgppg.sources.find import Patient
from ecgppg.store.segments import Categories


class GenericLabels:
    """Labels by record.

    Parameters
    ----------
    records : iterable of str
        Those of the dataset: what no segment has is no category.
    patients : list of Patient
        Their `labels` map a record to its values by name.
    """

    def __init__(self, records: Iterable[str], patients: list[Patient]) -> None:
        by_record = {record: labels for patient in patients for record, labels in patient.labels.items()}
        self._by_record = {record: by_record.get(record, {}) for record in records}
        names = sorted({name for labels in by_record.values() for name in labels})
        values = {name: {labels.get(name, "") for labels in self._by_record.values()} - {""} for name in names}
        self._categories = {name: tuple(sorted(values[name])) for name in names}

    def of(self, record_n: np.ndarray) -> dict[str, Categories]:
        """Columns of segments.

        Parameters
        ----------
        record_n : (n,) array of str or of UTF-8
            Record of each; fast where those of one record follow each other.
        """
        if not self._categories:
            return {}
        firsts = np.flatnonzero(np.concatenate([np.ones(min(len(record_n), 1), bool), record_n[1:] != record_n[:-1]]))
        repeats = np.diff([*firsts, len(record_n)])
        spans = [text.decode() if isinstance(text, bytes) else text for text in record_n[firsts].tolist()]
        columns = {}
        for name, categories in self._categories.items():
            index = {value: code for code, value in enumerate(categories)}
            codes = [index.get(self._by_record[record].get(name, ""), Categories.UNKNOWN) for record in spans]
            columns[name] = Categories(np.repeat(np.array(codes, np.uint8), repeats), categories)
        return columns
