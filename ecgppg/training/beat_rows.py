"""What is asked of the embedding about each window's beats: the dataset's own columns, and measures taken here."""

import torch
from torch import Tensor

from ecgppg.config.settings import Settings
from ecgppg.data.dataset import SegmentBatch
from ecgppg.objectives.beat_measures import RHYTHM, SHAPE, beat_measures
from ecgppg.objectives.beats import beat_targets

FROM_COLUMNS = 2
N_MEASURED = {"rate": 0, "rhythm": len(RHYTHM), "shape": len(RHYTHM) + len(SHAPE)}
"""By the setting `beat_targets`; each holds the one before."""


def n_measures(settings: Settings) -> int:
    """Measures that `measured_beats` gives."""
    return FROM_COLUMNS + N_MEASURED[settings.beat_targets]


def measured_beats(batch: SegmentBatch, z_BCT: Tensor, present_BC: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """Targets of every window of a batch, measured on all of it and without augmentation.

    Parameters
    ----------
    batch : SegmentBatch
    z_BCT, present_BC : Tensor, float32
        Its windows, normalised, and which channels are there. Measured is the ECG, where there is none the other.
    settings : Settings
        channels, sampling_rate_hz, objective_beats, beat_targets.

    Returns
    -------
    target_BS : Tensor, float32
        Standardised; 0 where not known. Without columns where objective_beats is 0.
    known_BS : Tensor, bool
    """
    if not settings.objective_beats:
        return z_BCT.new_zeros(len(z_BCT), 0), z_BCT.new_zeros(len(z_BCT), 0, dtype=torch.bool)
    target_B2, known_B2 = beat_targets(batch.beats_B2)
    if not N_MEASURED[settings.beat_targets]:
        return target_B2, known_B2
    ecg_first = sorted(range(len(settings.channels)), key=lambda channel: settings.channels[channel] != "ECG")
    is_ecg_C = torch.tensor([name == "ECG" for name in settings.channels], device=z_BCT.device)
    channel_B = torch.tensor(ecg_first, device=z_BCT.device)[present_BC[:, ecg_first].argmax(1)]
    z_BT = z_BCT[torch.arange(len(z_BCT), device=z_BCT.device), channel_B]
    target_BS, known_BS = beat_measures(z_BT, is_ecg_C[channel_B], settings.sampling_rate_hz)
    asked = slice(N_MEASURED[settings.beat_targets])
    return torch.cat([target_B2, target_BS[:, asked]], dim=1), torch.cat([known_B2, known_BS[:, asked]], dim=1)
