"""Real recordings through the build: what must be kept, and what must be counted."""

from pathlib import Path

import pandas as pd
import pytest

from ecgppg.config.load import build_settings, read_settings_file
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import read_completion
from ecgppg.stages import build, split

ROOT = Path(__file__).resolve().parent.parent


def counted(settings: Settings, folder: Path) -> tuple[OutputLayout, dict[str, int]]:
    """Build and return the counts of the dataset card."""
    layout = OutputLayout(folder)
    build.run(settings, layout)
    record = read_completion(layout.dataset, verify=True)
    assert record is not None
    return layout, record["counts"]


def test_bidmc_keeps_every_subject_and_nine_windows_of_ten(data_dir: Path, tmp_path: Path) -> None:
    preset = read_settings_file(ROOT / "configs" / "bidmc.yaml")
    settings = build_settings(preset, {"waveforms_dir": str(data_dir / "bidmc")})
    layout, counts = counted(settings, tmp_path)
    metadata = pd.read_parquet(layout.metadata)
    assert metadata["subject_id"].nunique() == 33
    assert metadata["record"].nunique() == 37
    assert counts["windows_kept"] >= 0.9 * counts["windows_candidate"]
    split.run(settings, layout)
    by_subject = metadata.merge(pd.read_parquet(layout.splits), on="subject_id").groupby("subject_id")["split"]
    assert (by_subject.nunique() == 1).all()


@pytest.mark.parametrize(
    ("required", "kept", "missing_files"), [(["ECG", "PPG"], 1, 32), (["ECG"], 37, 32)], ids=["ECG+PPG", "ECG"]
)
def test_partial_mimic_records_are_read_as_far_as_they_go(
    data_dir: Path, tmp_path: Path, required: list[str], kept: int, missing_files: int
) -> None:
    root = data_dir / "mimic3wdb-samples" / "mimic3wdb-matched"
    settings = Settings(waveforms_dir=str(root), required_channels=required, min_segments_per_patient=1, num_workers=0)
    layout, counts = counted(settings, tmp_path)
    assert counts["windows_candidate"] == counts["windows_judged"]
    assert counts["windows_kept"] == kept
    assert counts["record:missing_file"] == missing_files
    metadata = pd.read_parquet(layout.metadata)
    assert len(metadata) == kept
    assert metadata["start_time_us"].min() > 0


def test_records_of_many_databases_go_through_one_build(data_dir: Path, tmp_path: Path) -> None:
    settings = Settings(
        source="wfdb", waveforms_dir=str(data_dir / "mimic3wdb-samples"), required_channels=["ECG"], num_workers=0
    )
    _, counts = counted(settings, tmp_path)
    assert counts["records_found"] == counts["records_read"] == 9
    assert counts["windows_kept"] > 0.9 * counts["windows_judged"]
    assert counts["record:missing_file"] == 35


def test_a_run_that_keeps_nothing_ends_well_and_says_so(
    data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import logging

    logging.getLogger("ecgppg").propagate = True
    settings = Settings(source="wfdb", waveforms_dir=str(data_dir / "mimic4wdb-samples" / "waves"), num_workers=0)
    layout, counts = counted(settings, tmp_path)
    assert counts.get("windows_kept", 0) == 0, "the ECG of this record is one constant code"
    assert counts["window:constant"] > 50
    assert "NOTHING WAS KEPT" in caplog.text
    assert len(pd.read_parquet(layout.metadata)) == 0
