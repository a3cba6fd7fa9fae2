"""What the leading process of a build holds does not grow with the segments of its patients."""

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import write_completion
from ecgppg.stages.join import ClinicJoin
from ecgppg.stages.segment_tables import write_tables
from ecgppg.store import columns, content_hash, indexed_signals, merged_rows, metadata, reader
from ecgppg.store.codec import encode_segments
from ecgppg.store.merge import write_merged
from ecgppg.store.merged_rows import MergedRows
from ecgppg.store.reader import open_dataset
from ecgppg.store.segments import SegmentTable
from ecgppg.store.writer import EncodedSegments, segment_writer
from tests.store_samples import ATTRIBUTES, N_SAMPLES, make_table

N_PATIENTS, RECORDS = 8, 3


@pytest.fixture(scope="module")
def clinical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecgppg.synthetic.cohort import make_cohort

    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    return make_cohort(folder, n_patients=N_PATIENTS, minutes=1, seed=2, num_workers=0).clinical


def write_part(path: Path, subject_id: int, n_rows: int) -> Path:
    """A patient's segments over three records, all with the same signals."""
    one = make_table([(subject_id, "r", 0)])
    rows = np.zeros(n_rows, int)
    record = np.arange(n_rows) * RECORDS // n_rows
    table = {name: np.asarray(values)[rows] for name, values in one.columns.items()}
    table["record"] = np.array([f"p{subject_id:06d}-{r}" for r in record], object)
    table["start_sample"] = np.arange(n_rows, dtype=np.int64)
    table["segment_id"] = np.arange(n_rows, dtype=np.int64) + 10**6 * subject_id
    chunks = encode_segments(one.signals_NCT) * n_rows
    digests = EncodedSegments.of(SegmentTable(one.signals_NCT, one.scale_NC, one.columns)).digests[rows]
    with segment_writer(path, ATTRIBUTES, (2, N_SAMPLES)) as writer:
        writer.add(EncodedSegments(chunks, one.scale_NC[rows], digests, table))
    return path


def finished(folder: Path, clinical: Path | None, n_rows_each: int) -> tuple[int, OutputLayout]:
    """Bytes that Python and numpy held at the most while parts became a dataset with its tables."""
    layout = OutputLayout(folder)
    subject_ids = list(range(N_PATIENTS))
    if clinical:
        subject_ids = pd.read_csv(next(clinical.glob("PATIENTS*"))).rename(columns=str.lower)["subject_id"].tolist()
    parts = [write_part(layout.part(who), who, n_rows_each) for who in subject_ids[:N_PATIENTS]]
    settings = Settings(clinical_dir=str(clinical) if clinical else None, waveforms_dir=str(folder))
    gc.collect()
    tracemalloc.start()
    with MergedRows(parts, audited=True) as merged:
        join = ClinicJoin([], merged.n_of_record, [run.subject_id for run in merged.runs], settings)
        write_merged(merged, layout.dataset, ATTRIBUTES, join.columns)
        n_rows = len(merged)
    write_completion(layout.dataset, {}, n_rows)
    write_tables(join.finish(), layout)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, layout


@pytest.mark.parametrize("labelled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_segments(
    labelled: bool, tmp_path: Path, clinical: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, n in (
        (merged_rows, "ROWS_PER_BLOCK", 1600), (merged_rows, "IDS_AT_ONCE", 2048), (columns, "ROWS_PER_CHUNK", 512),
        (columns, "ROWS_PER_BLOCK", 512), (content_hash, "ROWS_PER_BLOCK", 512), (indexed_signals, "PAGES_AT_ONCE", 2),
        (reader, "ROWS_PER_FRAME", 1600),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, n)
    tables = clinical if labelled else None
    finished(tmp_path / "first", tables, 10)  # what is loaded once
    few, _ = finished(tmp_path / "few", tables, 400)
    many, layout = finished(tmp_path / "many", tables, 1600)
    print(f"{few:,} bytes for {400 * N_PATIENTS:,} segments, {many:,} for {1600 * N_PATIENTS:,}")
    assert many < 1.15 * few
    with open_dataset(layout.dataset) as dataset:
        assert len(dataset) == 1600 * N_PATIENTS
        assert (dataset.column("hadm_id") >= -1).all()
        whole = dataset.to_frame()
    pd.testing.assert_frame_equal(metadata.read_metadata(layout.metadata), whole)
    plain = pd.read_pickle(layout.metadata_pickle)
    assert type(plain) is pd.DataFrame
    grouped = whole.select_dtypes("category").columns
    pd.testing.assert_frame_equal(plain, whole.astype(dict.fromkeys(grouped, object)))
