"""Every artefact of an output folder, written once: its path, its columns, their types, units and meaning."""

from dataclasses import dataclass
from pathlib import Path

SCHEMA_VERSION = 1
UNKNOWN_TIME_US = -(2**63)
UNKNOWN_ID = -1
UNKNOWN_LABEL = -1
SPLITS = ("train", "val", "test")
SYNTHETIC_MARK = "SYNTHETIC.txt"
"""A file of this name beside clinical tables says that a program made them."""
LINK_GRADES = ("none", "inside", "within_6h", "within_12h", "ambiguous")

READ_REASONS = (
    "missing_file", "short_file", "bad_header", "bad_checksum", "unsupported_format", "implausible_value",
    "path_outside_folder", "no_required_channels", "too_short", "other_rate", "worker_died", "read_error",
)  # fmt: skip
WINDOW_REASONS = ("missing", "constant", "clipping", "noise", "amplitude", "unreadable")
FLAGS = (
    "uncalibrated_ecg", "no_beats", "flat_stretch", "template_mismatch", "missing_some", "clipped_some",
    "ppg_absent", "ecg_absent", "rates_disagree",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column of `/segments` and of the metadata table."""

    name: str
    dtype: str
    meaning: str
    per_channel: bool = False
    later: bool = False
    """added since the first datasets: one without it is whole, and readable"""


SEGMENT_COLUMNS = (
    Column("segment_id", "int64", "63 bits of blake2b of source, record, start_sample"),
    Column("subject_id", "int64", "MIMIC's own, or a stable hash of the subject's name"),
    Column("subject", "str", "the subject as its source names it"),
    Column("record", "str", "record path below the waveform folder, without extension"),
    Column("start_sample", "int64", "first sample, in the record's own fs"),
    Column("start_time_us", "int64", "microseconds since 1970; INT64_MIN: unknown"),
    Column("ecg_lead", "str", "sig_name of the ECG channel; empty where absent"),
    Column("gain", "float32", "source gain, ADC units per physical unit; 0 where absent", per_channel=True),
    Column("fs_hz", "float32", "source sampling rate, Hz; 0 where absent", per_channel=True),
    Column("quality", "float32", "1 less the share of noise in the power, times steadiness; least of channels"),
    Column("flags", "uint16", "bit i set: FLAGS[i]"),
    Column("heart_rate_bpm", "float32", "60 / median RR of the ECG, of the PPG without ECG; NaN under 3 beats"),
    Column("rr_cv", "float32", "standard deviation / mean of the RR intervals; NaN under 3 beats"),
    Column("n_beats", "int16", "beats found in the window"),
    Column("ppg_lag_s", "float32", "R peak to the steepest rise of its pulse; NaN: absent or in doubt", later=True),
)
"""Columns a part holds: everything known from the waveform alone."""

CLINICAL_COLUMNS = (
    Column("hadm_id", "int64", "admission by the segment's own time; -1: unknown"),
    Column("link_grade", "uint8", "LINK_GRADES[i]: how the segment's time lies to that admission"),
    Column("care_unit", "str", "ICU at the segment's time; empty: unknown"),
    Column("hours_to_death", "float32", "hours to the death in this admission; NaN: did not die in it, or unknown"),
)
"""Columns added when the clinical tables are joined; label columns follow them."""


def is_label(column: str) -> bool:
    """Whether a column of `/segments` or of the metadata is a label."""
    return column.endswith(("_this", "_before", "_after", "_incident")) or column.startswith(("death_", "label_"))


def completion_path(artefact: Path) -> Path:
    """Where the completion record of an artefact lies."""
    return artefact.with_name(f"{artefact.name}.done.json")


class OutputLayout:
    """Paths of every artefact below one output folder.

    Parameters
    ----------
    root : Path
        The output folder; nothing is created here.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config.json"
        self.log = root / "production.log"
        self.dataset = root / "full_dataset.h5"
        self.metadata = root / "full_dataset_metadata.parquet"
        self.metadata_pickle = root / "full_dataset_metadata.pkl"
        self.features = root / "clinical_features.csv"
        self.features_dictionary = root / "clinical_features_dictionary.csv"
        self.linkage = root / "linkage.parquet"
        self.patient_labels = root / "patient_labels.parquet"
        self.record_flow = root / "record_flow.png"
        self.card_markdown = root / "dataset_card.md"
        self.card_json = root / "dataset_card.json"
        self.splits = root / "splits.parquet"
        self.build = root / "build"
        self.parts = root / "build" / "parts"
        self.shards = root / "build" / "shards"
        self.encoder = root / "encoder"
        self.latest_checkpoint = root / "latest_checkpoint.pth"
        self.metrics = root / "metrics.jsonl"
        self.tensorboard = root / "tensorboard"
        self.embeddings = root / "embeddings.npz"
        self.split_embeddings = root / "embeddings"
        self.discovery = root / "discovery"
        self.patterns = root / "discovery" / "discovered_patterns.json"
        self.validation = root / "validation"
        self.stroke = root / "stroke"
        self.meds = root / "meds"
        self.report = root / "report.html"

    def checkpoint(self, epoch: int) -> Path:
        """Path of the kept checkpoint after `epoch` epochs."""
        return self.root / f"checkpoint_epoch_{epoch}.pth"

    def part(self, subject_id: int) -> Path:
        """Path of one patient's part."""
        return self.parts / f"{subject_id}.h5"

    def shard(self, index: int) -> Path:
        """Path of one chunk's shard."""
        return self.shards / f"shard_{index:05d}.h5"

    def embeddings_of(self, split: str) -> Path:
        """Path of one split's embeddings."""
        return self.split_embeddings / f"{split}_embeddings.npz"
