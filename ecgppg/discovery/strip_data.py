"""The signals of the exemplars, read once from the dataset for the figures and the explorer.

Shapes: C channels, T samples.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgppg.config.schema import FLAGS
from ecgppg.store.reader import SegmentDataset

SHOWN_SECONDS = 10.0
MOST_MV = 12.0
"""An ECG that spans more than this is in no millivolts, whatever its header says."""


@dataclass(frozen=True)
class Strip:
    """One exemplar window as it is drawn.

    Attributes
    ----------
    segment_id : int
    subject : str
        As its source names it.
    ecg_T, ppg_T : array of float32 or None
        ECG in mV (in source units where `calibrated` is False), PPG in its own units; None where absent.
    calibrated : bool
        Whether the ECG's amplitude can be read in mV.
    fs_hz : float
    lead, record : str
    start_sample : int
        In the record's own rate.
    heart_rate_bpm, rr_cv : float
        NaN where unknown.
    """

    segment_id: int
    subject: str
    ecg_T: np.ndarray | None
    ppg_T: np.ndarray | None
    calibrated: bool
    fs_hz: float
    lead: str
    record: str
    start_sample: int
    heart_rate_bpm: float
    rr_cv: float

    @property
    def caption(self) -> str:
        """Heart rate, irregularity, lead and patient in one line."""
        rate = f"{self.heart_rate_bpm:.0f} bpm" if np.isfinite(self.heart_rate_bpm) else "heart rate unknown"
        cv = f"RR CV {self.rr_cv:.2f}" if np.isfinite(self.rr_cv) else ""
        lead = f"lead {self.lead}" if self.lead else ""
        return "  ·  ".join(part for part in (rate, cv, lead, f"patient {self.subject}") if part)


def read_strips(dataset: SegmentDataset, segment_ids: list[int], metadata: pd.DataFrame | None) -> dict[int, Strip]:
    """Strips of the given segments that the dataset holds, by segment_id.

    Parameters
    ----------
    dataset : SegmentDataset
    segment_ids : list of int
    metadata : DataFrame or None
        Indexed by segment_id; fills in heart rate, lead, record and flags where it has them.
    """
    place = {s: i for i, s in enumerate(dataset.column("segment_id").tolist())}
    wanted = [s for s in dict.fromkeys(segment_ids) if s in place]
    if not wanted:
        return {}
    rows = [place[s] for s in wanted]
    physical_nCT = dataset.read(rows)
    _, scale_nC = dataset.read_raw(rows)
    n_shown = round(SHOWN_SECONDS * dataset.fs_hz)
    subjects = dataset.column("subject")
    channel = {name: c for c, name in enumerate(dataset.channel_names)}
    strips = {}
    for i, segment in enumerate(wanted):
        about = metadata.loc[segment].to_dict() if metadata is not None and segment in metadata.index else {}

        def signal(name: str, i: int = i) -> np.ndarray | None:
            c = channel.get(name)
            return None if c is None or scale_nC[i, c] == 0 else physical_nCT[i, c, :n_shown]

        strips[segment] = Strip(
            segment_id=segment,
            subject=str(subjects[rows[i]]),
            ecg_T=signal("ECG"),
            ppg_T=signal("PPG"),
            calibrated=_is_calibrated(signal("ECG"), int(about.get("flags", 0))),
            fs_hz=dataset.fs_hz,
            lead=str(about.get("ecg_lead", "")),
            record=str(about.get("record", "")),
            start_sample=int(about.get("start_sample", 0)),
            heart_rate_bpm=float(about.get("heart_rate_bpm", np.nan)),
            rr_cv=float(about.get("rr_cv", np.nan)),
        )
    return strips


def _is_calibrated(ecg_T: np.ndarray | None, flags: int) -> bool:
    flagged = flags >> FLAGS.index("uncalibrated_ecg") & 1
    return not flagged and (ecg_T is None or float(np.ptp(ecg_T)) <= MOST_MV)
